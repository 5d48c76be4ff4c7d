"""Keeping a Lambda environment's disk free: what earlier invocations left there goes before the next one works."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lambda_handler.browser import drop_warm
from lambda_handler.errors import StorageFull
from lambda_handler.unpack import SCRATCH_PREFIX

NEEDED_BYTES = 512 * 1024**2
"""Room for a chunk's artifacts and its video."""

# Our own folders, and those that the browser makes; never the unpacked tools.
_PREFIXES = ("hf-plan-", "hf-chunk-", "hf-assemble-", "hf-browser-", ".org.chromium.", "org.chromium.")
_STARTED = time.time()


def tidy(*, started: float = _STARTED) -> None:
    """Removes what a process before this one, started at `started`, left behind when it was killed.

    What this process leaves it removes itself, and its warm browser may still need; where there is too little room to
    begin with, that goes as well, the oldest first. Raises StorageFull when there is too little even then.
    """
    folder = Path(tempfile.gettempdir())
    left = sorted(_left_in(folder), key=lambda path: path.lstat().st_mtime)
    for path in left:
        if path.lstat().st_mtime < started:
            _remove(path)
    if _free(folder) < NEEDED_BYTES:
        drop_warm()
        for path in left:
            if _free(folder) < NEEDED_BYTES:
                _remove(path)
    if (free := _free(folder)) < NEEDED_BYTES:
        raise StorageFull(f"{folder} has {free // 1024**2} MiB left, and a chunk needs {NEEDED_BYTES // 1024**2}.")


def _left_in(folder: Path) -> Iterator[Path]:
    for place, prefixes in ((folder, _PREFIXES), (folder / "hyperframes-tools", (SCRATCH_PREFIX,))):
        yield from (path for path in place.glob("*") if path.name.startswith(prefixes))


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
