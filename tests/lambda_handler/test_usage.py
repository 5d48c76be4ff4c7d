"""Usage: what every attempt took is left in the render folder, and assemble's report says what it cost."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rendering import Render

from lambda_handler import attempts, chunk, storage, usage
from lambda_handler.cost import PRICES, Usage, cost
from lambda_handler.errors import BrowserFailed, EncoderInterrupted
from lambda_handler.grid import FrameRange
from lambda_handler.handler import handler
from lambda_handler.manifest import Manifest
from lambda_handler.progress import ProgressReader
from lambda_handler.render_folder import RenderFolder


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment by which a Lambda function knows its size."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "10240")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv(usage.STORAGE_VARIABLE, "10240")


def _names(render: Render, group: str) -> list[str]:
    return sorted(storage.listing(f"{render.folder}/attempts/{group}"))


def _attempts(render: Render, of: int | str) -> list[dict[str, Any]]:
    """In the order in which they began."""
    group = "plan" if of == "plan" else render.planned["PlanHash"][:16]
    names = [name for name in _names(render, group) if of == "plan" or name.startswith(f"{of}-")]
    found = [json.loads(storage.read(f"{render.folder}/attempts/{group}/{name}")) for name in names]
    return sorted(found, key=lambda each: each["began"])


def _errors(render: Render, of: int | str) -> list[str | None]:
    return [attempt.get("error") for attempt in _attempts(render, of)]


def _report(render: Render) -> dict[str, Any]:
    handler(render.event("assemble", OutputS3Uri=render.output, ExecutionArn="arn:aws:states:x:execution:y:z"))
    found: dict[str, Any] = json.loads(storage.read(f"{render.folder}/report.json"))
    return found


def _found(_uri: str, video: Path, _manifest: Manifest, _which: FrameRange) -> bool:
    video.write_bytes(b"found")
    return True


def _failing(*_arguments: object) -> bool:
    raise BrowserFailed("It died.")


def test_every_attempt_is_left_in_the_folder(
    rendered: Render, in_lambda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that failed, and those that succeeded."""
    rendered.plan()
    monkeypatch.setattr(chunk, "_fetched_whole", _failing)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="It died"):
            rendered.chunk(1)
    monkeypatch.setattr(chunk, "_fetched_whole", _found)
    rendered.chunks()
    assert _errors(rendered, 0) == [None]
    assert _errors(rendered, 1) == ["BROWSER_FAILED", "BROWSER_FAILED", None]
    (plan,) = _attempts(rendered, "plan")
    assert plan["plan"] == [rendered.planned["PlanHash"], 3]


def test_a_worker_that_waits_for_something_tells_all_the_same_how_long_it_takes(
    rendered: Render, in_lambda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that little is lost when it is killed: a role that hangs draws no frames."""
    monkeypatch.setattr(attempts, "BEAT_SECONDS", 0.05)
    seen = []

    def hanging(*_arguments: object) -> None:
        for _ in range(2):
            time.sleep(0.4)
            seen.extend(_attempts(rendered, "assemble"))
        raise EncoderInterrupted("It was killed.")

    rendered.plan()
    monkeypatch.setattr("lambda_handler.assemble._made", hanging)
    with pytest.raises(RuntimeError):
        _report(rendered)
    first, second = seen
    assert first["running"]
    assert second["running"]
    assert 100 < first["ms"] < second["ms"] - 100
    (ended,) = _attempts(rendered, "assemble")
    assert ended["error"] == "ENCODER_INTERRUPTED"
    assert "running" not in ended


@dataclass
class Left:
    """Writes what invocations would have left in the folder, one a minute."""

    render: Render
    minutes: int = 0

    def __call__(self, of: int | str, ms: float, *, event: str = "e", under: str | None = None, **told: Any) -> None:
        self.minutes += 1
        group = "plan" if of == "plan" else (under or self.render.planned["PlanHash"])[:16]
        record = {"began": 60.0 * self.minutes, "ms": ms, **told}
        name = f"{event if of == 'plan' else of}-{self.minutes}.json"
        storage.write(f"{self.render.folder}/attempts/{group}/{name}", json.dumps(record).encode())


@pytest.fixture
def left(rendered: Render, in_lambda: None) -> Left:
    return Left(rendered)


def test_the_cost_is_that_of_the_attempts(rendered: Render, left: Left) -> None:
    """Plan 4 s, after an attempt that was killed at 1 s; chunks of 20 s, one after a failure of 5 s; an assembly that
    was killed at 3 s. Assemble's own time is added."""
    mine = [rendered.planned["PlanHash"], 3]
    left("plan", 1_000, running=True)
    left("plan", 4_000, plan=mine)
    for index in range(3):
        left(index, 20_000)
    left(1, 5_000, error="BROWSER_FAILED")
    left("assemble", 3_000, running=True)
    report = _report(rendered)
    said = report["cost"]
    assert (said["attempts"], said["failedAttempts"], said["transitions"]) == (8, 3, 6 + 3 + 3)
    own = said["billedSeconds"] - 73.0
    assert 0 < own < 30
    by_hand = cost(
        Usage([4_000, 20_000, 20_000, 20_000, own * 1000], [1_000, 5_000, 3_000], storage_mb=10_240, transitions=12),
        PRICES["us-east-1"],
    )
    assert said["usd"] == pytest.approx(by_hand.total, abs=2e-6)
    assert said["failedAttemptsUsd"] == pytest.approx(by_hand.failed_attempts, abs=2e-6)
    assert said["estimatedUsd"] > 0
    assert report["executionArn"].startswith("arn:aws:states:")
    assert _errors(rendered, "assemble") == [None, None]


def test_what_an_earlier_plan_took_is_not_billed_to_this_one(rendered: Render, left: Left) -> None:
    """Another project in the same folder, the same one cut otherwise, and what failed at another request."""
    mine, other = rendered.planned["PlanHash"], "0" * 64
    left("plan", 1_000, event="other", plan=[other, 2])
    left(0, 1_000, under=other)
    left("plan", 1_000, plan=[mine, 5])
    left(0, 1_000)
    left(4, 1_000)
    left("plan", 1_000, event="wrong", error="PAGE_SCRIPT_FAILED")
    left("plan", 10_000, error="BROWSER_FAILED")
    left("plan", 20_000, plan=[mine, 3])
    left(0, 30_000)
    left("plan", 100, plan=[mine, 3])
    said = _report(rendered)["cost"]
    assert (said["attempts"], said["failedAttempts"]) == (5, 1)
    assert said["transitions"] == 5 + 2 * 4, "the second execution found the plan"
    assert 60.1 < said["billedSeconds"] < 90


def test_the_plan_estimates_what_the_render_will_cost(planned: Render, in_lambda: None) -> None:
    """From the milliseconds that it measured for a frame."""
    told = planned.plan()["EstimatedCostUsd"]
    assert 0 < told < 0.05


def test_outside_lambda_nothing_is_reckoned(rendered: Render) -> None:
    """A machine of one's own has no bill; its folders hold what they held before."""
    assert _report(rendered)["cost"] is None
    assert rendered.planned["EstimatedCostUsd"] is None
    assert storage.listing(f"{rendered.folder}/attempts") == {}


def test_a_chunk_that_failed_before_its_first_frame_has_no_progress(planned: Render, in_lambda: None) -> None:
    """Its attempt is in the folder, and whoever watches the render goes on."""
    planned.plan()
    with pytest.raises(RuntimeError):
        planned.chunk(0, PlanHash="0" * 64)
    assert len(_names(planned, "0" * 16)) == 1
    assert ProgressReader(RenderFolder(planned.folder)).read() == {}


def test_a_folder_that_cannot_be_written_to_keeps_its_own_error(planned: Render, in_lambda: None) -> None:
    """Bookkeeping never hides what went wrong."""
    with pytest.raises(RuntimeError) as caught:
        planned.chunk(0, PlanV2ManifestS3Uri="file:///elsewhere/plan/manifest.json")
    assert type(caught.value).__name__ == "S3_URI_NOT_ALLOWED"
