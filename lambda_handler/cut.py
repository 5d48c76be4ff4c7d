"""How a video is cut into chunks: by what is asked for, else by how fast a few of its frames are drawn."""

from __future__ import annotations

import os
import time
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from lambda_handler import usage
from lambda_handler.events import DEFAULT_MAX_PARALLEL_CHUNKS, PLACES_VARIABLE, Config
from lambda_handler.formats import PictureKind
from lambda_handler.grid import FrameRange, frame_time, slices
from lambda_handler.page.session import CompositionPage

# Frames per chunk, for what is drawn in so many milliseconds and for what takes longer: what serves a simulated fleet
# best (benchmarks/fleet.py). Two classes, far apart, so that the same project is cut the same way every time.
CHEAP_MS = 160
CHUNK_FRAMES = 120
DEAR_CHUNK_FRAMES = 40
# Of a page that stands still a frame is 3 to 5 ms, and beginning a chunk 0.4 s of CPU.
STANDING_CHUNK_FRAMES = 600
# One machine has few workers: chunks may be so much longer, as each worker takes one after another, and shorter down to
# one part of so many, that each may have one.
LONGER = 2.5
SHORTEST_PART = 3
# In eighteenths of the video: where it is looked at, and where frames are drawn to measure it.
LOOKED_AT = range(1, 18, 2)
DRAWN = (3, 9, 15)


class Speed(NamedTuple):
    """Milliseconds that the dearest of a few frames takes to draw; whether each was the picture before it again."""

    milliseconds: float
    stands_still: bool


def measured(composition: CompositionPage, kind: PictureKind, frames: int, fps: Fraction) -> Speed:
    """That of a ready page, by a few frames and those behind them: the better of their two times counts."""
    dearest, stands_still = 0.0, True
    for part in LOOKED_AT:
        index = frames * part // 18
        pair = [frame_time(moment, fps) for moment in (index, min(index + 1, frames - 1))]
        if part in DRAWN:
            times, pictures = zip(*(_drawn(composition, kind, seconds) for seconds in pair), strict=True)
            dearest = max(dearest, min(times))
            stands_still = stands_still and pictures[0] == pictures[1]
        elif stands_still:
            composition.seek(pair[0])
            composition.flush()
            composition.seek(pair[1])
            stands_still = not composition.has_changed()
    return Speed(dearest, stands_still)


def cut(config: Config, frames: int, speed: Speed) -> tuple[FrameRange, ...]:
    """The video's `frames` in chunks: as asked for, else by its speed."""
    workers = None if usage.function() else _places()
    target = config.target_chunk_frames
    if not (config.chunk_size or target or config.max_parallel_chunks):
        target = ceil(frames / _count(frames, speed, workers))
    return slices(
        frames,
        chunk_size=config.chunk_size,
        target_chunk_frames=target,
        max_parallel_chunks=config.max_parallel_chunks or max(DEFAULT_MAX_PARALLEL_CHUNKS, workers or 1),
    )


def max_parallel_chunks(config: Config, chunks: int) -> int:
    """How many of the `chunks` may be rendered at once: as asked for, and no more than the stack has places for.

    More would only be throttled. The stack tells its limit in HYPERFRAMES_MAX_PARALLEL_CHUNKS.
    """
    asked = config.max_parallel_chunks or DEFAULT_MAX_PARALLEL_CHUNKS
    return min(asked, chunks, _places() or chunks)


def _drawn(composition: CompositionPage, kind: PictureKind, seconds: float) -> tuple[float, bytes]:
    """Milliseconds that the frame at `seconds` takes, and its picture."""
    began = time.perf_counter()
    composition.seek(seconds)
    picture = composition.picture(kind)
    return (time.perf_counter() - began) * 1000, picture


def _count(frames: int, speed: Speed, workers: int | None) -> int:
    """How many chunks of about the wanted length; on one machine as many for each worker: they end together.

    For each worker no more of them than `slices` makes in all: else it would cut without regard to workers.
    """
    wanted = _wanted(speed)
    if workers is None:
        return max(1, round(frames / wanted))
    most = max(1, DEFAULT_MAX_PARALLEL_CHUNKS // workers)
    turns = min(most, max(1, round(frames / (workers * wanted * LONGER))))
    return max(1, min(workers * turns, SHORTEST_PART * frames // wanted))


def _wanted(speed: Speed) -> int:
    if speed.milliseconds > CHEAP_MS:
        return DEAR_CHUNK_FRAMES
    return STANDING_CHUNK_FRAMES if speed.stands_still else CHUNK_FRAMES


def _places() -> int | None:
    """How many chunks the stack renders at once, where it says so."""
    told = os.environ.get(PLACES_VARIABLE)
    return max(1, int(told)) if told else None
