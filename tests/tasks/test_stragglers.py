"""Which chunks are stragglers, by what their progress has said so far."""

from __future__ import annotations

from lambda_handler.progress import ChunkProgress
from tasks.stragglers import Patience, Stragglers

PATIENCE = Patience(still_seconds=60, lag_factor=3, least_seconds=30)


def _at(done: int, now: float, total: int = 100) -> ChunkProgress:
    return ChunkProgress(done, total, now)


def test_a_chunk_that_stands_still_is_one() -> None:
    """A minute after its last sign of life, until there is another."""
    stragglers = Stragglers(2, PATIENCE)
    assert stragglers.look({0: _at(5, 0)}, 0) == []
    assert stragglers.look({0: _at(9, 30)}, 30) == []
    assert stragglers.look({0: _at(9, 30)}, 90) == []
    assert stragglers.look({0: _at(9, 30)}, 91) == [0]
    assert stragglers.look({0: _at(9, 30)}, 500) == [0]
    assert stragglers.look({0: _at(10, 501)}, 501) == []


def test_a_worker_that_shows_itself_does_not_stand_still() -> None:
    """A slow frame is written about all the same: the heartbeat counts, not the frames."""
    stragglers = Stragglers(2, PATIENCE)
    for now in range(0, 600, 10):
        assert stragglers.look({0: _at(5, now)}, now) == []


def test_a_chunk_that_lags_far_behind_the_others_is_one() -> None:
    """Three times their median, when half of them are done and a second start would overtake it."""
    stragglers = Stragglers(4, PATIENCE)
    begun = {index: _at(0, 0) for index in range(4)}
    assert stragglers.look(begun, 0) == []
    done = {0: _at(100, 20), 1: _at(100, 20)}
    assert stragglers.look({**done, 2: _at(10, 20), 3: _at(50, 20)}, 20) == []
    assert stragglers.look({**done, 2: _at(20, 59), 3: _at(97, 59)}, 59) == []
    # Chunk 2 needs minutes still, chunk 3 a few seconds.
    assert stragglers.look({**done, 2: _at(21, 61), 3: _at(98, 61)}, 61) == [2]


def test_short_chunks_do_not_count_as_lagging() -> None:
    """Three times nothing is nothing: below half a minute nobody is hedged."""
    stragglers = Stragglers(2, PATIENCE)
    stragglers.look({0: _at(0, 0), 1: _at(0, 0)}, 0)
    stragglers.look({0: _at(100, 1), 1: _at(1, 1)}, 1)
    assert stragglers.look({0: _at(100, 1), 1: _at(2, 29)}, 29) == []
    assert stragglers.look({0: _at(100, 1), 1: _at(3, 31)}, 31) == [1]


def test_a_finished_chunk_is_none() -> None:
    """However long ago it wrote last."""
    stragglers = Stragglers(1, PATIENCE)
    assert stragglers.look({0: _at(100, 0)}, 0) == []
    assert stragglers.look({0: _at(100, 0)}, 9_999) == []
