"""Which chunks are worth a second invocation: those that stand still, or lag far behind the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from lambda_handler.progress import ChunkProgress


@dataclass(frozen=True)
class Patience:
    """When a chunk is a straggler.

    Its worker has shown no sign of life for `still_seconds`; or half of the chunks are done, it has taken `lag_factor`
    times their median, `least_seconds` at the least, and by its own pace a second start would overtake it.
    """

    still_seconds: float = 60.0
    lag_factor: float = 3.0
    least_seconds: float = 30.0


@dataclass
class _Attempt:
    """A chunk since it was last asked for. `told` is of this attempt when `shown`, else of an earlier one."""

    asked: float
    changed: float
    told: ChunkProgress | None
    shown: bool = False
    took: float | None = None


class Stragglers:
    """Follows the chunks of one render by when they were asked for and what their progress says."""

    def __init__(self, chunks: int, patience: Patience = Patience()) -> None:
        self._chunks = chunks
        self._patience = patience
        self._attempts: dict[int, _Attempt] = {}

    def look(self, progress: Mapping[int, ChunkProgress], asked: Mapping[int, float], now: float) -> list[int]:
        """The chunks that are stragglers now.

        `asked` says since when each chunk that is waited for is; as `now`, in seconds of a clock that never goes back.
        What the folder tells of a chunk when it is first seen counts for nothing: an earlier attempt may have left it.
        """
        for chunk, since in asked.items():
            known = self._attempts.get(chunk)
            if known is None or known.asked != since:
                self._attempts[chunk] = _Attempt(since, since, progress.get(chunk))
        for chunk, attempt in self._attempts.items():
            told = progress.get(chunk)
            if told != attempt.told:
                attempt.told, attempt.changed, attempt.shown = told, now, True
            if told and told.finished and attempt.shown and attempt.took is None:
                attempt.took = now - attempt.asked
        took = [attempt.took for attempt in self._attempts.values() if attempt.took is not None]
        # Nobody knows how long those took that were found, or done between two looks.
        found = sum(told.finished for told in progress.values()) - len(took)
        usual = median(took) if took and 2 * len(took) >= self._chunks - found else None
        return [chunk for chunk in asked if self._is_one(self._attempts[chunk], usual, now)]

    def _is_one(self, attempt: _Attempt, usual: float | None, now: float) -> bool:
        patience, running = self._patience, now - attempt.asked
        if attempt.took is not None:
            return False
        if now - attempt.changed > patience.still_seconds:
            return True
        if usual is None or running < patience.least_seconds or running <= patience.lag_factor * usual:
            return False
        if attempt.told is None or not attempt.shown or not attempt.told.done:
            return True
        return running / attempt.told.done * (attempt.told.total - attempt.told.done) > usual
