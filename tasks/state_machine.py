"""The state machine as a job of Prefect's: started once, followed, stopped, and its failure as one of our errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from prefect.blocks.abstract import JobBlock, JobRun
from prefect_aws import AwsCredentials
from pydantic import Field

from lambda_handler.errors import RenderCancelled, RenderDeadline, RenderError, StackInvalid
from tasks.aws_client import Client, code_of
from tasks.execution_history import History, MapCounts
from tasks.lambda_answer import execution_error, passes

RUNNING = "RUNNING"
FIRST_POLL_SECONDS = 2.0
UNANSWERED = 20
"""Looks in a row that may fail, a quarter of a minute each at the latest."""
MAX_NAME = 80
"""Step Functions API reference, "StartExecution": 1 to 80 characters."""


# With a parameter, JobBlock would be registered as one more kind of block.
class StateMachine(JobBlock):  # type: ignore[type-arg]
    """
    A state machine of AWS Step Functions.

    Example:
        Run a saved state machine, and wait for what it puts out:
        ```python
        from tasks.state_machine import StateMachine

        machine = StateMachine.load("BLOCK_NAME")
        execution = machine.trigger({"key": "value"})
        execution.wait_for_completion()
        print(execution.fetch_result())
        ```
    """

    _block_type_name = "Step Functions State Machine"
    _block_type_slug = "step-functions-state-machine"
    _description = "A state machine of AWS Step Functions: starts executions, follows and stops them."

    arn: str = Field(
        pattern=r"^arn:[a-z-]+:states:[a-z0-9-]+:\d{12}:stateMachine:.{1,80}$",
        title="ARN",
        description="ARN of the state machine.",
    )
    credentials: AwsCredentials = Field(
        default_factory=AwsCredentials, title="AWS credentials", description="Left out, those of the environment."
    )
    poll_seconds: float = Field(
        15.0,
        gt=0,
        le=300,
        title="Poll interval",
        description="Seconds between two looks at an execution, at most; the first come sooner.",
    )

    def trigger(self, request: Mapping[str, Any], name: str | None = None) -> StateMachineExecution:  # type: ignore[override]
        """Starts an execution, or finds the one that has that name already. Raises StackInvalid.

        The name has at most 80 characters; left out, Step Functions makes one.
        """
        asked: dict[str, Any] = {"stateMachineArn": self.arn, "input": json.dumps(request)}
        if name:
            asked["name"] = name[:MAX_NAME]
        try:
            arn = self._api().call("start_execution", **asked)["executionArn"]
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise StackInvalid(f"The state machine {self.arn} cannot be started: {error}") from error
            arn = execution_arn(self.arn, str(asked["name"]))
        except BotoCoreError as error:
            raise StackInvalid(f"The state machine {self.arn} cannot be started: {error}") from error
        return self.attached(arn)

    def attached(self, arn: str) -> StateMachineExecution:
        """The execution with that ARN."""
        return StateMachineExecution(self, arn, self._api())

    def named(self, name: str) -> StateMachineExecution:
        """The execution of that name, whether or not there is one."""
        return self.attached(execution_arn(self.arn, name))

    def running(self, name: str) -> StateMachineExecution | None:
        """The execution of that name, while it runs. Raises StackInvalid when nobody says whether it does."""
        execution = self.named(name)
        try:
            return execution if execution.describe()["status"] == RUNNING else None
        except ClientError as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise execution.unseen(error) from error
        except BotoCoreError as error:
            raise execution.unseen(error) from error

    def _api(self) -> Client:
        # Asking what an execution does, and starting one by its name, may be done again.
        try:
            return Client(self.credentials, "stepfunctions", read_seconds=30, connections=4, attempts=5)
        except (BotoCoreError, ClientError) as error:
            raise StackInvalid(f"There can be no client for the state machine {self.arn}: {error}") from error


class StateMachineExecution(JobRun[dict[str, Any]]):
    """One execution. What it does is told to the run's log."""

    def __init__(self, machine: StateMachine, arn: str, api: Client) -> None:
        self.arn = arn
        self._machine = machine
        self._api = api
        self._history = History(arn, api)
        self._counts = MapCounts(api)
        self._untold = False
        self._ended: Mapping[str, Any] | None = None

    @property
    def console_url(self) -> str:
        """Its page in the AWS console."""
        region = self.arn.split(":")[3]
        return (
            f"https://{region}.console.aws.amazon.com/states/home?region={region}"
            f"#/v2/executions/details/{quote(self.arn, safe=':')}"
        )

    def describe(self) -> dict[str, Any]:
        """What Step Functions says about it. Raises ClientError, BotoCoreError."""
        told: dict[str, Any] = self._api.call("describe_execution", executionArn=self.arn)
        return told

    def wait_for_completion(self, look: Callable[[], None] = lambda: None) -> None:  # type: ignore[override]
        """Waits for its end, tells its history to the log, and calls `look` at each look at it.

        Step Functions may throttle or be out of reach for a while: the execution goes on. Raises StackInvalid when it
        stays so, or when the execution must not be looked at.
        """
        unanswered = 0
        for seconds in self._pauses():
            try:
                told = self.describe()
                unanswered = 0
            except (BotoCoreError, ClientError) as error:
                unanswered += 1
                if unanswered > UNANSWERED or not passes(error):
                    raise self.unseen(error) from error
                self.logger.warning("The execution cannot be looked at just now: %s", error)
                told = {"status": RUNNING}
            self._tell()
            if told["status"] != RUNNING:
                # It will never be another: what became of it need not be asked for again.
                self._ended = told
                return
            look()
            time.sleep(seconds)

    def fetch_result(self) -> dict[str, Any]:  # type: ignore[override]
        """Its output. Raises the RenderError that it failed with; RenderDeadline, RenderCancelled; StackInvalid."""
        try:
            told = self._ended or self.describe()
        except (BotoCoreError, ClientError) as error:
            raise self.unseen(error) from error
        match told["status"]:
            case "SUCCEEDED":
                result: dict[str, Any] = json.loads(told["output"])
                return result
            case "TIMED_OUT":
                raise RenderDeadline(f"The execution {self.arn} took longer than the state machine allows.")
            case "ABORTED":
                raise RenderCancelled(f"The execution {self.arn} was stopped. {told.get('cause') or ''}".strip())
        raise self._failure(told)

    def stop(self, cause: str) -> None:
        """Stops it, if it has begun and still runs. Raises StackInvalid."""
        try:
            self._api.call("stop_execution", executionArn=self.arn, error=RenderCancelled.code, cause=cause)
        except ClientError as error:
            if code_of(error) != "ExecutionDoesNotExist":
                raise StackInvalid(f"The execution {self.arn} cannot be stopped: {error}") from error
        except BotoCoreError as error:
            raise StackInvalid(f"The execution {self.arn} cannot be stopped: {error}") from error

    def unseen(self, error: BotoCoreError | ClientError) -> StackInvalid:
        """Why nobody can tell what it does."""
        if not passes(error):
            return StackInvalid(f"The execution {self.arn} cannot be looked at: {error}")
        return StackInvalid(
            f"The execution {self.arn} is out of reach: {error}",
            resolution=f"If it has begun it goes on by itself: look at it, or stop it, at {self.console_url}.",
        )

    def _failure(self, told: Mapping[str, Any]) -> RenderError:
        # A distributed map says only that too many of its children failed; the first of them says why.
        if told.get("error") == "States.ExceedToleratedFailureThreshold":
            told = self._counts.first_failure() or told
        found = execution_error(told.get("error") or "", told.get("cause") or "")
        where = f" ({self._history.failed_iteration})" if self._history.failed_iteration else ""
        return type(found)(f"{found.summary}{where}", resolution=found.resolution)

    def _tell(self) -> None:
        """A history that must not be read, or not just now, is no reason to fail."""
        try:
            for line in self._history.lines():
                self.logger.info(line)
            for line in self._counts.lines(self._history.map_runs):
                self.logger.info(line)
        except (BotoCoreError, ClientError) as error:
            if not self._untold:
                self.logger.warning("The execution's history cannot be told: %s", error)
            self._untold = True

    def _pauses(self) -> Iterator[float]:
        longest = self._machine.poll_seconds
        seconds = min(FIRST_POLL_SECONDS, longest)
        while True:
            yield seconds
            seconds = min(longest, seconds * 1.5)


def execution_arn(machine: str, name: str) -> str:
    """The ARN of a machine's execution by its name."""
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{name[:MAX_NAME]}"
