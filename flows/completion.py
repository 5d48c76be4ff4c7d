"""Each run of a render tells how it ended: the flow itself, or Prefect's hooks where there is no flow left to do so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext

from lambda_handler import storage
from lambda_handler.errors import RenderCancelled, RenderError
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


def tell_finished(name: str, folder: RenderFolder, seconds: float) -> None:
    """Tells that the current run has made its video, in so many seconds."""
    if run := _current():
        report = json.loads(storage.read(folder.report))
        facts = {"output": report["outputUri"], "frames": report["frames"], "bytes": report["sizeBytes"]}
        cost = {"costUsd": report["cost"]["usd"] if report.get("cost") else None}
        tell(
            COMPLETED,
            run,
            folder,
            {"name": name, **facts, "seconds": round(seconds, 1), **cost, "folder": folder.prefix},
        )


def tell_cancelled(name: str, folder: RenderFolder, error: RenderCancelled) -> None:
    """Tells that the current run ends as cancelled, because its folder said so: Prefect calls no hook for that."""
    if run := _current():
        tell(CANCELLED, run, folder, {"name": name, "folder": folder.prefix, **_reason(error)})


def when_ended(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's names
    """The hook for failure, cancellation and crash: tells it, unless the flow has.

    Prefect calls it by these names, in a process of its own where the flow's is gone. A failure that is retried is not
    told.
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
        **_reason(_error_in(state)),
    }
    with ExitStack() as reached:
        try:
            reached.enter_context(_stack_of(run.parameters).storage())
        except RenderError:
            # No mark can be left then; the event's id is the same whoever tells it.
            folder = None
        tell(CANCELLED if cancelled else FAILED, run, folder, told)


def _reason(error: RenderError | None) -> dict[str, str]:
    return {"error": f"{error.code}: {error.summary}", "resolution": error.resolution} if error else {}


def _error_in(state: State[Any]) -> RenderError | None:
    """Why it failed, where that is still known: in another process it is not."""
    with suppress(Exception):
        error = state.result(raise_on_failure=False)
        return error if isinstance(error, RenderError) else None
    return None


def _stack_of(parameters: Mapping[str, Any]) -> Stack:
    given = parameters.get("stack") or "local"
    if isinstance(given, Mapping):  # a value, from a caller in Python
        return (LocalStack if given.get("kind") == "local" else AwsStack).model_validate(given)
    return load_stack(given)


def _current() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None
