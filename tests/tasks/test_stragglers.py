"""Which chunks are stragglers, by what their progress has said so far."""

from __future__ import annotations

from lambda_handler.progress import ChunkProgress
from tasks.stragglers import Patience, Stragglers

PATIENCE = Patience(still_seconds=60, lag_factor=3, least_seconds=30)


def _at(done: int, now: float, total: int = 100) -> ChunkProgress:
    return ChunkProgress(done, total, now)


def test_a_chunk_that_stands_still_is_one() -> None:
    """A minute after its last sign of life, until there is another."""
    stragglers, asked = Stragglers(2, PATIENCE), {0: 0.0}
    assert stragglers.look({0: _at(5, 0)}, asked, 0) == []
    assert stragglers.look({0: _at(9, 30)}, asked, 30) == []
    assert stragglers.look({0: _at(9, 30)}, asked, 90) == []
    assert stragglers.look({0: _at(9, 30)}, asked, 91) == [0]
    assert stragglers.look({0: _at(9, 30)}, asked, 500) == [0]
    assert stragglers.look({0: _at(10, 501)}, asked, 501) == []


def test_a_chunk_that_never_shows_a_sign_of_life_is_one() -> None:
    """A minute after it was asked for; one that waits for its turn is not."""
    stragglers = Stragglers(3, PATIENCE)
    assert stragglers.look({}, {0: 0.0}, 0) == []
    assert stragglers.look({}, {0: 0.0, 1: 50.0}, 61) == [0]
    assert stragglers.look({}, {1: 50.0}, 110) == []
    assert stragglers.look({}, {1: 50.0}, 111) == [1]


def test_a_worker_that_shows_itself_does_not_stand_still() -> None:
    """A slow frame is written about all the same: the heartbeat counts, not the frames."""
    stragglers = Stragglers(2, PATIENCE)
    for now in range(0, 600, 10):
        assert stragglers.look({0: _at(5, now)}, {0: 0.0}, now) == []


def test_a_chunk_that_lags_far_behind_the_others_is_one() -> None:
    """Three times their median, when half of them are done and a second start would overtake it."""
    stragglers, asked = Stragglers(4, PATIENCE), dict.fromkeys(range(4), 0.0)
    begun = {index: _at(0, 0) for index in range(4)}
    assert stragglers.look(begun, asked, 0) == []
    done, left = {0: _at(100, 20), 1: _at(100, 20)}, {2: 0.0, 3: 0.0}
    assert stragglers.look({**done, 2: _at(10, 20), 3: _at(50, 20)}, left, 20) == []
    assert stragglers.look({**done, 2: _at(20, 59), 3: _at(97, 59)}, left, 59) == []
    # Chunk 2 needs minutes still, chunk 3 a few seconds.
    assert stragglers.look({**done, 2: _at(21, 61), 3: _at(98, 61)}, left, 61) == [2]


def test_short_chunks_do_not_count_as_lagging() -> None:
    """Three times nothing is nothing: below half a minute nobody is hedged."""
    stragglers, asked = Stragglers(2, PATIENCE), {0: 0.0, 1: 0.0}
    stragglers.look({0: _at(0, 0), 1: _at(0, 0)}, asked, 0)
    stragglers.look({0: _at(100, 1), 1: _at(1, 1)}, asked, 1)
    assert stragglers.look({0: _at(100, 1), 1: _at(2, 29)}, {1: 0.0}, 29) == []
    assert stragglers.look({0: _at(100, 1), 1: _at(3, 31)}, {1: 0.0}, 31) == [1]


def test_a_finished_chunk_is_none() -> None:
    """However long ago it wrote last."""
    stragglers = Stragglers(1, PATIENCE)
    assert stragglers.look({0: _at(5, 0)}, {0: 0.0}, 0) == []
    assert stragglers.look({0: _at(100, 5)}, {0: 0.0}, 5) == []
    assert stragglers.look({0: _at(100, 5)}, {}, 9_999) == []


def test_a_chunk_that_is_tried_again_starts_from_nothing() -> None:
    """Neither the first try's time nor its frames are the second's: it lags only by its own."""
    stragglers = Stragglers(2, PATIENCE)
    stragglers.look({0: _at(0, 0), 1: _at(0, 0)}, {0: 0.0, 1: 0.0}, 0)
    stragglers.look({0: _at(100, 10), 1: _at(90, 10)}, {0: 0.0, 1: 0.0}, 10)
    # The first try was lost; for the second there is no sign yet.
    assert stragglers.look({0: _at(100, 10), 1: _at(90, 10)}, {1: 65.0}, 66) == []
    assert stragglers.look({0: _at(100, 10), 1: _at(2, 85)}, {1: 65.0}, 85) == []
    # It has three frames after half a minute; the first had ninety.
    assert stragglers.look({0: _at(100, 10), 1: _at(3, 96)}, {1: 65.0}, 96) == [1]


def test_what_an_earlier_run_has_left_is_no_sign_of_this_one() -> None:
    """Old progress does not stand still while its chunk waits for its turn, nor is a chunk that was found a measure."""
    stragglers = Stragglers(4, PATIENCE)
    left = {0: _at(100, -999), 1: _at(100, -999), 2: _at(100, -999), 3: _at(60, -999)}
    assert stragglers.look(left, {0: 0.0, 1: 0.0}, 1) == []
    assert stragglers.look(left, {}, 500) == []
    assert stragglers.look(left, {3: 500.0}, 502) == []
    for now in range(510, 900, 10):
        assert stragglers.look({**left, 3: _at((now - 500) // 10, now)}, {3: 500.0}, now) == []
