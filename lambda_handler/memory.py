"""How much memory a worker and all its processes use, of what the platform grants them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

LIMIT_VARIABLE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
"""In MiB; Lambda sets it."""
# The rest is for what is not counted, and for the frame being drawn: a 4K picture in flight is about 100 MiB.
USABLE = 0.9

_PRIVATE = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


def processes(pid: int) -> list[int]:
    """Process `pid` and its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # The name, in parentheses, may hold spaces; the parent is the second word after it.
            children[int(status.read_text().rpartition(")")[2].split()[1])].append(int(status.parent.name))
    found, pending = [], [pid]
    while pending:
        found.append(pending.pop())
        pending += children[found[-1]]
    return found


def used_bytes(pid: int) -> int:
    """Memory that process `pid` and its descendants hold and that cannot be dropped: anonymous and shared pages.

    Each shared page counts once; file pages (executables, what was read) do not, the kernel takes those back.
    """
    total = 0
    for process in processes(pid):
        with suppress(OSError):
            told = Path(f"/proc/{process}/smaps_rollup").read_bytes()
            total += 1024 * sum(map(int, _PRIVATE.findall(told)))
    return total


def limit_bytes() -> int | None:
    """What the platform grants this worker; None where it sets no limit."""
    told = os.environ.get(LIMIT_VARIABLE)
    return int(told) * 1024**2 if told else None


def is_scarce(share: float = USABLE) -> bool:
    """Whether more than `share` of the granted memory is in use."""
    limit = limit_bytes()
    return limit is not None and used_bytes(os.getpid()) > share * limit
