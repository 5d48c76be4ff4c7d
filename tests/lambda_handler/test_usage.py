"""Usage: what every attempt took is left in the render folder, and assemble's report says what it cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rendering import Render

from lambda_handler import chunk, storage, usage
from lambda_handler.cost import PRICES, Usage, cost
from lambda_handler.errors import BrowserFailed
from lambda_handler.grid import FrameRange
from lambda_handler.handler import handler
from lambda_handler.manifest import Manifest
from lambda_handler.progress import read_progress
from lambda_handler.render_folder import RenderFolder


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment by which a Lambda function knows its size."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "10240")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv(usage.STORAGE_VARIABLE, "10240")


def _attempts(render: Render, of: int | str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(storage.read(f"{render.folder}/progress/{of}.json"))["attempts"]
    return found


def _report(render: Render) -> dict[str, Any]:
    handler(render.event("assemble", OutputS3Uri=render.output, ExecutionArn="arn:aws:states:x:execution:y:z"))
    found: dict[str, Any] = json.loads(storage.read(f"{render.folder}/report.json"))
    return found


def _found(_uri: str, video: Path, _manifest: Manifest, _which: FrameRange) -> bool:
    video.write_bytes(b"found")
    return True


def test_every_attempt_is_left_in_the_folder(
    rendered: Render, in_lambda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that failed, one that was killed, and those that succeeded."""

    def failing(*_arguments: object) -> bool:
        raise BrowserFailed("It died.")

    rendered.plan()
    monkeypatch.setattr(chunk, "_fetched_whole", failing)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="It died"):
            rendered.chunk(1)
    monkeypatch.setattr(chunk, "_fetched_whole", _found)
    killed = {"framesDone": 4, "framesTotal": 10, "writtenAt": 1.0, "attempts": [{"ms": 4321.0, "running": True}]}
    storage.write(f"{rendered.folder}/progress/2.json", json.dumps(killed).encode())
    rendered.chunks()
    assert [attempt.get("error") for attempt in _attempts(rendered, 0)] == [None]
    assert [attempt.get("error") for attempt in _attempts(rendered, 1)] == ["BROWSER_FAILED", "BROWSER_FAILED", None]
    assert [attempt.get("error") for attempt in _attempts(rendered, 2)] == ["WORKER_LOST", None]
    assert _attempts(rendered, 2)[0]["ms"] == 4321.0
    assert [attempt.get("error") for attempt in _attempts(rendered, "plan")] == [None]


def test_the_cost_is_that_of_the_attempts(rendered: Render, in_lambda: None) -> None:
    """Plan 4 s, chunks of 20 s, one after a failure of 5 s; assemble's own time is added."""
    for of, attempts in {
        "plan": [{"ms": 4_000.0}],
        0: [{"ms": 20_000.0}],
        1: [{"ms": 5_000.0, "error": "BROWSER_FAILED"}, {"ms": 20_000.0}],
        2: [{"ms": 20_000.0}],
    }.items():
        storage.write(f"{rendered.folder}/progress/{of}.json", json.dumps({"attempts": attempts}).encode())
    report = _report(rendered)
    said = report["cost"]
    assert (said["attempts"], said["failedAttempts"], said["transitions"]) == (6, 1, 6 + 3 + 1)
    own = said["billedSeconds"] - 69.0
    assert 0 < own < 30
    by_hand = cost(
        Usage([4_000, 20_000, 20_000, 20_000, own * 1000], [5_000], storage_mb=10_240, transitions=10),
        PRICES["us-east-1"],
    )
    assert said["usd"] == pytest.approx(by_hand.total, abs=2e-6)
    assert said["failedAttemptsUsd"] == pytest.approx(by_hand.failed_attempts, abs=2e-6)
    assert said["estimatedUsd"] > 0
    assert report["executionArn"].startswith("arn:aws:states:")
    assert [attempt.get("error") for attempt in _attempts(rendered, "assemble")] == [None]


def test_the_plan_estimates_what_the_render_will_cost(planned: Render, in_lambda: None) -> None:
    """From the milliseconds that it measured for a frame."""
    told = planned.plan()["EstimatedCostUsd"]
    assert 0 < told < 0.05


def test_outside_lambda_nothing_is_reckoned(rendered: Render) -> None:
    """A machine of one's own has no bill; its folders hold what they held before."""
    assert _report(rendered)["cost"] is None
    assert rendered.planned["EstimatedCostUsd"] is None
    assert "attempts" not in json.loads(storage.read(f"{rendered.folder}/progress/0.json"))
    assert not storage.exists(f"{rendered.folder}/progress/plan.json")


def test_a_chunk_that_failed_before_its_first_frame_has_no_progress(planned: Render, in_lambda: None) -> None:
    """Its attempt is in the folder, and whoever watches the render goes on."""
    planned.plan()
    with pytest.raises(RuntimeError):
        planned.chunk(0, PlanHash="0" * 64)
    assert "attempts" in json.loads(storage.read(f"{planned.folder}/progress/0.json"))
    assert read_progress(RenderFolder(planned.folder)) == {}


def test_a_folder_that_cannot_be_written_to_keeps_its_own_error(planned: Render, in_lambda: None) -> None:
    """Bookkeeping never hides what went wrong."""
    with pytest.raises(RuntimeError) as caught:
        planned.chunk(0, PlanV2ManifestS3Uri="file:///elsewhere/plan/manifest.json")
    assert type(caught.value).__name__ == "S3_URI_NOT_ALLOWED"


def test_an_attempt_that_runs_is_told_with_every_beat(planned: Render, in_lambda: None) -> None:
    """So that nothing is lost when it is killed; when it ends by itself, it is there once."""
    planned.chunk(0)
    (attempt,) = _attempts(planned, 0)
    assert attempt.keys() == {"ms"}
    assert attempt["ms"] > 100
