"""The batch flow: a row of its own for each video, a few at once, and none that sinks the others."""

# Annotations as they are, not as text: see flows/render.py.
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from functools import partial
from typing import Literal

from prefect import flow
from pydantic import BaseModel

from flows.following import only_looking
from flows.render import Engine, RenderOutcome, render
from flows.request import render_folder
from flows.rows import BatchRequest, Row, read_rows
from lambda_handler import storage
from lambda_handler.errors import BatchIncomplete, RenderCancelled, RenderError
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import ProgressArtifact, publish_batch, publish_rows
from tasks.invoke import invoker, invoking
from tasks.logs import run_logger
from tasks.stack import LOCAL, Stack, StackOrName, load_stack

LOOK_SECONDS = 1.0
CANCEL_SECONDS = 60.0
"""Rows end within seconds: only one whose worker does not look at its folder, or cannot, takes as long."""


class RowOutcome(BaseModel):
    """What became of a row. `error` is a code with its message; None when it was rendered."""

    row: int
    output: str
    state: Literal["rendered", "failed", "cancelled", "checked"]
    frames: int | None = None
    size_bytes: int | None = None
    seconds: float | None = None
    render_folder: str | None = None
    error: str | None = None


class BatchOutcome(BaseModel):
    """What became of all rows, in their order; `seconds` from the first to the last."""

    rows: tuple[RowOutcome, ...]
    seconds: float


@flow(name="render-batch", flow_run_name="batch {request.name}", validate_parameters=True, persist_result=False)
def render_batch(request: BatchRequest, stack: StackOrName = LOCAL, engine: Engine = "prefect") -> BatchOutcome:
    """Renders many videos. Every row is checked before one is started; one that fails does not stop the others.

    Raises BatchInvalid when rows cannot be rendered, BatchIncomplete at the end when some were not.

    Args:
        request: The rows, and what they have in common.
        stack: Name of a RenderStack block, or local: this machine.
        engine: Who asks the workers: the rows' own flow runs, or the stack's state machine.
    """
    started = time.monotonic()
    place = load_stack(stack)
    with place.storage(), invoking(place):
        rows = read_rows(request, place)
        if request.dry_run:
            checked = tuple(RowOutcome(row=row.number, output=row.request.output, state="checked") for row in rows)
            publish_batch(request.name, [outcome.model_dump() for outcome in checked], 0.0)
            return BatchOutcome(rows=checked, seconds=time.monotonic() - started)
        outcomes = _rendered(rows, place, engine, min(request.in_flight, len(rows)))
    seconds = time.monotonic() - started
    publish_batch(request.name, [outcome.model_dump() for outcome in outcomes], seconds)
    wrong = [outcome for outcome in outcomes if outcome.state != "rendered"]
    if wrong:
        told = "\n".join(f"- row {outcome.row}, {outcome.output}: {outcome.error}" for outcome in wrong[:20])
        raise BatchIncomplete(f"{len(wrong)} of {len(rows)} rows were not rendered:\n{told}")
    return BatchOutcome(rows=tuple(outcomes), seconds=seconds)


def _rendered(rows: Sequence[Row], stack: Stack, engine: Engine, at_once: int) -> list[RowOutcome]:
    # Threads and no task runs: what a flow run within a task run does would count as the batch's own, and would be
    # rolled back with a row that fails.
    futures = _begun([partial(copy_context().run, render, row.request, stack, engine) for row in rows], at_once)
    try:
        _follow(futures)
    except BaseException:
        _cancel(rows, futures, stack)
        raise
    return [_outcome(row, future, stack) for row, future in zip(rows, futures, strict=True)]


def _begun(calls: Sequence[Callable[[], RenderOutcome]], at_once: int) -> list[Future[RenderOutcome]]:
    """Makes the calls, so many at once, in threads that nobody has to wait for: those of an executor keep the process
    until they have ended."""
    futures: list[Future[RenderOutcome]] = [Future() for _ in calls]
    waiting = deque(zip(futures, calls, strict=True))

    def work() -> None:
        while True:
            try:
                future, call = waiting.popleft()
            except IndexError:
                return
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

    for number in range(at_once):
        threading.Thread(target=work, daemon=True, name=f"rows-{number}").start()
    return futures


def _follow(futures: Sequence[Future[RenderOutcome]]) -> None:
    shown = ProgressArtifact("batch-progress")
    left = set(futures)
    while True:
        with only_looking():
            publish_rows(shown, len(futures) - len(left), len(futures))
        if not left:
            return
        _, left = wait(left, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)


def _cancel(rows: Sequence[Row], futures: Sequence[Future[RenderOutcome]], stack: Stack) -> None:
    """Begins no other row, and stops those that run, again and again until they have ended: one just begun may take the
    mark away. After a while nobody waits for them any longer."""
    running = {future: row for row, future in zip(rows, futures, strict=True) if not future.cancel()}
    left, until = set(running), time.monotonic() + CANCEL_SECONDS
    while left and time.monotonic() < until:
        for future in left:
            folder = RenderFolder(render_folder(running[future].request, stack))
            with only_looking():
                storage.write(folder.cancel, b"")
                invoker(stack).abandon(folder)
        _, left = wait(left, timeout=LOOK_SECONDS)
    for future in left:
        run_logger().warning("Row %d is cancelled, and has not ended yet", running[future].number)


def _outcome(row: Row, future: Future[RenderOutcome], stack: Stack) -> RowOutcome:
    ending = future.exception() or future.result()
    folder = render_folder(row.request, stack)
    if isinstance(ending, RenderOutcome):
        return RowOutcome(
            row=row.number,
            output=ending.output,
            state="rendered",
            frames=ending.frames,
            size_bytes=ending.size_bytes,
            seconds=ending.seconds,
            render_folder=folder,
        )
    told = f"{ending.code}: {ending.summary}" if isinstance(ending, RenderError) else str(ending)
    state: Literal["failed", "cancelled"] = "cancelled" if isinstance(ending, RenderCancelled) else "failed"
    return RowOutcome(row=row.number, output=row.request.output, state=state, render_folder=folder, error=told)
