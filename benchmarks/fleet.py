"""What a render costs in time and money by the number of its chunks: a fleet of workers, simulated.

`python -m benchmarks.fleet`. A chunk takes start + frames times cost; a worker that has rendered one is warm for the
next. What is drawn from distributions is seeded, so the same question has the same answer.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import Annotated

import typer

from lambda_handler.cost import DEFAULT_REGION, MB_IN_GB, Usage, cost, prices_for, transitions

RUNS = 200
# Slowest of a hundred against the middle: how unlike the workers of a fleet are.
SPREAD = 0.12


@dataclass(frozen=True)
class Fleet:
    """What is asked for. `ms_per_frame` in wall time of one worker; `cold_ms`, `warm_ms` from event to first frame;
    `warm`: the share of workers that have a browser from an earlier render."""

    frames: int
    ms_per_frame: float = 70.0
    concurrency: int = 100
    cold_ms: float = 6_000.0
    warm_ms: float = 900.0
    warm: float = 0.5
    memory_mb: int = 3_008
    plan_ms: float = 6_000.0
    assemble_ms: float = 2_000.0


@dataclass(frozen=True)
class Outcome:
    """Chunks of how many frames, seconds until the video is there on average and in the worst twentieth, USD."""

    chunks: int
    frames: int
    seconds: float
    slow_seconds: float
    usd: float


def simulate(fleet: Fleet, chunk_frames: int, runs: int = RUNS) -> Outcome:
    """The fleet with chunks of `chunk_frames` frames, `runs` times."""
    chunks = ceil(fleet.frames / chunk_frames)
    randomness = random.Random(chunk_frames)
    walls, prices = [], []
    for _ in range(runs):
        wall, busy = _once(fleet, chunk_frames, chunks, randomness)
        walls.append((fleet.plan_ms + wall + fleet.assemble_ms) / 1000)
        used = Usage(
            succeeded_ms=[fleet.plan_ms, *busy, fleet.assemble_ms],
            memory_mb=fleet.memory_mb,
            transitions=transitions(chunks),
        )
        prices.append(cost(used, prices_for(DEFAULT_REGION)).total)
    slow = sorted(walls)[int(0.95 * (runs - 1))]
    return Outcome(chunks, chunk_frames, fmean(walls), slow, fmean(prices))


def _once(fleet: Fleet, chunk_frames: int, chunks: int, randomness: random.Random) -> tuple[float, list[float]]:
    """Milliseconds until the last chunk is done, and those of each chunk."""
    workers = [(0.0, randomness.random() < fleet.warm) for _ in range(min(chunks, fleet.concurrency))]
    heapq.heapify(workers)
    busy, last = [], 0.0
    for index in range(chunks):
        free, is_warm = heapq.heappop(workers)
        frames = min(chunk_frames, fleet.frames - index * chunk_frames)
        drawn = frames * fleet.ms_per_frame * randomness.lognormvariate(0, SPREAD)
        spent = (fleet.warm_ms if is_warm else fleet.cold_ms) + drawn
        busy.append(spent)
        last = max(last, free + spent)
        heapq.heappush(workers, (free + spent, True))
    return last, busy


def best(outcomes: Sequence[Outcome], usd_per_second: float) -> Outcome:
    """The outcome that is worth most to whom a second of waiting is worth `usd_per_second`."""
    return min(outcomes, key=lambda each: each.usd + each.seconds * usd_per_second)


def main(
    frames: Annotated[int, typer.Option(help="Frames of the video.")] = 1800,
    ms_per_frame: Annotated[float, typer.Option(help="Wall milliseconds of a frame on one worker.")] = 70.0,
    concurrency: Annotated[int, typer.Option(help="Workers at once, at most.")] = 100,
    warm: Annotated[float, typer.Option(help="Share of workers with a warm browser, 0 to 1.")] = 0.5,
    usd_per_second: Annotated[float, typer.Option(help="What a second of waiting is worth.")] = 0.0005,
) -> None:
    """Print what a render takes and costs for chunks of several lengths, and name the best."""
    fleet = Fleet(frames, ms_per_frame, concurrency, warm=warm)
    outcomes = [simulate(fleet, length) for length in (10, 20, 40, 80, 120, 160, 240, 480) if length <= frames]
    typer.echo("| frames a chunk | chunks | s | s, slowest 5 % | USD |\n|---|---|---|---|---|")
    for each in outcomes:
        told = f"{each.seconds:.1f} | {each.slow_seconds:.1f} | {each.usd:.4f}"
        typer.echo(f"| {each.frames} | {each.chunks} | {told} |")
    chosen = best(outcomes, usd_per_second)
    typer.echo(f"\nBest at {usd_per_second} USD a second, {fleet.memory_mb / MB_IN_GB:.1f} GB: {chosen.frames} frames.")


if __name__ == "__main__":
    typer.run(main)
