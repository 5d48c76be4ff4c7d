"""The render flows: one video, by either engine, begun or resumed."""

# Annotations as they are, not as text: a flow that is loaded from its file, as serve() and deployments by path do, has
# no module in which Prefect could look their names up.
import json
import time
from contextlib import suppress
from typing import Any, Literal, cast

from prefect import flow
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled
from pydantic import BaseModel

from flows.chunks import by_prefect
from flows.completion import remember, tell_cancelled, tell_finished, when_ended
from flows.request import RenderRequest, check, output_uri, pinned, plan_event, recorded, render_folder, uri_of
from flows.status import missing
from flows.stopping import stop_what_is_left
from lambda_handler import storage
from lambda_handler.errors import MissingPlanArtifact, RenderCancelled, RenderError, StorageUnavailable
from lambda_handler.manifest import Manifest, load
from lambda_handler.render_folder import RenderFolder
from tasks.admission import admitted
from tasks.artifacts import publish_failure, publish_report, publish_stills
from tasks.invoke import invoking
from tasks.published import link_to, publish_asset
from tasks.reports import Missing
from tasks.stack import LOCAL, Stack, StackOrName, load_stack

Engine = Literal["prefect", "step-functions"]


class RenderOutcome(BaseModel):
    """A finished render. Sizes in bytes, times in seconds.

    `chunks_found` were there before this run; `frames_captured` were drawn in it, the others found or unchanged: None
    where the engine does not tell.
    """

    output: str
    size_bytes: int
    width: int
    height: int
    fps: str
    frames: int
    duration: float
    engine: Engine
    frames_captured: int | None
    chunks: int
    chunks_found: int
    seconds: float
    render_folder: str
    warnings: tuple[str, ...]


ENDINGS: dict[str, Any] = {
    "on_failure": [when_ended],
    "on_cancellation": [stop_what_is_left, when_ended],
    "on_crashed": [when_ended],
}


@flow(name="render", flow_run_name="render {request.name}", validate_parameters=True, persist_result=False, **ENDINGS)
def render(request: RenderRequest, stack: StackOrName = LOCAL, engine: Engine = "prefect") -> RenderOutcome:
    """Renders one video. What is already rendered in its folder is not rendered again.

    Raises the RenderError that stopped it.

    Args:
        request: What to render, how, and where to.
        stack: Name of a RenderStack block, or local: this machine.
        engine: Who asks the workers: this flow, or the stack's state machine.
    """
    return _ended(request, load_stack(stack), engine)


@flow(
    name="render-native",
    flow_run_name="render {request.name} natively",
    validate_parameters=True,
    persist_result=False,
    **ENDINGS,
)
def render_native(request: RenderRequest, stack: StackOrName) -> RenderOutcome:
    """Renders one video by the stack's state machine, and mirrors it: history, progress, result.

    Raises the RenderError that stopped it.

    Args:
        request: What to render, how, and where to.
        stack: Name of a RenderStack block of a stack on AWS.
    """
    return _ended(request, load_stack(stack), "step-functions")


@flow(name="resume", flow_run_name="resume {render_prefix}", validate_parameters=True, persist_result=False, **ENDINGS)
def resume(render_prefix: str, stack: StackOrName = LOCAL, engine: Engine = "prefect") -> RenderOutcome:
    """Finishes a render, whoever began it, from its folder alone: what is missing is rendered, and it is assembled.

    Raises RenderNotFound where the folder does not say what was asked for, and the RenderError that stopped it.

    Args:
        render_prefix: The URI of the render folder.
        stack: Name of a RenderStack block, or local: this machine.
        engine: Who asks the workers: this flow, or the stack's state machine.
    """
    place = load_stack(stack)
    with place.storage():
        request = recorded(render_prefix)
    return _ended(request, place, engine)


def _ended(request: RenderRequest, stack: Stack, engine: Engine) -> RenderOutcome:
    request = pinned(request, stack)
    check(request, stack)
    folder = RenderFolder(render_folder(request, stack))
    remember(folder)
    try:
        with stack.storage():
            # A mark of before is no mark of this run. Who cancels it while it waits for its place is heard.
            storage.delete(folder.cancel)
            with admitted(lambda: _check_cancelled(folder)):
                outcome = _rendered(request, stack, folder, engine)
    except RenderCancelled as error:
        with stack.storage():
            tell_cancelled(request.name, folder, error)
        # The run is shown as cancelled, and whoever called it in Python gets the error all the same.
        return cast(RenderOutcome, Cancelled(message=error.summary, data=error))
    except RenderError as error:
        publish_failure(request.name, error, folder, _missing(stack, folder))
        raise
    # When the place and the workers are free for others: a webhook may take its time.
    with stack.storage():
        tell_finished(request.name, folder, outcome.seconds)
    return outcome


def _rendered(request: RenderRequest, stack: Stack, folder: RenderFolder, engine: Engine) -> RenderOutcome:
    started = time.monotonic()
    with invoking(stack):
        event = plan_event(request, stack)
        before = set(storage.listing(folder.chunks))
        captured = None
        try:
            if engine == "prefect":
                captured = sum(chunk.frames_captured for chunk in by_prefect(event, output_uri(request, stack), stack))
            else:
                from flows.native import by_step_functions  # noqa: PLC0415 - what it imports of AWS's takes its time

                by_step_functions(event, stack)
        except (TerminationSignal, KeyboardInterrupt):
            # However little has been done: whoever looks at the folder sees that nobody goes on with it.
            storage.write(folder.cancel, b"")
            raise
        return _outcome(request, stack, folder, engine, before, captured, started)


def _check_cancelled(folder: RenderFolder) -> None:
    with suppress(StorageUnavailable):  # it waits on
        folder.check_cancelled()


def _missing(stack: Stack, folder: RenderFolder) -> Missing | None:
    try:
        with stack.storage():
            return missing(folder)
    except RenderError:  # the error that is being told has the better reason
        return None


def _outcome(
    request: RenderRequest,
    stack: Stack,
    folder: RenderFolder,
    engine: Engine,
    before: set[str],
    captured: int | None,
    started: float,
) -> RenderOutcome:
    """Everything about the video from its folder, and all of it into the UI."""
    manifest = load(folder.manifest)
    if manifest is None:
        raise MissingPlanArtifact(f"The plan in {folder.prefix} is gone.")
    report = json.loads(storage.read(folder.report))
    seconds = time.monotonic() - started
    publish_report(request.name, report, seconds, link_to(report["outputUri"], stack), folder)
    publish_stills(request.name, folder)
    publish_asset(request.name, report, uri_of(request.project))
    return RenderOutcome(
        output=report["outputUri"],
        size_bytes=report["sizeBytes"],
        width=manifest.width,
        height=manifest.height,
        fps=manifest.fps,
        frames=report["frames"],
        duration=report["durationSeconds"],
        engine=engine,
        frames_captured=captured,
        chunks=len(manifest.chunks),
        chunks_found=sum(name in before for name in _names(manifest)),
        seconds=seconds,
        render_folder=folder.prefix,
        warnings=manifest.warnings,
    )


def _names(manifest: Manifest) -> list[str]:
    return [manifest.chunk_name(index) for index in range(len(manifest.chunks))]
