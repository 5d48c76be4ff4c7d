"""What a render used in Lambda, and is going to use: its invocations, on what function, at which prices."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import Any

from lambda_handler import attempts, cost, memory
from lambda_handler.manifest import Manifest
from lambda_handler.render_folder import RenderFolder

STORAGE_VARIABLE = "HYPERFRAMES_EPHEMERAL_MB"


@dataclass(frozen=True)
class Lambda:
    """The function that this process runs in: MB of memory and of /tmp, its region and architecture."""

    memory_mb: int
    storage_mb: int
    region: str
    architecture: cost.Architecture


def function() -> Lambda | None:
    """None outside Lambda."""
    size = os.environ.get(memory.LIMIT_VARIABLE)
    if size is None:
        return None
    return Lambda(
        memory_mb=int(size),
        storage_mb=int(os.environ.get(STORAGE_VARIABLE, cost.FREE_STORAGE_MB)),
        region=os.environ.get("AWS_REGION", cost.DEFAULT_REGION),
        architecture="arm64" if platform.machine() == "aarch64" else "x86_64",
    )


def report(
    folder: RenderFolder, manifest: Manifest, since: float, execution: str | None, record: str | None
) -> dict[str, Any] | None:
    """What all attempts at the plan cost, with assemble's own, which began at `since` and whose record has that name.

    None outside Lambda.
    """
    where = function()
    if where is None:
        return None
    plans, others = attempts.of_plan(folder, manifest, but=record)
    every = [*plans, *others]
    executions = sum(attempt.error is None for attempt in plans)
    used = cost.Usage(
        succeeded_ms=[*(attempt.ms for attempt in every if attempt.error is None), _ms(since)],
        failed_ms=[attempt.ms for attempt in every if attempt.error is not None],
        transitions=cost.transitions(len(every) + 1, executions) if execution else 0,
        memory_mb=where.memory_mb,
        architecture=where.architecture,
        storage_mb=where.storage_mb,
    )
    prices = cost.prices_for(where.region)
    planned = estimate(manifest, max((attempt.ms for attempt in plans), default=0.0), where)
    return cost.told(cost.cost(used, prices), planned, used, prices)


def estimated_usd(manifest: Manifest, since: float) -> float | None:
    """What the render is going to cost, told by the plan that began at `since`; None outside Lambda."""
    where = function()
    return round(estimate(manifest, _ms(since), where).total, 6) if where else None


def estimate(manifest: Manifest, plan_ms: float, where: Lambda) -> cost.Cost:
    """What the render is going to cost by the plan's measurement of a frame, when nothing fails."""
    frames = [end - start for start, end in manifest.chunks]
    megapixels = manifest.width * manifest.height / 1_000_000
    expected = cost.Usage(
        succeeded_ms=cost.expected_ms(frames, manifest.measured_ms_per_frame, megapixels, plan_ms),
        memory_mb=where.memory_mb,
        architecture=where.architecture,
        storage_mb=where.storage_mb,
        transitions=cost.transitions(2 + len(frames)),
    )
    return cost.cost(expected, cost.prices_for(where.region))


def _ms(since: float) -> float:
    return round((time.monotonic() - since) * 1000, 1)
