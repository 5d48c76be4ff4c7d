"""How a video is cut into chunks: for a fleet, for one machine, and for pages that stand still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rendering import Render, page

from lambda_handler.cut import Speed, cut, max_parallel_chunks
from lambda_handler.events import PLACES_VARIABLE, Config


@pytest.mark.parametrize(
    ("asked", "reserved", "chunks", "most"),
    [
        (None, None, 300, 16),
        (None, "8", 300, 8),
        (200, "8", 300, 8),
        (4, "8", 300, 4),
        (200, None, 300, 200),
        (200, "50", 3, 3),
        (200, "0", 300, 1),
    ],
)
def test_no_more_chunks_run_at_once_than_the_function_reserves(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, reserved: str | None, chunks: int, most: int
) -> None:
    """More would only be throttled; without a reservation the request decides."""
    monkeypatch.delenv(PLACES_VARIABLE, raising=False)
    if reserved is not None:
        monkeypatch.setenv(PLACES_VARIABLE, reserved)
    assert max_parallel_chunks(Config(max_parallel_chunks=asked), chunks) == most


@pytest.mark.parametrize(
    ("frames", "milliseconds", "lengths"),
    [(60, 30.0, [60]), (300, 30.0, [150, 150]), (450, 160.0, [113, 113, 113, 111]), (300, 161.0, [38] * 7 + [34])],
)
def test_a_fleet_gets_chunks_of_one_length(frames: int, milliseconds: float, lengths: list[int]) -> None:
    """About 120 frames, 40 where one takes long."""
    assert [len(each) for each in cut(Config(), frames, Speed(milliseconds, False))] == lengths


@pytest.mark.parametrize(
    ("workers", "frames", "milliseconds", "lengths"),
    [
        (None, 1800, 30.0, [600] * 3),
        (None, 300, 161.0, [38] * 7 + [34]),
        (2, 300, 30.0, [300]),
        (2, 1800, 30.0, [900] * 2),
    ],
)
def test_a_page_that_stands_still_gets_longer_chunks(
    monkeypatch: pytest.MonkeyPatch, workers: int | None, frames: int, milliseconds: float, lengths: list[int]
) -> None:
    """About 600 frames: to begin a chunk takes longer than 100 of them. Not where drawing one would be dear."""
    if workers:
        monkeypatch.setenv(PLACES_VARIABLE, str(workers))
    assert [len(each) for each in cut(Config(), frames, Speed(milliseconds, True))] == lengths


@pytest.mark.parametrize(
    ("moves", "chunks"), [("#b{animation:go 3s linear infinite}@keyframes go{to{rotate:360deg}}", 2), ("", 1)]
)
def test_whether_a_page_stands_still_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, render: Callable[..., Render], moves: str, chunks: int
) -> None:
    """In pairs of frames all over it."""
    monkeypatch.setenv(PLACES_VARIABLE, "2")
    box = f'<style>{moves}</style><div id="b" style="position:absolute;width:50px;height:50px;background:red"></div>'
    assert render(page(box, duration="10")).plan()["ChunkCount"] == chunks


@pytest.mark.parametrize(
    ("workers", "frames", "milliseconds", "lengths"),
    [
        (2, 60, 30.0, [60]),
        (2, 300, 30.0, [150, 150]),
        (2, 1800, 30.0, [300] * 6),
        (2, 300, 161.0, [75] * 4),
        (8, 300, 30.0, [43] * 6 + [42]),
        (8, 900, 30.0, [113] * 7 + [109]),
        (32, 3000, 30.0, [94] * 31 + [86]),
        (1, 300, 30.0, [300]),
        (6, 18000, 30.0, [1500] * 12),
    ],
)
def test_a_machine_gets_as_many_chunks_for_each_worker(
    monkeypatch: pytest.MonkeyPatch, workers: int, frames: int, milliseconds: float, lengths: list[int]
) -> None:
    """So that they end together: none of fewer than 40 frames, and not many more than 300, 100 where one takes long."""
    monkeypatch.setenv(PLACES_VARIABLE, str(workers))
    assert [len(each) for each in cut(Config(), frames, Speed(milliseconds, False))] == lengths
