"""What a render costs on AWS: one function of what was used and a dated table of prices, before and after.

Nothing is measured here. `Usage` says what was used, and what a plan will use (usage.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

Architecture = Literal["x86_64", "arm64"]

FREE_STORAGE_MB = 512
MB_IN_GB = 1024
# Roughly, with six cores: a browser and a page; the list of the chunks and the first request for each.
CHUNK_START_MS = 2_000.0
ASSEMBLE_START_MS = 2_000.0
# A frame is encoded while the next one is drawn, whichever takes longer: x264, "veryfast", one thread, colours included
# (docs/performance.md). What other codecs take is not known before, and more.
ENCODE_MS_PER_MEGAPIXEL = 10.0
# Every frame is decoded once to verify its chunk, and copied once into the video.
VERIFY_MS_PER_FRAME = 3.0
COPY_MS_PER_FRAME = 0.5


@dataclass(frozen=True)
class Prices:
    """On-demand prices of one region, first tier, in USD, taxes and free tiers aside."""

    region: str
    as_of: str
    gb_second: Mapping[Architecture, float]
    request: float
    storage_gb_second: float
    transition: float


SOURCE = "aws.amazon.com/lambda/pricing, aws.amazon.com/step-functions/pricing"
PRICES = {
    "us-east-1": Prices(
        region="us-east-1",
        as_of="2026-11-25",
        gb_second={"x86_64": 0.0000166667, "arm64": 0.0000133334},
        request=0.20 / 1_000_000,
        storage_gb_second=0.0000000309,
        transition=0.025 / 1_000,
    )
}
DEFAULT_REGION = "us-east-1"

LEFT_OUT = (
    "S3 storage and requests",
    "data transfer",
    "CloudWatch logs and alarms, X-Ray",
    "the INIT phase of cold starts",
    "what a killed worker did after it last told, at most 5 s before",
    "state transitions of throttled invocations and of redrives",
    "free tiers, savings plans and taxes",
)


@dataclass(frozen=True)
class Usage:
    """Milliseconds of each invocation that succeeded and of each that failed, on what, and how many state entries."""

    succeeded_ms: Sequence[float]
    failed_ms: Sequence[float] = field(default=())
    memory_mb: int = 10_240
    architecture: Architecture = "x86_64"
    storage_mb: int = FREE_STORAGE_MB
    transitions: int = 0


@dataclass(frozen=True)
class Cost:
    """USD. `failed_attempts` is the part of `total` that bought nothing."""

    duration: float
    requests: float
    storage: float
    transitions: float
    failed_attempts: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.duration + self.requests + self.storage + self.transitions


def cost(usage: Usage, prices: Prices) -> Cost:
    """What AWS bills for `usage`: every invocation rounded up to a whole millisecond, failed ones like the others."""
    succeeded, failed = (sum(ceil(ms) for ms in each) / 1000 for each in (usage.succeeded_ms, usage.failed_ms))
    per_second = usage.memory_mb / MB_IN_GB * prices.gb_second[usage.architecture]
    scratch_gb = max(0, usage.storage_mb - FREE_STORAGE_MB) / MB_IN_GB
    storage_per_second = scratch_gb * prices.storage_gb_second
    wasted = len(usage.failed_ms) * (prices.request + prices.transition * bool(usage.transitions))
    return Cost(
        duration=(succeeded + failed) * per_second,
        requests=(len(usage.succeeded_ms) + len(usage.failed_ms)) * prices.request,
        storage=(succeeded + failed) * storage_per_second,
        transitions=usage.transitions * prices.transition,
        failed_attempts=failed * (per_second + storage_per_second) + wasted,
    )


def transitions(invocations: int, executions: int = 1) -> int:
    """States that `executions` executions enter with so many invocations, retries included: one for each of these.

    And CheckRequest, AskForPlan, ChooseMap and the map of each execution (infra/state_machine.py).
    """
    return invocations + 4 * max(1, executions)


def expected_ms(
    chunk_frames: Sequence[int], ms_per_frame: float, megapixels: float, plan_ms: float
) -> tuple[float, ...]:
    """Milliseconds of each invocation that a plan leads to: its own, one for each chunk, and assemble's.

    A frame is drawn in `ms_per_frame` and has so many `megapixels`.
    """
    frames = sum(chunk_frames)
    busy = max(ms_per_frame, ENCODE_MS_PER_MEGAPIXEL * megapixels) + VERIFY_MS_PER_FRAME
    chunks = (CHUNK_START_MS + count * busy for count in chunk_frames)
    return (plan_ms, *chunks, ASSEMBLE_START_MS + frames * COPY_MS_PER_FRAME)


def prices_for(region: str) -> Prices:
    """The region's prices; where the table has none, those of us-east-1, and they say so."""
    return PRICES.get(region, PRICES[DEFAULT_REGION])


def told(actual: Cost, estimate: Cost, usage: Usage, prices: Prices) -> dict[str, Any]:
    """What the report says about it, USD to six places."""
    return {
        "usd": round(actual.total, 6),
        "estimatedUsd": round(estimate.total, 6),
        "durationUsd": round(actual.duration, 6),
        "requestsUsd": round(actual.requests, 6),
        "storageUsd": round(actual.storage, 6),
        "transitionsUsd": round(actual.transitions, 6),
        "failedAttemptsUsd": round(actual.failed_attempts, 6),
        "attempts": len(usage.succeeded_ms) + len(usage.failed_ms),
        "failedAttempts": len(usage.failed_ms),
        "billedSeconds": sum(ceil(ms) for ms in (*usage.succeeded_ms, *usage.failed_ms)) / 1000,
        "transitions": usage.transitions,
        "memoryMb": usage.memory_mb,
        "architecture": usage.architecture,
        "storageMb": usage.storage_mb,
        "pricesOf": prices.region,
        "pricesAsOf": prices.as_of,
        "source": SOURCE,
        "leavesOut": list(LEFT_OUT),
    }
