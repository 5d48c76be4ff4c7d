"""The batch flow: a row of its own for each video, a few at once, and none that sinks the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Literal, cast

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel

from flows.render import Engine, RenderOutcome, render
from flows.request import render_folder
from flows.rows import BatchRequest, Row, read_rows
from lambda_handler import storage
from lambda_handler.errors import BatchIncomplete, RenderCancelled, RenderError
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import ProgressArtifact, publish_batch, publish_rows
from tasks.invoke import invoking
from tasks.stack import LOCAL, Stack, StackOrName, load_stack

LOOK_SECONDS = 1.0


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


class _Sign:
    """Tells rows that the batch was cancelled, and which of them have begun."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.begun: set[int] = set()


@task(name="row", task_run_name="row[{row.number:04d}] {row.request.name}", cache_policy=NO_CACHE, persist_result=False)
def render_row(row: Row, stack: Stack, engine: Engine, sign: _Sign) -> RenderOutcome:
    """Renders a row as a flow run of its own. Raises the RenderError that stopped it."""
    if sign.stopped.is_set():
        raise RenderCancelled("The batch was cancelled before this row was begun.")
    sign.begun.add(row.number)
    return render(row.request, stack, engine)


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
    sign = _Sign()
    runner: ThreadPoolTaskRunner[RenderOutcome] = ThreadPoolTaskRunner(max_workers=at_once)
    with runner:
        mapped = runner.map(
            render_row,
            {"row": list(rows), "stack": unmapped(stack), "engine": unmapped(engine), "sign": unmapped(sign)},
        )
        futures = cast(Sequence[PrefectFuture[RenderOutcome]], mapped)
        try:
            _follow(futures)
        except (TerminationSignal, KeyboardInterrupt):
            sign.stopped.set()
            _cancel(rows, futures, stack, sign)
            raise
    return [_outcome(row, future, stack) for row, future in zip(rows, futures, strict=True)]


def _follow(futures: Sequence[PrefectFuture[RenderOutcome]]) -> None:
    ended, left = threading.Semaphore(0), len(futures)
    for future in futures:
        future.add_done_callback(lambda _future: ended.release())
    shown = ProgressArtifact("batch-progress")
    publish_rows(shown, 0, len(futures))
    while left:
        if ended.acquire(timeout=LOOK_SECONDS):
            left -= 1
            publish_rows(shown, len(futures) - left, len(futures))


def _cancel(rows: Sequence[Row], futures: Sequence[PrefectFuture[RenderOutcome]], stack: Stack, sign: _Sign) -> None:
    """Until every row has ended: one that was just beginning may have taken the mark away."""
    ended, left = threading.Semaphore(0), len(futures)
    for future in futures:
        future.add_done_callback(lambda _future: ended.release())
    while left:
        for row, future in zip(rows, futures, strict=True):
            if row.number in sign.begun and not future.state.is_final():
                storage.write(RenderFolder(render_folder(row.request, stack)).cancel, b"")
        if ended.acquire(timeout=LOOK_SECONDS):
            left -= 1


def _outcome(row: Row, future: PrefectFuture[RenderOutcome], stack: Stack) -> RowOutcome:
    future.wait()
    ending = future.result(raise_on_failure=False)
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
