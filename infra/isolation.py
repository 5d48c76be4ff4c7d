"""A process as Lambda runs one, as far as this machine can: bubblewrap where it works, a plain process elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

TASK, RUNTIME = Path("/var/task"), Path("/var/runtime")
UID, GID = 993, 990  # sbx_user1051, as functions see themselves
# What the wrapped process sees of the machine's own: a system, and nothing of anybody's data.
_HIDDEN = frozenset({"dev", "proc", "sys", "tmp", "var", "run", "home", "work", "mnt", "media", "lost+found"})


@cache
def available() -> bool:
    """Whether bubblewrap is there and may make user namespaces."""
    if shutil.which("bwrap") is None:
        return False
    return subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-user", "true"], check=False).returncode == 0


def wrapped(
    command: list[str], *, task: Path, runtime: Path, interpreter: Path, tmp: Path, tmp_mb: int | None = None
) -> list[str]:
    """`command` as Lambda would have it: read-only root, /var/task, a /tmp of its own, uid 993, no /dev/shm.

    `interpreter` is the folder that Python is installed in. /tmp is the folder `tmp`; with `tmp_mb` it holds no more
    than so many MiB, and lies in memory.
    """
    mounts: list[str] = []
    for entry in sorted(Path("/").iterdir()):
        if entry.is_symlink():
            mounts += ["--symlink", str(entry.readlink()), str(entry)]
        elif entry.name not in _HIDDEN and entry.is_dir():
            mounts += ["--ro-bind", str(entry), str(entry)]
    mounts += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--remount-ro", "/dev/shm"]  # noqa: S108
    # The environment's own.
    mounts += ["--size", str(tmp_mb * 1024**2), "--tmpfs", "/tmp"] if tmp_mb else ["--bind", str(tmp), "/tmp"]  # noqa: S108
    if interpreter.parts[1] in _HIDDEN:
        mounts += ["--ro-bind", str(interpreter), str(interpreter)]
    mounts += ["--ro-bind", str(task), str(TASK), "--ro-bind", str(runtime), str(RUNTIME), "--remount-ro", "/"]
    identity = ["--unshare-user", "--uid", str(UID), "--gid", str(GID), "--unshare-pid", "--unshare-ipc"]
    # Not --die-with-parent: that means the thread that started it. An orphan ends when its Runtime API is gone.
    return ["bwrap", *mounts, *identity, "--chdir", str(TASK), *command]
