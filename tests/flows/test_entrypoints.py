"""The flows as deployments find them: by their file, and by their module."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.flows import Flow, load_flow_from_entrypoint

from lambda_handler.toolchain import CHECKOUT

REQUEST = {"project": "examples/orbit", "output": "out/orbit.mp4", "config": {"crf": 20}}


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        ("render", "render", {"request": REQUEST, "stack": "local", "engine": "step-functions"}),
        ("render", "render_native", {"request": REQUEST, "stack": "production"}),
        ("render", "resume", {"render_prefix": "s3://bucket/renders/orbit", "stack": "local", "engine": "prefect"}),
        ("batch", "render_batch", {"request": {"rows": "rows.csv"}, "stack": "local", "engine": "prefect"}),
        ("clean_up", "clean_up", {"stack": "local", "older_than_days": 1.5, "dry_run": True}),
    ],
)
@pytest.mark.parametrize("place", [f"{CHECKOUT}/flows/{{}}.py:", "flows.{}."])
def test_a_flow_takes_its_parameters_wherever_it_is_loaded_from(
    place: str, module: str, name: str, parameters: dict[str, Any]
) -> None:
    """Where its annotations' names cannot be looked up, Prefect would fail every run before it begins."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(place.format(module) + name)
    taken = flow.validate_parameters(parameters)
    assert set(taken) == set(parameters)
    stack = flow.parameters.model_dump()["properties"].get("stack", {})
    assert stack["type"] == "string", "a name, and no description of a stack"
