"""An execution's history as lines of a log: every chunk of an inline map, counts of a distributed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.aws_client import Client

PAGE = 1000

_FAILURES = {
    "TaskFailed": "taskFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
    "TaskSubmitFailed": "taskSubmitFailedEventDetails",
    "TaskStartFailed": "taskStartFailedEventDetails",
    "ExecutionFailed": "executionFailedEventDetails",
    "ExecutionTimedOut": "executionTimedOutEventDetails",
    "ExecutionAborted": "executionAbortedEventDetails",
    "MapRunFailed": "mapRunFailedEventDetails",
}


class History:
    """Reads what has been added to an execution's history since the last look."""

    def __init__(self, arn: str, api: Client) -> None:
        self.map_runs: list[str] = []
        self.failed_iteration = ""
        self._arn = arn
        self._api = api
        self._token: str | None = None
        self._last = 0
        # States within a map have the same name in every iteration.
        self._inside = False

    def lines(self) -> Iterator[str]:
        """A line for each new event that says something."""
        for event in self._new():
            if line := self._line(event):
                yield line

    def _new(self) -> Iterator[Mapping[str, Any]]:
        while True:
            more = {"nextToken": self._token} if self._token else {}
            told = self._api.call(
                "get_execution_history", executionArn=self._arn, maxResults=PAGE, includeExecutionData=False, **more
            )
            for event in told["events"]:
                if event["id"] > self._last:
                    self._last = event["id"]
                    yield event
            if not told.get("nextToken"):
                # The last page is read again next time: it has room for more.
                return
            self._token = told["nextToken"]

    def _line(self, event: Mapping[str, Any]) -> str | None:
        kind = event["type"]
        if kind in _FAILURES:
            told = event.get(_FAILURES[kind], {})
            return f"{kind}: {told.get('error', '')} {_short(told.get('cause', ''))}".strip()
        if kind.startswith("Map"):
            return self._map(kind, event)
        if kind.endswith("StateEntered") and not self._inside:
            return f"{event['stateEnteredEventDetails']['name']} has begun"
        return kind if kind.startswith("Execution") else None

    def _map(self, kind: str, event: Mapping[str, Any]) -> str | None:
        match kind:
            case "MapStateStarted":
                self._inside = True
                return f"A map over {event.get('mapStateStartedEventDetails', {}).get('length')} items has begun"
            case "MapIterationSucceeded":
                told = event.get("mapIterationSucceededEventDetails", {})
                return f"Iteration {told.get('index')} of {told.get('name')} has succeeded"
            case "MapIterationFailed":
                told = event.get("mapIterationFailedEventDetails", {})
                self.failed_iteration = self.failed_iteration or f"iteration {told.get('index')} of {told.get('name')}"
                return f"Iteration {told.get('index')} of {told.get('name')} has failed"
            case "MapRunStarted":
                self.map_runs.append(event["mapRunStartedEventDetails"]["mapRunArn"])
                return f"A distributed map has begun: {self.map_runs[-1]}"
            case "MapStateSucceeded" | "MapStateFailed" | "MapStateAborted" | "MapRunSucceeded" | "MapRunFailed":
                self._inside = False
            case "MapStateEntered":
                return f"{event['stateEnteredEventDetails']['name']} has begun"
        return None


def _short(cause: str) -> str:
    return " ".join(cause.split())[:300]


class MapCounts:
    """Distributed maps by their counts: their children are executions of their own, not in the parent's history."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._runs: tuple[str, ...] = ()
        self._told: dict[str, str] = {}

    def lines(self, runs: list[str]) -> Iterator[str]:
        """A line for each map whose counts have changed."""
        self._runs = tuple(runs)
        for run in self._runs:
            counts = self._api.call("describe_map_run", mapRunArn=run)["itemCounts"]
            names = ("succeeded", "running", "pending", "failed", "timedOut", "aborted")
            told = ", ".join(f"{counts[name]} {name}" for name in names if counts.get(name))
            if told and told != self._told.get(run):
                self._told[run] = told
                yield f"Of {counts.get('total', 0)} chunks: {told}"

    def first_failure(self) -> Mapping[str, Any] | None:
        """A failed child as Step Functions describes it; None where it cannot be had."""
        for run in self._runs:
            try:
                asked = {"mapRunArn": run, "statusFilter": "FAILED", "maxResults": 1}
                if failed := self._api.call("list_executions", **asked)["executions"]:
                    child: Mapping[str, Any] = self._api.call(
                        "describe_execution", executionArn=failed[0]["executionArn"]
                    )
                    return child
            except (BotoCoreError, ClientError):
                continue
        return None
