"""What each invocation used, left beside its progress in the render folder, so that assemble can say what it cost.

Only in Lambda, whose environment tells how much memory is paid for. A chunk's heartbeat writes how long its attempt
has taken so far: an attempt that is killed has left that.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lambda_handler import cost, memory, storage
from lambda_handler.errors import WorkerLost
from lambda_handler.events import AssembleEvent, PlanEvent, RenderChunkEvent
from lambda_handler.manifest import Manifest
from lambda_handler.render_folder import RenderFolder

STORAGE_VARIABLE = "HYPERFRAMES_EPHEMERAL_MB"
READS_AT_ONCE = 16
_RUNNING = "running"


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


def earlier_attempts(uri: str) -> list[dict[str, Any]]:
    """The attempts that the progress object at `uri` knows; one that never ended was killed."""
    return [
        {"ms": each["ms"], "error": WorkerLost.code} if each.get(_RUNNING) else each
        for each in _read(uri).get("attempts", ())
    ]


def running(since: float) -> dict[str, Any]:
    """The attempt that began at `since` (time.monotonic), as it stands."""
    return {"ms": _ms(since), _RUNNING: True}


def ended(asked: PlanEvent | RenderChunkEvent | AssembleEvent, since: float, error: str | None) -> None:
    """Leaves how long the invocation took that began at `since` (time.monotonic), and its error's code, if any."""
    if function() is None:
        return
    uri = _place(asked)
    told = _read(uri)
    attempts = list(told.get("attempts", ()))
    began = time.time() - (time.monotonic() - since)
    if attempts and attempts[-1].get(_RUNNING) and told.get("writtenAt", 0.0) >= began:
        attempts.pop()  # what the heartbeat left of this one
    attempts.append({"ms": _ms(since)} | ({"error": error} if error else {}))
    storage.write(uri, json.dumps({**told, "attempts": attempts}).encode())


def report(folder: RenderFolder, manifest: Manifest, since: float, execution: str | None) -> dict[str, Any] | None:
    """What all attempts in the folder cost, with assemble's own, which began at `since`; None outside Lambda."""
    where = function()
    if where is None:
        return None
    of = ("plan", *range(len(manifest.chunks)), "assemble")
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        left = list(pool.map(earlier_attempts, map(folder.progress, of)))
    attempts = [attempt for each in left for attempt in each] + [{"ms": _ms(since)}]
    failed = [attempt["ms"] for attempt in attempts if "error" in attempt]
    retries = max(0, len(attempts) - 2 - len(manifest.chunks))
    used = cost.Usage(
        succeeded_ms=[attempt["ms"] for attempt in attempts if "error" not in attempt],
        failed_ms=failed,
        transitions=cost.transitions(len(manifest.chunks), retries) if execution else 0,
        memory_mb=where.memory_mb,
        architecture=where.architecture,
        storage_mb=where.storage_mb,
    )
    prices = cost.prices_for(where.region)
    planned = estimate(manifest, max((attempt["ms"] for attempt in left[0]), default=0.0), where)
    return cost.told(cost.cost(used, prices), planned, used, prices)


def estimated_usd(manifest: Manifest, since: float) -> float | None:
    """What the render is going to cost, told by the plan that began at `since`; None outside Lambda."""
    where = function()
    return round(estimate(manifest, _ms(since), where).total, 6) if where else None


def estimate(manifest: Manifest, plan_ms: float, where: Lambda) -> cost.Cost:
    """What the render is going to cost by the plan's measurement of a frame, when nothing fails."""
    frames = [end - start for start, end in manifest.chunks]
    expected = cost.Usage(
        succeeded_ms=cost.expected_ms(frames, manifest.measured_ms_per_frame, plan_ms),
        memory_mb=where.memory_mb,
        architecture=where.architecture,
        storage_mb=where.storage_mb,
        transitions=cost.transitions(len(frames)),
    )
    return cost.cost(expected, cost.prices_for(where.region))


def _place(asked: PlanEvent | RenderChunkEvent | AssembleEvent) -> str:
    match asked:
        case PlanEvent():
            return RenderFolder(asked.plan_output_s3_prefix).progress("plan")
        case RenderChunkEvent():
            return RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri).progress(asked.chunk_index)
        case AssembleEvent():
            return RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri).progress("assemble")


def _read(uri: str) -> Mapping[str, Any]:
    try:
        told: dict[str, Any] = json.loads(storage.read(uri))
    except (FileNotFoundError, ValueError):
        return {}
    return told


def _ms(since: float) -> float:
    return round((time.monotonic() - since) * 1000, 1)
