"""The Step Functions engine, seen from Prefect: the state machine renders, and the flow mirrors it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal

from flows.following import Following, hear, only_looking
from lambda_handler.errors import InvalidConfig, StackInvalid
from lambda_handler.events import PlanEvent, to_wire
from lambda_handler.manifest import Manifest, load
from lambda_handler.render_folder import RenderFolder
from tasks.spending import spending
from tasks.stack import AwsStack, Stack
from tasks.state_machine import StateMachine, StateMachineExecution


def by_step_functions(event: PlanEvent, stack: Stack) -> None:
    """Has the state machine render what `event` asks for, and follows it to its end.

    Stops the execution when the flow is stopped or the render cancelled. Raises the RenderError that it failed with.
    """
    if stack.kind == "local":
        raise InvalidConfig(
            "Engine step-functions was asked for, and this machine has no state machine.",
            resolution="Say engine prefect, or name a RenderStack block of a stack on AWS.",
        )
    folder = RenderFolder(event.plan_output_s3_prefix)
    machine = state_machine(stack)
    context = FlowRunContext.get()
    *earlier, name = execution_names(context.flow_run if context else None)
    running = next(filter(None, map(machine.running, earlier)), None)
    # By its name it can be stopped even before the answer is here that it has begun.
    execution = running or machine.named(name)
    try:
        if running is None:
            machine.trigger(_input(event), name)
        with only_looking():
            _tell(execution, folder)
        execution.wait_for_completion(_Mirror(folder, execution, stack).look)
    except (TerminationSignal, KeyboardInterrupt):
        with only_looking():
            execution.stop("The flow run was stopped.")
        raise
    execution.fetch_result()


def _input(event: PlanEvent) -> dict[str, Any]:
    """What the state machine starts with: its input is the plan's event."""
    return {name: value for name, value in to_wire(event).items() if name not in ("Action", "PlanProtocol")}


def _tell(execution: StateMachineExecution, folder: RenderFolder) -> None:
    get_run_logger().info("Execution %s; render folder %s", execution.arn, folder.prefix)
    create_link_artifact(
        execution.console_url, key="execution", link_text="The execution in the AWS console", description=execution.arn
    )


def state_machine(stack: AwsStack) -> StateMachine:
    """The stack's state machine. Raises StackInvalid when it names none."""
    if stack.state_machine is None:
        raise StackInvalid(
            f"The stack with bucket {stack.bucket} names no state machine.",
            resolution="Put the output RenderStateMachineArn into its RenderStack block.",
        )
    return StateMachine(arn=stack.state_machine, credentials=stack.credentials, poll_seconds=stack.poll_seconds)


def execution_names(run: FlowRun | None) -> list[str]:
    """What a flow run's executions are called, one for each of its attempts so far."""
    if run is None:
        return [f"render-{uuid4()}"]
    base = f"render-{run.id}"
    return [base, *(f"{base}-r{attempt}" for attempt in range(2, run.run_count + 1))]


class _Mirror:
    """Shows how far the chunks are, from the moment when there is a plan."""

    def __init__(self, folder: RenderFolder, execution: StateMachineExecution, stack: Stack) -> None:
        self._stack = stack
        self._folder = folder
        self._execution = execution
        self._following: Following | None = None

    def look(self) -> None:
        """One look; nothing about it fails the render."""
        with only_looking():
            if self._following is None and (manifest := load(self._folder.manifest)):
                self._following = self._followed(manifest)
        if self._following:
            self._following.look()
        else:
            hear(self._folder, self._stop)

    def _stop(self) -> None:
        self._execution.stop("The render was cancelled.")

    def _followed(self, manifest: Manifest) -> Following:
        return Following(
            self._folder,
            frames=manifest.total_frames,
            chunks=len(manifest.chunks),
            cancelled=self._stop,
            spent=spending(self._folder, manifest, self._stack),
        )
