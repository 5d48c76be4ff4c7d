"""The state machine that renders on AWS, written as it is drawn:

    CheckRequest ─→ AskForPlan ─→ Plan ─→ ChooseMap ─→ RenderChunks ─────→ Assemble
      │                                     │ ├───────→ RenderManyChunks ──↗
      └→ RefuseRequest                      └→ NothingToRender

`python -m infra.state_machine` writes statemachine/render.asl.json, which the stack deploys; it is never edited by
hand. It is JSON once its placeholders are filled in: a time limit is a number, so `${RenderTimeoutSec}` stands there
without quotes, and CloudFormation, which replaces text before it parses it, makes it one.

No state has a Catch: a failed execution stays where it failed, and `redrive-execution` goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lambda_handler.errors import ERRORS, DurationOutOfRange, InvalidConfig, RenderError, Retry

FILE: Final = Path(__file__).parent / "statemachine" / "render.asl.json"
FUNCTION: Final = "${RenderFunctionArn}"
RENDER_LIMIT: Final = "${RenderTimeoutSec}"

# Lambda ends an invocation after 900 s at the latest (Lambda quotas, "Function timeout"); a minute more to be started.
TASK_LIMIT_SECONDS: Final = 960

# "The Map state in Inline mode supports up to 40 concurrent iterations" (Developer Guide, "Map workflow state"). All of
# them write into the one history of their execution, which may have 25,000 events (Step Functions quotas): 7 each, and
# 3 for each retry. So 40 chunks may use up all of their retries below (22,382 events), in a batch that throttles
# everybody for hours; more could not. In a distributed map each chunk has a history of its own. A plan never asks for
# more parallel chunks than it has, so their number decides alone.
INLINE_CHUNKS: Final = 40

# Chunks wait for a free place in the function as long as it takes: 2 to 4 hours, at random so that they do not all
# come back at once. A render that has to wait is not a failed render; RenderTimeoutSec ends it, not this.
THROTTLED: Final = {"IntervalSeconds": 5, "BackoffRate": 2.0, "MaxDelaySeconds": 120, "MaxAttempts": 180}
TRANSIENT: Final = {"IntervalSeconds": 2, "BackoffRate": 2.0, "MaxDelaySeconds": 60, "MaxAttempts": 4}

# What Step Functions itself calls them, beside the codes of `ERRORS`.
THROTTLED_BY_LAMBDA: Final = ("Lambda.TooManyRequestsException",)
# A worker that was killed, by its time limit or for its memory, has no code: it is a task that failed. A task that
# timed out is none of those (Amazon States Language, "Errors"), so it is named too.
KILLED: Final = ("States.Timeout", "States.TaskFailed")


def codes(retry: Retry) -> list[str]:
    """The codes of `ERRORS` that are to be retried like that."""
    return [code for code, error in ERRORS.items() if error.retry is retry]


def retries() -> list[dict[str, Any]]:
    """The three rules of every task; the first whose list has the error's name counts."""
    return [
        {"ErrorEquals": codes(Retry.NEVER), "MaxAttempts": 0},
        {"ErrorEquals": [*codes(Retry.THROTTLED), *THROTTLED_BY_LAMBDA], **THROTTLED, "JitterStrategy": "FULL"},
        {"ErrorEquals": [*codes(Retry.TRANSIENT), *KILLED], **TRANSIENT, "JitterStrategy": "FULL"},
    ]


def machine() -> dict[str, Any]:
    """The definition, with its placeholders."""
    return {
        "Comment": "Plans, renders the chunks in parallel, assembles the video. Made by infra/state_machine.py.",
        "StartAt": "CheckRequest",
        "TimeoutSeconds": RENDER_LIMIT,
        "States": {
            "CheckRequest": _check_request(then="AskForPlan", otherwise="RefuseRequest"),
            "RefuseRequest": _fail(InvalidConfig("OutputS3Uri: the request does not say where the video goes.")),
            "AskForPlan": {"Type": "Pass", "Result": "plan", "ResultPath": "$.Action", "Next": "Plan"},
            "Plan": _plan(then="ChooseMap"),
            "ChooseMap": _choose_map(few="RenderChunks", many="RenderManyChunks", none="NothingToRender"),
            "NothingToRender": _fail(DurationOutOfRange("The plan has no chunk: there is nothing to render.")),
            "RenderChunks": _map("RenderChunk", {"Mode": "INLINE"}, then="Assemble"),
            "RenderManyChunks": _map(
                "RenderOneOfMany", {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, then="Assemble"
            ),
            "Assemble": _assemble(),
        },
    }


def _check_request(*, then: str, otherwise: str) -> dict[str, Any]:
    """Assemble takes the place from the execution's input, after all chunks; so it is looked for before the first."""
    there = {"Variable": "$.OutputS3Uri", "IsPresent": True}
    return {"Type": "Choice", "Choices": [{**there, "Next": then}], "Default": otherwise}


def _plan(*, then: str) -> dict[str, Any]:
    """Gets the whole input, so that a field it does not know is refused; keeps of the result what others need."""
    kept = (
        "PlanHash",
        "PlanV2ManifestS3Uri",
        "PlanV2ArtifactS3Prefix",
        "Format",
        "AudioS3Uri",
        "TotalFrames",
        "ChunkCount",
        "ChunkIndices",
        "MaxParallelChunks",
    )
    # What comes after sees the plan only: the input may have 256 KiB by itself, and is in $$.Execution.Input.
    return _task({"Payload.$": "$"}, ResultSelector={"Plan": _from("$.Payload", *kept)}, Next=then)


def _choose_map(*, few: str, many: str, none: str) -> dict[str, Any]:
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.Plan.ChunkCount", "NumericLessThan": 1, "Next": none},
            {"Variable": "$.Plan.ChunkCount", "NumericGreaterThan": INLINE_CHUNKS, "Next": many},
        ],
        "Default": few,
    }


def _map(state: str, mode: dict[str, str], *, then: str) -> dict[str, Any]:
    """Each chunk by itself. The indices come from the plan: States.ArrayRange ends at 1,000 elements.

    What the chunks return is dropped, since assemble looks for them in the render folder; and it is short, since a
    distributed map may put out 256 KiB as well.
    """
    event = {
        "Action": "renderChunk",
        "ChunkIndex.$": "$$.Map.Item.Value",
        **_from("$.Plan", "PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix", "Format"),
    }
    render = _task({"Payload.$": "$"}, ResultSelector=_from("$.Payload", "ChunkIndex"), End=True)
    return {
        "Type": "Map",
        "ItemsPath": "$.Plan.ChunkIndices",
        "ItemSelector": event,
        "MaxConcurrencyPath": "$.Plan.MaxParallelChunks",
        "ItemProcessor": {"ProcessorConfig": mode, "StartAt": state, "States": {state: render}},
        "ResultPath": None,
        "Next": then,
    }


def _assemble() -> dict[str, Any]:
    event = {
        "Action": "assemble",
        **_from("$.Plan", "PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix", "Format", "AudioS3Uri"),
        "OutputS3Uri.$": "$$.Execution.Input.OutputS3Uri",
        "ExecutionArn.$": "$$.Execution.Id",
    }
    told = _from("$.Payload", "OutputS3Uri", "FramesEncoded", "FileSize", "DurationMs")
    return _task({"Payload": event}, ResultSelector=told, ResultPath="$.Output", End=True)


def _task(payload: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": FUNCTION, **payload},
        "TimeoutSeconds": TASK_LIMIT_SECONDS,
        "Retry": retries(),
        **rest,
    }


def _fail(error: RenderError) -> dict[str, Any]:
    return {"Type": "Fail", "Error": error.code, "Cause": str(error)}


def _from(where: str, *fields: str) -> dict[str, str]:
    return {f"{field}.$": f"{where}.{field}" for field in fields}


def text() -> str:
    """The file's content."""
    return json.dumps(machine(), indent=2).replace(f'"{RENDER_LIMIT}"', RENDER_LIMIT) + "\n"


def filled(definition: str, values: Mapping[str, str | int]) -> dict[str, Any]:
    """The definition with `values` in its placeholders, as CloudFormation's DefinitionSubstitutions puts them there."""
    for name, value in values.items():
        definition = definition.replace(f"${{{name}}}", str(value))
    parsed: dict[str, Any] = json.loads(definition)
    return parsed


if __name__ == "__main__":
    FILE.write_text(text())
