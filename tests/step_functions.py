"""Executions of the state machine without AWS: moto's interpreter, with something else in the Lambda function's place.

What retries wait is not slept but counted, so the machine runs with the intervals that are deployed.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jsonpath_ng.ext.parser import parse as parse_path
from lambda_endpoint import Function, refused
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from infra.state_machine import FILE, filled

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:render"
LONGEST_SECONDS = 300.0

_numbers = count()
# The definition and its paths are the same for most tests, and reading them takes longer than running them.
_parsed = staticmethod(functools.cache(AmazonStateLanguageParser.parse))
_parsed_path = functools.cache(parse_path)
_waited = [0.0]


@dataclass(frozen=True)
class Execution:
    """A finished execution. `seconds` is real time, `error` and `cause` are those of a failed one."""

    status: str
    output: dict[str, Any]
    error: str | None
    cause: str | None
    history: list[dict[str, Any]]
    seconds: float

    @property
    def results(self) -> list[dict[str, Any]]:
        """What the function returned, in the order in which it did."""
        done = [event["taskSucceededEventDetails"] for event in self.history if event["type"] == "TaskSucceeded"]
        return [json.loads(each["output"])["Payload"] for each in done]

    @property
    def largest_payload(self) -> int:
        """Bytes of the largest input or output of a state."""
        return max(len(text.encode()) for text in _payloads(self.history))

    def entered(self, state: str) -> int:
        """How often a state was entered."""
        return sum(event.get("stateEnteredEventDetails", {}).get("name") == state for event in self.history)


def definition() -> dict[str, Any]:
    """The committed definition as it is deployed."""
    return filled(FILE.read_text(), {"RenderFunctionArn": FUNCTION_ARN, "RenderTimeoutSec": 21_600})


def throttled() -> ClientError:
    """What Lambda's API answers when no place is free."""
    return refused("TooManyRequestsException", 429)


def waited() -> float:
    """Seconds that retries have been told to wait so far, all together."""
    return _waited[0]


@contextmanager
def function(invoke: Function) -> Iterator[None]:
    """Puts `invoke` into the function's place, and counts what retries would wait."""

    def invoked(parameters: Mapping[str, Any], region: str, state_credentials: object) -> dict[str, Any]:
        assert parameters["FunctionName"] == FUNCTION_ARN
        answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        try:
            return answer | {"Payload": json.loads(json.dumps(invoke(json.loads(parameters["Payload"]))))}
        except ClientError:
            raise
        except Exception as error:
            told = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": []}
            return answer | {"Payload": told, "FunctionError": "Unhandled"}

    def counted(seconds: float) -> None:
        _waited[0] += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lambda_eval_utils, "_invoke_lambda_function", invoked)
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=counted))
        patch.setattr(AmazonStateLanguageParser, "parse", _parsed)
        patch.setattr(json_path, "parse", _parsed_path)
        yield


def execute(request: Mapping[str, Any], invoke: Function, machine: Mapping[str, Any] | None = None) -> Execution:
    """Runs the state machine on `request`, with `invoke` as its function."""
    backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    logging.disable(logging.CRITICAL)  # moto tells each failure in 20 KB
    began = time.monotonic()
    try:
        with function(invoke):
            made = backend.create_state_machine(
                name=f"render-{next(_numbers)}",
                definition=json.dumps(machine or definition()),
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/render",
            )
            running = backend.start_execution(
                made.arn, name=f"execution-{next(_numbers)}", execution_input=json.dumps(request)
            )
            while str(running.status) in ("RUNNING", "ExecutionStatus.RUNNING"):
                assert time.monotonic() - began < LONGEST_SECONDS, "the execution does not end"
                time.sleep(0.01)
    finally:
        logging.disable(logging.NOTSET)
    return Execution(
        status=str(running.status),
        output=running.output if isinstance(running.output, dict) else json.loads(running.output or "{}"),
        error=running.error,
        cause=running.cause,
        history=json.loads(json.dumps(running.to_history_output()["events"], default=str)),
        seconds=time.monotonic() - began,
    )


def _payloads(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for name, value in told.items():
            if name in ("input", "output", "parameters") and isinstance(value, str):
                yield value
            else:
                yield from _payloads(value)
    elif isinstance(told, list):
        for value in told:
            yield from _payloads(value)
