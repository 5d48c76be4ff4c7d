"""Folders that are unpacked once: whole or not at all, looked over before use, made anew when damaged."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

LIST = "whole.json"
SCRATCH_PREFIX = "unpacking-"


def unpacked_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """`folder`, filled by `fill` unless it is there with all its files in their sizes.

    Several processes may ask at once: each fills a folder of its own, and the first to finish gives it the name.
    """
    if is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=SCRATCH_PREFIX) as scratch:
        whole = Path(scratch) / folder.name
        whole.mkdir()
        fill(whole)
        sizes = {file.relative_to(whole).as_posix(): file.stat().st_size for file in whole.rglob("*") if file.is_file()}
        (whole / LIST).write_text(json.dumps(sizes))
        if not is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                whole.rename(folder)
            except OSError:
                # Another process was faster: its folder is as good as ours.
                if not is_whole(folder):
                    raise
    return folder


def is_whole(folder: Path) -> bool:
    """Whether the folder has every file that was unpacked into it, in its size."""
    try:
        sizes: dict[str, int] = json.loads((folder / LIST).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False
