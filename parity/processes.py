"""What processes that a program starts take of the machine."""

from __future__ import annotations

import resource


def children_cpu() -> float:
    """CPU seconds of all processes of this one that have ended and were waited for, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
