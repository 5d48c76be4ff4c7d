"""Keeping a Lambda environment's disk free: what earlier invocations left there goes before the next one works."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from lambda_handler.errors import StorageFull
from lambda_handler.unpack import SCRATCH_PREFIX

NEEDED_BYTES = 512 * 1024**2
"""Room for a chunk's artifacts and its video."""

# Our own folders, and those that the browser and its driver make; never the unpacked tools.
_PREFIXES = ("hf-plan-", "hf-chunk-", "hf-assemble-", "playwright", ".org.chromium.", "org.chromium.")
_STARTED = time.time()


def tidy(*, started: float = _STARTED) -> None:
    """Removes what a process before this one, started at `started`, left behind when it was killed.

    What this process leaves it removes itself, and its browser may still be at work there.
    Raises StorageFull when there is too little room to begin with.
    """
    folder = Path(tempfile.gettempdir())
    for place in (folder, folder / "hyperframes-tools"):
        prefixes = (SCRATCH_PREFIX,) if place != folder else _PREFIXES
        for left in place.glob("*"):
            if left.name.startswith(prefixes) and left.lstat().st_mtime < started:
                _remove(left)
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise StorageFull(
            f"{folder} has {free // 1024**2} MiB left, and a chunk needs {NEEDED_BYTES // 1024**2}.",
            resolution="Raise the function's ephemeral storage (EphemeralStorage); what is rendered is kept.",
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
