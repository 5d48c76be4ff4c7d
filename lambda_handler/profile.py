"""Where a chunk's time went, and where that of all chunks of a render did."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

STAGES = ("start", "seek", "draw", "encode", "tell", "verify", "store")
"""Browser, page and files made ready; the page moved to a moment and settled; its picture taken; the encoder waited
for; progress written and limits looked at; the chunk checked; the chunk put in its place."""


class Profile:
    """Seconds of one chunk, by stage."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """What happens inside is counted as `stage`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - began

    def milliseconds(self) -> dict[str, int]:
        """As it is written beside the chunk's progress."""
        return {stage: round(1000 * seconds) for stage, seconds in self._seconds.items()}


def total(profiles: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Milliseconds of several chunks together, by stage; the stages of a worker of another version are left out."""
    every = list(profiles)
    return {stage: sum(each.get(stage, 0) for each in every) for stage in STAGES} if every else {}
