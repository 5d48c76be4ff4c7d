"""A flow run that mirrors the state machine, tried again: one execution at a time, whatever became of the flow."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import pytest
from engines import Place, place
from prefect.context import FlowRunContext
from simulated import Asked
from simulated_worker import FRAMES, Worker

from flows.prefect_server import PrefectApi
from flows.render import render_native
from lambda_handler.errors import from_wire
from tasks.state_machine import StateMachineExecution

again = render_native.with_options(retries=1)


def _executions(made: Place) -> list[str]:
    """The names of the machine's executions."""
    told = boto3.client("stepfunctions").list_executions(stateMachineArn=made.stack.state_machine or "")
    return sorted(each["name"] for each in told["executions"])


def test_a_retried_run_starts_a_second_execution_that_goes_on(api: PrefectApi, bucket: str) -> None:
    """Named after the run and its attempt; what the first has rendered is found."""

    def before(event: Asked, attempt: int) -> None:
        if event.action == "assemble" and attempt == 1:
            raise from_wire("OUTPUT_INVALID", "It broke.\nMend it.")

    worker = Worker(chunks=3, before=before)
    with place(bucket, worker) as made:
        assert again(made.request(), made.stack).chunks_found == 3
        first, second = _executions(made)
    assert second == f"{first}-r2"
    assert len(second) <= 80
    assert sorted(worker.rendered) == [0, 1, 2]


def test_a_retried_run_finds_the_execution_that_still_runs(
    api: PrefectApi, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow was lost, its execution was not: nothing is started a second time."""
    hold, waiting = threading.Event(), StateMachineExecution.wait_for_completion

    def before(event: Asked, _attempt: int) -> None:
        if event.action == "plan":
            hold.wait(60)

    def lost(execution: StateMachineExecution, *given: Any) -> None:
        context = FlowRunContext.get()
        if context and context.flow_run and context.flow_run.run_count == 1:
            raise RuntimeError("the flow is lost")
        hold.set()
        waiting(execution, *given)

    monkeypatch.setattr(StateMachineExecution, "wait_for_completion", lost)
    worker = Worker(chunks=2, before=before)
    with place(bucket, worker) as made:
        assert again(made.request(), made.stack).frames == 2 * FRAMES
        assert len(_executions(made)) == 1
    assert worker.attempts("plan") == 1
