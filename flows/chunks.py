"""The Prefect engine: plan, at most 200 mapped task runs for the chunks, assemble."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from math import ceil
from queue import Empty, SimpleQueue
from typing import Any, cast

from prefect import get_run_logger, unmapped
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.following import Following, only_looking
from lambda_handler import storage
from lambda_handler.errors import RenderCancelled, RenderError
from lambda_handler.events import AssembleEvent, PlanEvent, PlanResult, RenderChunkEvent, RenderChunkResult, to_wire
from lambda_handler.manifest import Manifest, load_checked
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import publish_chunks
from tasks.invoke import invoker
from tasks.roles import RenderedGroup, assemble, groups, plan, render_chunk
from tasks.spending import attempts_by_chunk, spending
from tasks.stack import Stack

LOOK_SECONDS = 2.0


def by_prefect(event: PlanEvent, output: str, stack: Stack) -> list[RenderChunkResult]:
    """Renders what `event` asks for, up to the video at `output`; returns what its chunks came to, in order.

    Raises the RenderError that stopped it.
    """
    folder = RenderFolder(event.plan_output_s3_prefix)
    planned = plan(event, stack)
    manifest = load_checked(folder.manifest, planned.plan_hash)
    logger = get_run_logger()
    logger.info(
        "%d frames of %d x %d px at %s frames/s in %d chunks; render folder %s",
        planned.total_frames, planned.width, planned.height, planned.fps, planned.chunk_count, folder.prefix,
    )  # fmt: skip
    for warning in manifest.warnings:
        logger.warning(warning)
    rendered = _rendered(planned, manifest, stack, folder)
    chunks = [result for group in rendered for result in group.results]
    with only_looking():
        tried = {result.chunk_index: group.attempts for group in rendered for result in group.results}
        publish_chunks(manifest, chunks, attempts_by_chunk(folder, manifest) or tried)
    assemble(
        AssembleEvent(action="assemble", **_locators(planned), audio_s3_uri=planned.audio_s3_uri, output_s3_uri=output),
        stack,
    )
    return chunks


def _rendered(planned: PlanResult, manifest: Manifest, stack: Stack, folder: RenderFolder) -> list[RenderedGroup]:
    """All chunks in order, in their groups; raises one error when some cannot be rendered."""
    events = [
        RenderChunkEvent(action="renderChunk", **_locators(planned), chunk_index=index)
        for index in range(planned.chunk_count)
    ]
    worker = invoker(stack)

    def straggling(chunk: int) -> None:
        if worker.hedge(to_wire(events[chunk])):
            get_run_logger().warning("Chunk %d lags behind; it is rendered a second time", chunk)

    following = Following(
        folder,
        frames=planned.total_frames,
        chunks=planned.chunk_count,
        cancelled=lambda: worker.abandon(folder),
        asked=lambda: worker.asked(folder),
        straggling=straggling,
        spent=spending(folder, manifest, stack),
    )
    made = groups(events)
    at_once = min(len(events), stack.concurrency)
    if stack.kind == "aws":
        # What was asked for, and what the function reserves: as the state machine does.
        at_once = min(at_once, planned.max_parallel_chunks)
    # A group of many chunks drives several at once, so that few task runs keep all places busy.
    width = ceil(at_once / len(made))
    runner, running = _runner(min(len(made), ceil(at_once / width)))
    with running:
        given = {"group": made, "stack": unmapped(stack), "width": unmapped(width)}
        try:
            futures = cast(Sequence[PrefectFuture[RenderedGroup]], runner.map(cast(Any, render_chunk), given))
            _follow(futures, following)
        except (TerminationSignal, KeyboardInterrupt):
            # Before the runner waits for its threads: workers stop between two frames, and nobody waits for Lambda.
            storage.write(folder.cancel, b"")
            worker.abandon(folder)
            raise
    endings: list[RenderedGroup | BaseException] = [future.result(raise_on_failure=False) for future in futures]
    failures = [ending for ending in endings if isinstance(ending, BaseException)]
    if failures:
        raise _combined(failures, len(futures))
    return [ending for ending in endings if isinstance(ending, RenderedGroup)]


def _runner(workers: int) -> tuple[TaskRunner[Any], AbstractContextManager[object]]:
    """The flow's own task runner where it was given one, as Dask's; else as many threads as are worth having."""
    context = FlowRunContext.get()
    if context and not isinstance(context.task_runner, ThreadPoolTaskRunner):
        return context.task_runner, nullcontext()
    threads: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
    return threads, threads


def _follow(futures: Sequence[PrefectFuture[RenderedGroup]], following: Following) -> None:
    """Looks at the render until every task run has ended. The API is not asked: what it says may be late."""
    ended: SimpleQueue[PrefectFuture[RenderedGroup]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    left, next_look = len(futures), 0.0
    while left:
        if (now := time.monotonic()) >= next_look:
            following.look()
            next_look = now + LOOK_SECONDS
        with suppress(Empty):
            ended.get(timeout=max(0.0, next_look - time.monotonic()))
            left -= 1
    for future in futures:
        future.wait()
    following.look()


def _combined(failures: Sequence[BaseException], of: int) -> BaseException:
    stopped = [error for error in failures if isinstance(error, RenderCancelled)]
    first = next((error for error in [*stopped, *failures] if isinstance(error, RenderError)), failures[0])
    if not isinstance(first, RenderError) or len(failures) == 1 or stopped:
        return first
    told = f"{first.summary} ({len(failures)} of {of} task runs failed.)"
    return type(first)(told, resolution=first.resolution)


def _locators(planned: PlanResult) -> dict[str, str]:
    return {
        "plan_hash": planned.plan_hash,
        "plan_v2_manifest_s3_uri": planned.plan_v2_manifest_s3_uri,
        "plan_v2_artifact_s3_prefix": planned.plan_v2_artifact_s3_prefix,
        "format": planned.format,
    }
