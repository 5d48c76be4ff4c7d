"""The state machine as it is deployed, run by an interpreter: what it asks for, what it tries again, where it stops."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rendering import Render, pixels
from simulated import REQUEST, Asked, Roles, coded
from step_functions import Execution, definition, execute, throttled, waited

from infra import state_machine
from infra.state_machine import FILE, INLINE_CHUNKS, TRANSIENT, retries
from lambda_handler.cost import transitions
from lambda_handler.errors import ERRORS, Retry
from lambda_handler.events import PLACES_VARIABLE, AssembleEvent, PlanEvent, RenderChunkEvent
from lambda_handler.handler import handler
from lambda_handler.storage import local_path

HISTORY_LIMIT = 25_000
PAYLOAD_LIMIT = 256 * 1024
NEVER = [code for code, error in ERRORS.items() if error.retry is Retry.NEVER]
AGAIN = [code for code, error in ERRORS.items() if error.retry is Retry.TRANSIENT]
WAITING = [code for code, error in ERRORS.items() if error.retry is Retry.THROTTLED]


def _failing(code: str, *, times: int = 1_000_000, chunk: int | None = 1, action: str = "renderChunk") -> Any:
    """Fails one chunk, or one role, the first `times` times."""

    def before(event: Asked, attempt: int) -> None:
        if event.action == action and getattr(event, "chunk_index", None) == chunk and attempt <= times:
            raise coded(code)

    return before


def _linted(machine: dict[str, Any], folder: Path) -> str:
    file = folder / "machine.asl.json"
    file.write_text(json.dumps(machine))
    command = [sys.executable, "-m", "statelint", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stdout.strip()), done.stdout + done.stderr
    return done.stdout


def test_the_committed_file_is_what_the_generator_writes() -> None:
    """Edit infra/state_machine.py, then run make generated."""
    assert FILE.read_text() == state_machine.text()


def test_statelint_finds_nothing(tmp_path: Path) -> None:
    """It sees what cfn-lint and sam validate do not look at."""
    assert _linted(definition(), tmp_path) == ""


def test_statelint_would_find_a_state_that_is_not_there(tmp_path: Path) -> None:
    """An interpreter only finds it when it gets there."""
    machine = definition()
    machine["States"]["Plan"]["Next"] = "ChoseMap"
    assert "ChoseMap" in _linted(machine, tmp_path)


def test_every_task_decides_retries_by_the_error_table() -> None:
    """Each code stands in exactly one of three rules, those that are never tried again first."""
    machine = definition()
    states = machine["States"]
    inner = [
        next(iter(states[name]["ItemProcessor"]["States"].values())) for name in ("RenderChunks", "RenderManyChunks")
    ]
    for task in (states["Plan"], *inner, states["Assemble"]):
        never, waiting, again = task["Retry"]
        assert (never["ErrorEquals"], never["MaxAttempts"]) == (NEVER, 0)
        assert set(waiting["ErrorEquals"]) & set(ERRORS) == set(WAITING)
        assert set(again["ErrorEquals"]) & set(ERRORS) == set(AGAIN)
        assert {"States.TaskFailed", "States.Timeout"} <= set(again["ErrorEquals"])
        assert "Lambda.TooManyRequestsException" in waiting["ErrorEquals"]
        assert waiting["JitterStrategy"] == again["JitterStrategy"] == "FULL"


def test_nothing_is_caught() -> None:
    """A failed execution stays where it failed, so that redriving goes on from there."""
    assert "Catch" not in FILE.read_text()


def test_the_references_input_starts_it_unchanged() -> None:
    """Plan, every chunk, assemble; the result says where the video is."""
    roles = Roles(chunks=3)
    execution = execute(REQUEST, roles)
    assert execution.status == "SUCCEEDED"
    assert execution.output["Output"] == {
        "OutputS3Uri": REQUEST["OutputS3Uri"],
        "FramesEncoded": 720,
        "FileSize": 123_456_789,
        "DurationMs": 3456,
    }
    plan, *chunks, assemble = roles.events
    assert isinstance(plan, PlanEvent)
    assert (plan.project_s3_uri, plan.output_s3_uri) == (REQUEST["ProjectS3Uri"], REQUEST["OutputS3Uri"])
    assert (plan.config.chunk_size, plan.config.fps, plan.config.runtime_cap) == (240, "30", "lambda")
    assert sorted(chunk.chunk_index for chunk in chunks if isinstance(chunk, RenderChunkEvent)) == [0, 1, 2]
    assert isinstance(assemble, AssembleEvent)
    assert (assemble.output_s3_uri, assemble.chunk_s3_uris) == (REQUEST["OutputS3Uri"], None)
    assert assemble.plan_hash == "ab" * 32
    assert (assemble.execution_arn or "").startswith("arn:aws:states:us-east-1:123456789012:execution:render-")


@pytest.mark.parametrize("change", [{"PlanProtocol": "v2"}, {"PlanProtocol": None}, {"Config": None}])
def test_what_may_be_left_out_or_named_is_accepted(change: dict[str, Any]) -> None:
    """The plan's protocol by name; no Config at all."""
    request = {**REQUEST, **change}
    if change == {"Config": None}:
        del request["Config"]
    assert execute(request, Roles(chunks=1)).status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"OutputUri": "s3://b/x"}, "InvalidConfigError", "OutputUri: unknown field"),
        ({"PlanProtocol": "v1"}, "PLAN_PROTOCOL_UNSUPPORTED", "'v1'"),
        ({"OutputS3Uri": None}, "InvalidConfigError", "OutputS3Uri"),
        ({"Config": {"format": "avi"}}, "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED", "format"),
    ],
)
def test_a_wrong_request_fails_before_anything_is_rendered(change: dict[str, Any], code: str, told: str) -> None:
    """With its code, and the field by name."""
    request = {name: value for name, value in {**REQUEST, **change}.items() if value is not None}

    def refusing(event: Any) -> Any:
        try:
            return roles(event)
        except Exception as error:
            raise type(getattr(error, "code", "BUG"), (RuntimeError,), {})(str(error)) from error

    roles = Roles(chunks=3)
    execution = execute(request, refusing)
    assert (execution.status, execution.error) == ("FAILED", code)
    assert told in (execution.cause or "")
    assert roles.events == []


def test_a_plan_without_chunks_fails_at_once() -> None:
    """A map over nothing would assemble nothing."""
    roles = Roles(chunks=0)
    execution = execute(REQUEST, roles)
    assert (execution.status, execution.error) == ("FAILED", "DISTRIBUTED_DURATION_OUT_OF_RANGE")
    assert len(roles.events) == 1


@pytest.mark.parametrize("code", NEVER)
def test_an_error_that_cannot_mend_itself_fails_the_execution_at_once_by_its_name(code: str) -> None:
    """One attempt, no wait, and the cause says what to do next."""
    roles = Roles(chunks=2, before=_failing(code))
    execution = execute(REQUEST, roles)
    assert (execution.status, execution.error) == ("FAILED", code)
    assert roles.attempts("renderChunk", 1) == 1
    assert roles.attempts("assemble") == 0
    assert "Mend it." in (execution.cause or "")


@pytest.mark.parametrize("action", ["plan", "assemble"])
def test_the_other_roles_fail_by_name_as_well(action: str) -> None:
    """The same rules for every task."""
    roles = Roles(chunks=2, before=_failing("PLAN_HASH_MISMATCH", chunk=None, action=action))
    assert execute(REQUEST, roles).error == "PLAN_HASH_MISMATCH"
    assert roles.attempts(action) == 1


@pytest.mark.parametrize(
    "name", [*AGAIN, "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown"]
)
def test_a_chunk_that_fails_twice_and_then_succeeds_does_not_fail_the_render(name: str) -> None:
    """By its code, or because the worker was killed: by its time limit, by a crash, for its memory."""
    roles = Roles(chunks=2, before=_failing(name, times=2))
    execution = execute(REQUEST, roles)
    assert execution.status == "SUCCEEDED", execution.cause
    assert (roles.attempts("renderChunk", 0), roles.attempts("renderChunk", 1)) == (1, 3)


def test_what_keeps_failing_ends_by_its_name() -> None:
    """After four more attempts."""
    roles = Roles(chunks=2, before=_failing("BROWSER_FAILED"))
    execution = execute(REQUEST, roles)
    assert (execution.status, execution.error) == ("FAILED", "BROWSER_FAILED")
    assert roles.attempts("renderChunk", 1) == 1 + TRANSIENT["MaxAttempts"]


@pytest.mark.parametrize("by", ["lambda", "handler"])
def test_a_minute_of_throttling_does_not_fail_the_render(by: str) -> None:
    """Every role is throttled until its retries have waited for 60 s, and a chunk fails twice besides."""
    began: dict[str, float] = {}

    def before(event: Asked, attempt: int) -> None:
        which = f"{event.action} {getattr(event, 'chunk_index', '')}"
        if waited() - began.setdefault(which, waited()) < 60:
            raise throttled() if by == "lambda" else coded("THROTTLED")
        if which == "renderChunk 0" and len(lost) < 2:
            lost.append(attempt)
            raise coded("WORKER_LOST")

    lost: list[int] = []
    roles = Roles(chunks=1, before=before)
    execution = execute(REQUEST, roles)
    assert execution.status == "SUCCEEDED", execution.cause
    # 5 s, then 10, 20, 40, …, each shortened by chance: two attempts at the very least.
    assert min(roles.attempts("plan"), roles.attempts("renderChunk", 0), roles.attempts("assemble")) > 2
    assert len(lost) == 2


def test_throttled_chunks_are_waited_for_longer_than_a_chunk_may_take() -> None:
    """On average two hours and more: half of each longest wait, since the jitter is full."""
    _, waiting, _ = retries()
    delays = [
        min(waiting["MaxDelaySeconds"], waiting["IntervalSeconds"] * waiting["BackoffRate"] ** attempt)
        for attempt in range(waiting["MaxAttempts"])
    ]
    assert sum(delays) / 2 > 2 * 3600


def test_no_more_chunks_run_at_once_than_the_plan_allows() -> None:
    """As many as the function reserves, however many chunks there are."""
    met = threading.Barrier(3)

    def before(event: Asked, _attempt: int) -> None:
        if isinstance(event, RenderChunkEvent):
            met.wait(30)  # three at a time have to be there

    roles = Roles(chunks=12, parallel=3, before=before)
    assert execute(REQUEST, roles).status == "SUCCEEDED"
    assert roles.peak == 3


def _map_of(execution: Execution) -> str:
    return "many" if execution.entered("RenderManyChunks") else "few" if execution.entered("RenderChunks") else "none"


@pytest.mark.parametrize(
    ("chunks", "parallel", "which"),
    [(1, 1, "few"), (INLINE_CHUNKS, INLINE_CHUNKS, "few"), (INLINE_CHUNKS + 1, 8, "many")],
)
def test_large_plans_go_to_the_distributed_map(chunks: int, parallel: int, which: str) -> None:
    """Those that have more chunks than an inline map runs at once, and than its history holds."""
    roles = Roles(chunks=chunks, parallel=parallel)
    execution = execute(REQUEST, roles)
    assert (execution.status, _map_of(execution)) == ("SUCCEEDED", which)
    assert all(roles.attempts("renderChunk", index) == 1 for index in range(chunks))


def test_a_chunks_result_has_less_than_300_bytes() -> None:
    """What a map may put out is 256 KiB for all of them."""
    execution = execute(REQUEST, Roles(chunks=1))
    assert len(json.dumps(execution.results[1], separators=(",", ":"))) < 300


def test_an_inline_map_has_room_for_every_retry() -> None:
    """The largest plan that runs inline, each of its chunks throttled and failing as often as it may."""
    few = len(execute(REQUEST, Roles(chunks=10)).history)
    largest = len(execute(REQUEST, Roles(chunks=INLINE_CHUNKS)).history)
    assert largest == 302
    assert (largest - few) / (INLINE_CHUNKS - 10) == 7
    retried = len(execute(REQUEST, Roles(chunks=10, before=_failing("WORKER_LOST", times=1))).history) - few
    assert retried == 3
    most = sum(rule["MaxAttempts"] for rule in retries())
    assert 22_000 < largest + INLINE_CHUNKS * most * retried < HISTORY_LIMIT


@pytest.mark.parametrize("chunks", [1, 7])
def test_the_cost_counts_the_states_that_are_entered(chunks: int) -> None:
    """One transition for each, one more for each retry: what Step Functions bills."""
    execution = execute(REQUEST, Roles(chunks=chunks))
    entered = sum(event["type"].endswith("StateEntered") for event in execution.history)
    assert entered == transitions(1 + chunks + 1)
    retried = execute(REQUEST, Roles(chunks=chunks, before=_failing("WORKER_LOST", times=2, chunk=0)))
    failed = sum(event["type"] == "TaskFailed" for event in retried.history)
    assert transitions(1 + chunks + 1 + failed) == entered + 2


@pytest.mark.parametrize(("chunks", "kilobytes"), [(300, 3), (2000, 16)])
def test_many_chunks_stay_far_below_the_limits(chunks: int, kilobytes: int) -> None:
    """The execution itself has two dozen events; its largest payload holds the chunks' indices."""
    roles = Roles(chunks=chunks, parallel=16)
    execution = execute(REQUEST, roles)
    assert (execution.status, _map_of(execution)) == ("SUCCEEDED", "many")
    assert sum(isinstance(event, RenderChunkEvent) for event in roles.events) == chunks
    assert len(execution.history) < 40
    assert execution.largest_payload < kilobytes * 1024
    # A distributed map may put out 256 KiB; its output is an array of what is kept of each chunk.
    (chunk,) = definition()["States"]["RenderManyChunks"]["ItemProcessor"]["States"].values()
    assert chunk["ResultSelector"] == {"ChunkIndex.$": "$.Payload.ChunkIndex"}
    assert len(json.dumps([{"ChunkIndex": index} for index in range(chunks)])) < PAYLOAD_LIMIT / 4


def test_a_second_execution_renders_only_what_is_missing(
    render: Callable[..., Render], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real handler: the first execution fails at its second chunk, the second one finds the first chunk."""
    monkeypatch.setenv(PLACES_VARIABLE, "1")
    made = render(fps=30, chunkSize=10)
    request = {
        "ProjectS3Uri": made.project,
        "PlanOutputS3Prefix": made.folder,
        "OutputS3Uri": made.output,
        "Config": made.config,
    }

    def full(event: Mapping[str, Any]) -> Mapping[str, Any]:
        if event.get("ChunkIndex") == 1:
            raise coded("STORAGE_FULL")
        return handler(event)

    first = execute(request, full)
    assert (first.status, first.error) == ("FAILED", "STORAGE_FULL")
    assert [name[:4] for name in made.chunk_names] == ["0000"]
    second = execute(request, handler)
    assert second.status == "SUCCEEDED", second.cause
    results = [result for result in second.results if "ChunkIndex" in result]
    assert {each["ChunkIndex"]: each["FramesCaptured"] for each in results} == {0: 0, 1: 10, 2: 10}
    assert len(set(pixels(local_path(made.output)))) == 30
    assert second.output["Output"]["FramesEncoded"] == 30
