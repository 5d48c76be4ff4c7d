"""What prefect.yaml deploys, and what a Prefect API is told beside it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from samtranslator.yaml_helper import yaml_parse

from deployments.automations import FLOWS, gone
from deployments.register import register
from flows.prefect_server import PrefectApi
from flows.rows import BatchRequest, read_rows
from lambda_handler.toolchain import CHECKOUT
from tasks.admission import RENDERS, admitted
from tasks.local_stack import LocalStack

WRITTEN: dict[str, Any] = yaml_parse((CHECKOUT / "prefect.yaml").read_text())
DEPLOYED: list[dict[str, Any]] = WRITTEN["deployments"]


def _flow(deployment: dict[str, Any]) -> Flow[..., Any]:
    module, _, name = deployment["entrypoint"].rpartition(".")
    found: Flow[..., Any] = getattr(import_module(module), name)
    return found


@pytest.mark.parametrize("deployment", DEPLOYED, ids=lambda each: f"{each['entrypoint']}")
def test_each_deployment_names_a_flow_and_parameters_that_it_takes(deployment: dict[str, Any]) -> None:
    """Also those of its schedules, with what is left to whoever runs it left out."""
    flow = _flow(deployment)
    assert deployment["pull"] == []
    for given in (deployment, *deployment.get("schedules", ())):
        parameters = given.get("parameters", {})
        known = flow.parameters.properties
        assert parameters.keys() <= known.keys()
        if "request" in parameters:
            BatchRequest.model_validate(parameters["request"])


def test_the_nightly_batch_can_be_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows, its project and its variables are those of the examples."""
    (nightly,) = (each for each in DEPLOYED if each["name"] == "nightly")
    monkeypatch.chdir(CHECKOUT)
    stack = LocalStack(root=Path("/nowhere"), allowed=(CHECKOUT,))
    with stack.storage():
        rows = read_rows(BatchRequest.model_validate(nightly["parameters"]["request"]), stack)
    assert [row.request.name for row in rows][:2] == ["Spring-sale.mp4", "Summer-sale.mp4"]
    assert len(rows) == 5


def test_registering_twice_changes_nothing(api: PrefectApi) -> None:
    """One limit, which keeps its size unless another is given, and one automation, which stays off when somebody has
    switched it off; a render takes a place of the limit."""
    with get_client(sync_client=True) as client:
        try:
            register(renders=3)
            register()
            assert client.read_global_concurrency_limit_by_name(RENDERS).limit == 3
            (automation,) = client.read_automations_by_name(gone().name)
            client.pause_automation(automation.id)
            register()
            (found,) = client.read_automations_by_name(gone().name)
            assert (found.id, found.enabled) == (automation.id, False)
            with admitted():
                assert client.read_global_concurrency_limit_by_name(RENDERS).active_slots == 1
            assert client.read_global_concurrency_limit_by_name(RENDERS).active_slots == 0
        finally:
            client.delete_global_concurrency_limit_by_name(RENDERS)


def test_runs_that_are_watched_for_a_crash_are_those_of_renders() -> None:
    """By the names of the flows."""
    names = {_flow(deployment).name for deployment in DEPLOYED}
    assert set(FLOWS) == names - {"clean-up"}
