"""Each run of a render tells how it ended: the flow itself, or Prefect's hooks where there is no flow left to do so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext

from lambda_handler.errors import RenderError
from lambda_handler.render_folder import RenderFolder
from tasks.completion import CANCELLED, COMPLETED, FAILED, tell
from tasks.local_stack import LocalStack
from tasks.stack import AwsStack, Stack, load_stack

FOLDER = "hyperframes.folder"
"""The label of a flow run that says where its render folder is."""


def remember(folder: RenderFolder) -> None:
    """Labels the current flow run with its folder, for hooks that run when it is gone."""
    if run := _current():
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(run.id, {FOLDER: folder.prefix})


def tell_finished(name: str, folder: RenderFolder, report: Mapping[str, Any], seconds: float) -> None:
    """Tells that the current run has made its video; `report` is what was verified, `seconds` what it took."""
    if run := _current():
        facts = {"output": report["outputUri"], "frames": report["frames"], "bytes": report["sizeBytes"]}
        cost = {"costUsd": report["cost"]["usd"] if report.get("cost") else None}
        told = {"name": name, **facts, "seconds": round(seconds, 1), **cost, "folder": folder.prefix}
        tell(COMPLETED, run.id, folder, told)


def tell_stopped(name: str, folder: RenderFolder, error: RenderError, *, cancelled: bool) -> None:
    """Tells that the current run has ended without its video."""
    if run := _current():
        told = {"name": name, "folder": folder.prefix, "error": f"{error.code}: {error.summary}"}
        tell(CANCELLED if cancelled else FAILED, run.id, folder, {**told, "resolution": error.resolution})


def when_ended(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's names
    """The hook for failure, cancellation and crash: tells it, unless the flow has.

    Prefect calls it by these names, in a process of its own where the flow's is gone.
    """
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run.id)
    where = run.labels.get(FOLDER)
    folder = RenderFolder(str(where)) if where else None
    cancelled = state.is_cancelled() or state.is_cancelling()
    told = {
        "name": run.name.removeprefix("render "),
        "folder": folder.prefix if folder else None,
        "error": f"{state.name}: {state.message or 'no reason was told'}",
        "resolution": "Run the same request again, or resume the folder: only what is missing is rendered.",
    }
    with _stack_of(run.parameters).storage():
        tell(CANCELLED if cancelled else FAILED, run.id, folder, told)


def _stack_of(parameters: Mapping[str, Any]) -> Stack:
    given = parameters.get("stack") or "local"
    if isinstance(given, Mapping):  # a value, from a caller in Python
        return (LocalStack if given.get("kind") == "local" else AwsStack).model_validate(given)
    return load_stack(given)


def _current() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None
