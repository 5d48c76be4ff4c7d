"""Stopping the execution that a cancelled run has left, when its own process could not: it was gone, or was killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from flows.request import RenderRequest, render_folder
from lambda_handler import storage
from lambda_handler.render_folder import RenderFolder
from tasks.stack import LOCAL, AwsStack, Stack, load_stack


def stop_what_is_left(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's names
    """The hook for cancellation: executions that the run has started are stopped, and their folder says cancelled.

    Prefect calls it by these names, in a process of its own where the flow's is gone. A run of the other engine leaves
    nothing but invocations that end by themselves. A stack that was given as a value, in Python, is not known here: its
    credentials were not recorded.
    """
    stack = flow_run.parameters.get("stack") or LOCAL
    place = load_stack(stack) if isinstance(stack, str) else None
    if not isinstance(place, AwsStack) or place.state_machine is None:
        return
    from flows.native import execution_names, state_machine  # noqa: PLC0415 - what it imports of AWS's takes its time

    machine = state_machine(place)
    for execution in filter(None, map(machine.running, execution_names(flow_run))):
        with place.storage():
            storage.write(_folder(flow_run.parameters, place).cancel, b"")
        execution.stop("The flow run was cancelled.")


def _folder(parameters: Mapping[str, Any], stack: Stack) -> RenderFolder:
    if "render_prefix" in parameters:
        return RenderFolder(str(parameters["render_prefix"]).rstrip("/"))
    return RenderFolder(render_folder(RenderRequest.model_validate(parameters["request"]), stack))
