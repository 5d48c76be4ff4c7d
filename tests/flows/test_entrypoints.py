"""The flows as deployments find them: by their file, and by their module."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.flows import Flow, load_flow_from_entrypoint

from lambda_handler.toolchain import CHECKOUT

REQUEST = {"project": "examples/orbit", "output": "out/orbit.mp4", "config": {"crf": 20}}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("render", {"request": REQUEST, "stack": "local", "engine": "step-functions"}),
        ("render_native", {"request": REQUEST, "stack": "production"}),
        ("resume", {"render_prefix": "s3://bucket/renders/orbit", "stack": "local", "engine": "prefect"}),
    ],
)
@pytest.mark.parametrize("place", [f"{CHECKOUT}/flows/render.py:", "flows.render."])
def test_a_flow_takes_its_parameters_wherever_it_is_loaded_from(
    place: str, name: str, parameters: dict[str, Any]
) -> None:
    """Where its annotations' names cannot be looked up, Prefect would fail every run before it begins."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(f"{place}{name}")
    taken = flow.validate_parameters(parameters)
    assert set(taken) == set(parameters)
    stack = flow.parameters.model_dump()["properties"].get("stack", {})
    assert stack["type"] == "string", "a name, and no description of a stack"
