"""The frame grid: how many frames, when each stands, how they are cut."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from lambda_handler.errors import DurationOutOfRange, PlanTooLarge
from lambda_handler.grid import MAX_FRAMES, FrameRange, frame_time, slices, total_frames

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("duration", "fps", "frames"),
    [
        (1, Fraction(30), 30),
        (10, Fraction(24), 240),
        (0.1, Fraction(30), 3),  # 3.0000000000000004 as a float
        (1.0000333, Fraction(30), 30),  # 0.000999 of a frame too long: rounding
        (1.0000334, Fraction(30), 31),  # 0.001002 of a frame too long: a moment to show
        (0.99997, Fraction(30), 30),
        (0.99, Fraction(30), 30),  # 29.7
        (1.01, Fraction(30), 31),  # 30.3
        (0.001, Fraction(30), 1),
        (10, NTSC, 300),  # 299.7
        (1001 / 30000, NTSC, 1),
        (10.01, NTSC, 300),  # exactly
        (10.0101, NTSC, 301),  # 300.003
        (86_400, Fraction(1), 86_400),
    ],
)
def test_a_last_moment_gets_a_frame_unless_it_is_a_rounding_error(duration: float, fps: Fraction, frames: int) -> None:
    """Within 0.001 frame of a whole number it is that number, else the next."""
    assert total_frames(duration, fps) == frames


@pytest.mark.parametrize("duration", [0, -1, math.inf, -math.inf, math.nan, 86_400.001, 1e-9])
def test_an_impossible_duration_is_refused(duration: float) -> None:
    """Nothing, less than nothing, for ever, unknown, above a day, and below the tolerance of a frame."""
    with pytest.raises(DurationOutOfRange):
        total_frames(duration, Fraction(30))


def test_more_frames_than_the_limit_are_refused() -> None:
    """A day at 60 frames a second is 5 million."""
    assert total_frames(MAX_FRAMES / 60, Fraction(60)) == MAX_FRAMES
    with pytest.raises(PlanTooLarge, match=str(MAX_FRAMES + 1)):
        total_frames((MAX_FRAMES + 1) / 60, Fraction(60))


def test_frame_times_do_not_drift() -> None:
    """Each is one division away from the exact number, however long the video."""
    for index in (0, 1, 29, 1000, 107_892, 999_999):
        assert frame_time(index, NTSC) == float(Fraction(index) / NTSC)
    assert frame_time(30, Fraction(30)) == 1.0


SIZES = (None, 1, 2, 7, 10, 240, 3600)
TARGETS = (None, 1, 9, 90, 3600)
MOST = (1, 2, 3, 8, 16, 256)


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 11, 59, 100, 101, 240, 299, 300, 301, 7919, 86_400, 1_000_000])
def test_chunks_cover_every_frame_once_and_are_never_too_many(frames: int) -> None:
    """For every combination of the parameters: in order, without gap or overlap, none empty."""
    for size, target, most in itertools.product(SIZES, TARGETS, MOST):
        cut = slices(frames, chunk_size=size, target_chunk_frames=target, max_parallel_chunks=most)
        told = f"{size=} {target=} {most=}"
        assert 1 <= len(cut) <= most, told
        bounds = [0, *(part.end for part in cut)]
        assert [part.start for part in cut] == bounds[:-1], told
        assert bounds[-1] == frames, told
        assert all(len(part) > 0 for part in cut), told


def test_all_chunks_but_the_last_are_equally_long() -> None:
    """So that the size tells a frame's chunk."""
    for frames, size, most in itertools.product((301, 7919), (None, 7, 240), MOST):
        cut = slices(frames, chunk_size=size, target_chunk_frames=None, max_parallel_chunks=most)
        assert len({len(part) for part in cut[:-1]}) <= 1
        assert len(cut[-1]) <= len(cut[0])


@pytest.mark.parametrize(
    ("parameters", "lengths"),
    [
        ({"chunk_size": 240}, [240, 60]),
        ({"chunk_size": 100}, [100, 100, 100]),
        ({"chunk_size": 1, "max_parallel_chunks": 8}, [38, 38, 38, 38, 38, 38, 38, 34]),
        ({"chunk_size": 1000}, [300]),
        ({"max_parallel_chunks": 4}, [75, 75, 75, 75]),
        ({"target_chunk_frames": 150}, [150, 150]),
        ({"target_chunk_frames": 1}, [19] * 15 + [15]),
        ({"chunk_size": 200, "target_chunk_frames": 10}, [200, 100]),
        ({"max_parallel_chunks": 256}, [10] * 30),
    ],
)
def test_a_chunk_size_wins_over_an_aim_and_both_over_the_default(
    parameters: dict[str, int], lengths: list[int]
) -> None:
    """300 frames: a size grows until chunks are few enough; without one, none has less than ten frames."""
    given = {"chunk_size": None, "target_chunk_frames": None, "max_parallel_chunks": 16} | parameters
    most = given["max_parallel_chunks"] or 16
    cut = slices(
        300,
        chunk_size=given["chunk_size"],
        target_chunk_frames=given["target_chunk_frames"],
        max_parallel_chunks=most,
    )
    assert [len(part) for part in cut] == lengths


def test_a_range_ends_before_its_end() -> None:
    """Ten frames from 5 are 5 to 14."""
    assert len(FrameRange(5, 15)) == 10
