"""Which chunks are worth a second invocation: those that stand still, or lag far behind the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from lambda_handler.progress import ChunkProgress


@dataclass(frozen=True)
class Patience:
    """When a chunk is a straggler.

    It has shown no frame for `still_seconds`; or half of the chunks are done, it has taken `lag_factor` times their
    median, `least_seconds` at the least, and by its own pace a second start would overtake it.
    """

    still_seconds: float = 60.0
    lag_factor: float = 3.0
    least_seconds: float = 30.0


@dataclass
class _Seen:
    began: float
    changed: float
    progress: ChunkProgress
    took: float | None = None


class Stragglers:
    """Follows the chunks of one render by what their progress says."""

    def __init__(self, chunks: int, patience: Patience = Patience()) -> None:
        self._chunks = chunks
        self._patience = patience
        self._seen: dict[int, _Seen] = {}

    def look(self, progress: Mapping[int, ChunkProgress], now: float) -> list[int]:
        """The chunks that are stragglers now, in seconds of a clock that never goes back."""
        for chunk, told in progress.items():
            seen = self._seen.setdefault(chunk, _Seen(now, now, told))
            if told != seen.progress:
                seen.progress, seen.changed = told, now
            if told.finished and seen.took is None:
                seen.took = now - seen.began
        return [chunk for chunk, seen in self._seen.items() if self._is_one(seen, now)]

    def _is_one(self, seen: _Seen, now: float) -> bool:
        if seen.took is not None:
            return False
        patience, running = self._patience, now - seen.began
        if now - seen.changed > patience.still_seconds:
            return True
        took = [other.took for other in self._seen.values() if other.took is not None]
        if 2 * len(took) < self._chunks or running < patience.least_seconds:
            return False
        done, total = seen.progress.done, seen.progress.total
        left = running / done * (total - done) if done else float("inf")
        return running > patience.lag_factor * median(took) and left > median(took)
