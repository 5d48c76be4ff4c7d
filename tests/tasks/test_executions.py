"""The state machine as a job: started once, followed, stopped, and what its failure is called."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from lambda_endpoint import refused
from moto.core.config import default_user_config
from prefect_aws import AwsCredentials
from pydantic import SecretStr
from simulated import REQUEST, Asked, Roles, coded
from step_functions import definition, function, throttled

from lambda_handler.errors import (
    FontFetchFailed,
    RenderCancelled,
    RenderDeadline,
    RenderError,
    StackInvalid,
    Throttled,
    WorkerLost,
)
from lambda_handler.events import RenderChunkEvent
from tasks.lambda_answer import execution_error
from tasks.state_machine import StateMachine, StateMachineExecution, execution_arn


@contextmanager
def _machine(endpoint: str, roles: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Iterator[StateMachine]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with pytest.MonkeyPatch.context() as patch, function(roles):
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        key = f"K{uuid4().hex}"
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=key, region_name="us-east-1")
        made = session.client("stepfunctions").create_state_machine(
            name=f"render-{uuid4()}", definition=json.dumps(definition()), roleArn="arn:aws:iam::123456789012:role/r"
        )
        credentials = AwsCredentials(
            aws_access_key_id=key, aws_secret_access_key=SecretStr("-"), region_name="us-east-1"
        )
        yield StateMachine(arn=made["stateMachineArn"], credentials=credentials, poll_seconds=0.05)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the execution has told to the log."""
    caplog.set_level(logging.INFO, logger="prefect.StateMachineExecution")
    logging.getLogger("prefect").propagate = True
    return lambda: [record.getMessage() for record in caplog.records if record.name.endswith("StateMachineExecution")]


def _holding(release: threading.Event, action: str = "renderChunk") -> Callable[[Asked, int], None]:
    def before(event: Asked, _attempt: int) -> None:
        if event.action == action:
            release.wait(30)

    return before


def test_an_execution_is_followed_to_its_result(s3_endpoint: str, told: Callable[[], list[str]]) -> None:
    """Each state by its name, each chunk by its number; whoever waits may look meanwhile."""
    looked = threading.Event()
    with _machine(s3_endpoint, Roles(chunks=2, before=_holding(looked))) as machine:
        execution = machine.trigger(REQUEST)
        execution.wait_for_completion(looked.set)
        assert execution.fetch_result()["Output"]["OutputS3Uri"] == REQUEST["OutputS3Uri"]
    lines = told()
    assert sorted(lines[7:9]) == [f"Iteration {index} of RenderChunks has succeeded" for index in range(2)]
    assert [*lines[:7], *lines[9:]] == [
        "ExecutionStarted", "CheckRequest has begun", "AskForPlan has begun", "Plan has begun", "ChooseMap has begun",
        "RenderChunks has begun", "A map over 2 items has begun", "Assemble has begun", "ExecutionSucceeded",
    ]  # fmt: skip
    assert looked.is_set()
    assert execution.console_url.startswith(
        "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/"
    )


def test_the_same_name_finds_the_execution_that_is_there(s3_endpoint: str) -> None:
    """While it runs and when it is over, whatever is asked for: nothing is started twice."""
    release = threading.Event()
    roles = Roles(chunks=1, before=_holding(release))
    with _machine(s3_endpoint, roles) as machine:
        first = machine.trigger(REQUEST, "render-one")
        running = machine.running("render-one")
        assert running is not None
        assert running.arn == first.arn
        assert machine.running("render-two") is None
        release.set()
        first.wait_for_completion()
        again = machine.trigger({**REQUEST, "Config": {"fps": 60}}, "render-one")
        assert again.arn == first.arn == execution_arn(machine.arn, "render-one")
        assert machine.running("render-one") is None
    assert roles.attempts("plan") == 1


def test_stopping_an_execution_ends_it_as_cancelled(s3_endpoint: str) -> None:
    """Whoever stopped it."""
    release = threading.Event()
    # moto's interpreter does not survive being stopped within a map.
    roles = Roles(chunks=1, before=_holding(release, "plan"))
    with _machine(s3_endpoint, roles) as machine:
        execution = machine.trigger(REQUEST)
        while not roles.attempts("plan"):
            time.sleep(0.01)
        execution.stop("Somebody changed their mind.")
        release.set()
        execution.wait_for_completion()
        with pytest.raises(RenderCancelled, match="was stopped"):
            execution.fetch_result()


def test_a_failed_execution_is_the_error_of_its_chunk(s3_endpoint: str) -> None:
    """With what to do next, and which chunk it was."""

    def before(event: Asked, _attempt: int) -> None:
        if isinstance(event, RenderChunkEvent) and event.chunk_index == 1:
            raise coded("FONT_FETCH_FAILED")

    with _machine(s3_endpoint, Roles(chunks=3, before=before)) as machine:
        execution = machine.trigger(REQUEST)
        execution.wait_for_completion()
        with pytest.raises(FontFetchFailed, match=r"It broke\. \(iteration 1 of RenderChunks\)") as caught:
            execution.fetch_result()
    assert caught.value.resolution == "Mend it."


def test_a_distributed_map_is_told_by_counts(s3_endpoint: str, told: Callable[[], list[str]]) -> None:
    """Its chunks are executions of their own, not in this one's history."""
    with _machine(s3_endpoint, Roles(chunks=60, parallel=50)) as machine:
        execution = machine.trigger(REQUEST)
        execution.wait_for_completion()
    assert "Of 60 chunks: 60 succeeded" in told()


ARN = "arn:aws:states:us-east-1:123456789012:execution:render:one"


class _Api:
    """Step Functions' answers, by operation."""

    def __init__(self, **answers: Callable[..., Mapping[str, Any]]) -> None:
        self._answers = answers

    def call(self, operation: str, **asked: Any) -> Mapping[str, Any]:
        return self._answers[operation](**asked)


def _execution(api: _Api) -> StateMachineExecution:
    machine = StateMachine(arn="arn:aws:states:us-east-1:123456789012:stateMachine:render", poll_seconds=0.01)
    return StateMachineExecution(machine, ARN, api)  # type: ignore[arg-type]


def test_a_failed_distributed_map_is_the_error_of_its_chunk() -> None:
    """The map itself says only that too many have failed; moto's never does."""
    run = "arn:aws:states:us-east-1:123456789012:mapRun:render/RenderManyChunks:1"
    events = [
        {"id": 1, "type": "MapRunStarted", "mapRunStartedEventDetails": {"mapRunArn": run}},
        {
            "id": 2,
            "type": "MapRunFailed",
            "mapRunFailedEventDetails": {"error": "States.ExceedToleratedFailureThreshold"},
        },
    ]
    parent = {"status": "FAILED", "error": "States.ExceedToleratedFailureThreshold", "cause": "1 of 60 has failed"}
    child = {"error": "FONT_FETCH_FAILED", "cause": json.dumps({"errorMessage": "It broke.\nMend it."})}
    execution = _execution(
        _Api(
            describe_execution=lambda **asked: parent if asked["executionArn"] == ARN else child,
            get_execution_history=lambda **_asked: {"events": events},
            describe_map_run=lambda **_asked: {"itemCounts": {"total": 60, "succeeded": 59, "failed": 1}},
            list_executions=lambda **_asked: {"executions": [{"executionArn": f"{run}:child"}]},
        )
    )
    execution.wait_for_completion()
    with pytest.raises(FontFetchFailed, match=r"It broke\."):
        execution.fetch_result()


def test_an_execution_that_took_too_long_names_the_limit() -> None:
    """The machine's own, and what to change."""
    with pytest.raises(RenderDeadline, match="RenderTimeoutSec"):
        _execution(_Api(describe_execution=lambda **_asked: {"status": "TIMED_OUT"})).fetch_result()


def test_step_functions_may_be_out_of_reach_for_a_while() -> None:
    """Not reached, throttled or broken: the execution goes on; and a history that must not be read fails nothing."""
    statuses: list[Any] = [
        EndpointConnectionError(endpoint_url="x"),
        refused("ThrottlingException", 400),
        "RUNNING",
        refused("InternalServerError", 500),
        ReadTimeoutError(endpoint_url="x"),
        "SUCCEEDED",
    ]

    def described(**_asked: Any) -> Mapping[str, Any]:
        status = statuses.pop(0)
        if isinstance(status, Exception):
            raise status
        return {"status": status, "output": '{"done": 1}'}

    def secret(**_asked: Any) -> Mapping[str, Any]:
        raise refused("AccessDeniedException", 403)

    execution = _execution(_Api(describe_execution=described, get_execution_history=secret))
    execution.wait_for_completion()
    assert statuses == []
    assert execution.fetch_result() == {"done": 1}, "how it ended is known, and not asked for again"


@pytest.mark.parametrize(
    "error", [refused("ThrottlingException", 400), EndpointConnectionError(endpoint_url="x")], ids=["throttled", "away"]
)
def test_only_an_execution_that_does_not_exist_is_not_running(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody says whether it runs, a second one must not be started; and what is raised is our own."""

    def raising(raised: Exception) -> Callable[..., Mapping[str, Any]]:
        def described(**_asked: Any) -> Mapping[str, Any]:
            raise raised

        return described

    machine = StateMachine(arn="arn:aws:states:us-east-1:123456789012:stateMachine:render")
    gone = _Api(describe_execution=raising(refused("ExecutionDoesNotExist", 400)))
    monkeypatch.setattr(StateMachine, "_api", lambda _self: gone)
    assert machine.running("one") is None
    away = _Api(describe_execution=raising(error), stop_execution=raising(error))
    monkeypatch.setattr(StateMachine, "_api", lambda _self: away)
    with pytest.raises(StackInvalid, match="out of reach"):
        machine.running("one")
    with pytest.raises(StackInvalid, match="out of reach"):
        machine.named("one").fetch_result()
    with pytest.raises(StackInvalid, match="cannot be stopped"):
        machine.named("one").stop("Enough.")


@pytest.mark.parametrize("error", [refused("AccessDeniedException", 403), EndpointConnectionError(endpoint_url="x")])
def test_an_execution_that_cannot_be_followed_is_told(error: Exception) -> None:
    """At once when it must not be looked at; after a while when there is never an answer."""

    def described(**_asked: Any) -> Mapping[str, Any]:
        raise error

    with pytest.raises(StackInvalid, match=r"cannot be looked at|out of reach"):
        _execution(
            _Api(describe_execution=described, get_execution_history=lambda **_: {"events": []})
        ).wait_for_completion()


@pytest.mark.parametrize(
    ("error", "cause", "kind", "told"),
    [
        ("WORKER_LOST", '{"errorType": "WORKER_LOST", "errorMessage": "Gone.\\nAgain."}', WorkerLost, "Gone."),
        ("InvalidConfigError", "OutputS3Uri is missing.\nName it.", RenderError, "OutputS3Uri is missing."),
        ("Sandbox.Timedout", '{"errorMessage": "Task timed out after 900.00 seconds"}', WorkerLost, "timed out"),
        ("States.Timeout", "", WorkerLost, "States.Timeout"),
        ("States.TaskFailed", "The cause could not be determined", WorkerLost, "States.TaskFailed"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded.", Throttled, "Rate Exceeded."),
        ("States.Runtime", "An error occurred while executing the state", RenderError, "States.Runtime"),
        ("", "", RenderError, "States.Runtime"),
    ],
)
def test_what_step_functions_calls_a_failure_has_a_name_of_ours(
    error: str, cause: str, kind: type[RenderError], told: str
) -> None:
    """The function's own code where there is one; a worker that was killed is lost."""
    found = execution_error(error, cause)
    assert isinstance(found, kind)
    assert told in found.summary


def test_a_machine_that_is_not_there_is_the_stacks_fault(s3_endpoint: str) -> None:
    """Found before anything is rendered."""
    with _machine(s3_endpoint, Roles(chunks=1)) as machine:
        gone = machine.model_copy(update={"arn": machine.arn + "-gone"})
        with pytest.raises(StackInvalid, match="cannot be started"):
            gone.trigger(REQUEST)


def test_throttled_chunks_are_waited_for_by_the_machine(s3_endpoint: str) -> None:
    """As the flow does when it asks by itself."""

    def busy(event: Mapping[str, Any]) -> Mapping[str, Any]:
        counts[event["Action"]] = counts.get(event["Action"], 0) + 1
        if counts[event["Action"]] < 6:
            raise throttled()
        return roles(event)

    counts: dict[str, int] = {}
    roles = Roles(chunks=1)
    with _machine(s3_endpoint, busy) as machine:
        execution = machine.trigger(REQUEST)
        execution.wait_for_completion()
        assert execution.fetch_result()["Output"]["FramesEncoded"] == 240
