"""What Lambda answers, as a result or as one of our errors: the one place that knows Lambda's own names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_handler.errors import ERRORS, InvalidConfig, RenderError, StackInvalid, Throttled, WorkerLost, from_wire
from tasks.aws_client import EXPIRED, code_of

# Lambda API reference, "Invoke", "Errors": no place is free, or none can be made just now.
THROTTLED = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
        "EC2ThrottledException",
        "ENILimitReachedException",
    }
)
# The function is being created or updated; Lambda itself failed.
PASSING = frozenset({"ResourceConflictException", "ResourceNotReadyException", "ServiceException", "InternalFailure"})
TOO_LARGE = frozenset({"RequestTooLargeException", "RequestEntityTooLargeException"})
# The code of the function cannot be run at all; anything else below Runtime is a process that ended.
NOT_RUNNABLE = frozenset(
    {"Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.UserCodeSyntaxError", "Runtime.InvalidEntrypoint"}
)
TOLD = 400


def result_of(payload: bytes, function_error: str | None, about: str) -> dict[str, Any]:
    """The result in an answer. Raises the RenderError in it; WorkerLost when the function was ended."""
    try:
        told = json.loads(payload)
    except ValueError:
        told = None
    if function_error is None:
        if isinstance(told, dict):
            return told
        raise WorkerLost(f"The answer about {about} is no JSON object: {payload[:80]!r}.")
    raise _error(told if isinstance(told, dict) else {}, about)


def _error(told: Mapping[str, Any], about: str) -> RenderError:
    kind, message = str(told.get("errorType", "")), str(told.get("errorMessage", ""))
    if kind in ERRORS:
        return from_wire(kind, message)
    if kind in NOT_RUNNABLE:
        return StackInvalid(
            f"The function cannot run: {kind}: {message[:TOLD]}", resolution="Build the artifact anew and deploy it."
        )
    # A timeout has no type of its own on every runtime, but always these words.
    if not kind or kind.startswith(("Runtime.", "Sandbox.", "Lambda.", "Extension.")) or "Task timed out" in message:
        return WorkerLost(f"The worker was lost over {about}: {kind} {message[:TOLD]}".replace("  ", " ").strip())
    return from_wire(kind, f"{kind}: {message[:TOLD]}")


def execution_error(error: str, cause: str) -> RenderError:
    """Why an execution of the state machine failed; `cause` is what the function reported, or plain text."""
    try:
        reported = json.loads(cause)
    except ValueError:
        reported = None
    message = str(reported.get("errorMessage", cause)) if isinstance(reported, dict) else cause
    if error.removeprefix("Lambda.") in THROTTLED:
        return Throttled(f"No place was free in the function for too long: {message[:TOLD]}")
    if error in ("States.Timeout", "States.TaskFailed"):
        return WorkerLost(f"A worker was lost: {error} {message[:TOLD]}".strip())
    return _error({"errorType": error or "States.Runtime", "errorMessage": message}, "the execution's task")


def passes(error: ClientError | BotoCoreError) -> bool:
    """Whether an API of AWS may answer the same call a little later: it throttles, has failed itself, or was not
    reached."""
    if not isinstance(error, ClientError):
        return True
    status = _status(error)
    return code_of(error) in THROTTLED | PASSING or status == 429 or status >= 500


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def api_error(error: ClientError | BotoCoreError, about: str) -> RenderError:
    """What Lambda's API, or the way to it, said instead of an answer."""
    if not isinstance(error, ClientError):
        return WorkerLost(f"There was no answer about {about}: {str(error)[:TOLD]}")
    code = code_of(error)
    status = _status(error)
    message = str(error)[:TOLD]
    if code in EXPIRED:
        return StackInvalid(
            f"The stack's credentials have expired: {message}", resolution="Give its block credentials that last."
        )
    if code in THROTTLED or status == 429:
        return Throttled(f"No place was free for {about}: {message}")
    if code in PASSING or status >= 500:
        return WorkerLost(f"Lambda did not take {about}: {message}")
    if code in TOO_LARGE:
        return InvalidConfig(
            f"The request is too large for Lambda: {message}",
            resolution="Put large variables into a file of the project.",
        )
    return StackInvalid(f"Lambda refused {about}: {message}")
