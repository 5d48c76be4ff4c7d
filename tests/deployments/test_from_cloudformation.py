"""A render stack from what CloudFormation says of a deployed one."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.from_cloudformation import UNRESERVED_CONCURRENCY, stack_of
from lambda_handler.errors import StackInvalid

OUTPUTS = {
    "RenderBucketName": "videos-renders-1x2y",
    "RenderFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:videos-render",
    "RenderStateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:RenderStateMachine-1x2y",
}


def _described(outputs: dict[str, str], **parameters: str) -> dict[str, Any]:
    return {
        "StackName": "videos",
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }


def test_outputs_and_parameters_become_a_stack() -> None:
    """What was deployed, and how much of it may run at once."""
    stack = stack_of(_described(OUTPUTS, ReservedConcurrency="120", LambdaMemoryMb="4096", LambdaTimeoutSec="600"))
    assert (stack.bucket, stack.function, stack.state_machine) == tuple(OUTPUTS.values())
    assert (stack.concurrency, stack.memory_mb, stack.timeout_seconds) == (120, 4096, 600)


def test_without_reserved_concurrency_a_render_takes_no_more_than_fifty_places() -> None:
    """-1 is the template's word for none."""
    assert stack_of(_described(OUTPUTS, ReservedConcurrency="-1")).concurrency == UNRESERVED_CONCURRENCY == 50


def test_another_stack_is_refused() -> None:
    """With the outputs that it lacks."""
    with pytest.raises(StackInvalid, match="videos has no output RenderFunctionArn, RenderStateMachineArn"):
        stack_of(_described({"RenderBucketName": "other"}))
