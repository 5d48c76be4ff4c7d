"""The render flow: plan, one mapped task run for each chunk, assemble."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Literal, cast

from prefect import flow, get_run_logger, unmapped
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel

from flows.request import RenderRequest, check, output_uri, project_uri, render_folder
from lambda_handler import storage
from lambda_handler.errors import RenderError
from lambda_handler.events import AssembleEvent, PlanEvent, PlanResult, RenderChunkEvent, RenderChunkResult
from lambda_handler.manifest import load_checked
from lambda_handler.progress import Speedometer, frames_done
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import ProgressArtifact, describe, publish_chunks, publish_report, publish_stills
from tasks.invoke import invoking
from tasks.roles import assemble, groups, plan, render_chunk
from tasks.stack import LOCAL, Stack, StackOrName, load_stack

LOOK_SECONDS = 2.0


class RenderOutcome(BaseModel):
    """A finished render. Sizes in bytes, times in seconds; `frames_captured` were drawn in this run, the others
    found or unchanged."""

    output: str
    size_bytes: int
    width: int
    height: int
    fps: str
    frames: int
    duration: float
    frames_captured: int
    engine: str
    chunks: int
    chunks_found: int
    seconds: float
    render_folder: str
    warnings: tuple[str, ...]


@flow(name="render", flow_run_name="render {request.name}", validate_parameters=True, persist_result=False)
def render(request: RenderRequest, stack: StackOrName = LOCAL, engine: Literal["prefect"] = "prefect") -> RenderOutcome:
    """Renders one video. What is already rendered in its folder is not rendered again.

    Raises the RenderError that stopped it.

    Args:
        request: What to render, how, and where to.
        stack: Name of a RenderStack block, or local: this machine.
        engine: Who asks the workers: this flow.
    """
    started = time.monotonic()
    place = load_stack(stack)
    check(request, place)
    folder = RenderFolder(render_folder(request, place))
    with place.storage(), invoking(place):
        storage.delete(folder.cancel)
        return _rendered(request, place, folder, engine, started)


def _rendered(request: RenderRequest, stack: Stack, folder: RenderFolder, engine: str, started: float) -> RenderOutcome:
    logger = get_run_logger()
    planned = plan(
        PlanEvent(
            action="plan",
            project_s3_uri=project_uri(request, stack),
            plan_output_s3_prefix=folder.prefix,
            output_s3_uri=output_uri(request, stack),
            config=request.config,
        ),
        stack,
    )
    manifest = load_checked(folder.manifest, planned.plan_hash)
    logger.info(
        "%d frames of %d x %d px at %s frames/s in %d chunks; render folder %s",
        planned.total_frames, planned.width, planned.height, planned.fps, planned.chunk_count, folder.prefix,
    )  # fmt: skip
    for warning in manifest.warnings:
        logger.warning(warning)
    chunks = _chunks(planned, stack, folder)
    publish_chunks(manifest, chunks)
    video = assemble(
        AssembleEvent(
            action="assemble",
            **_locators(planned),
            chunk_s3_uris=tuple(chunk.chunk_s3_uri for chunk in chunks),
            audio_s3_uri=planned.audio_s3_uri,
            output_s3_uri=output_uri(request, stack),
        ),
        stack,
    )
    report = json.loads(storage.read(folder.report))
    seconds = time.monotonic() - started
    publish_report(request.name, planned, report, seconds)
    publish_stills(request.name, folder)
    return RenderOutcome(
        output=video.output_s3_uri,
        size_bytes=video.file_size,
        width=planned.width,
        height=planned.height,
        fps=planned.fps,
        frames=video.frames_encoded,
        duration=report["durationSeconds"],
        frames_captured=sum(chunk.frames_captured for chunk in chunks),
        engine=engine,
        chunks=len(chunks),
        chunks_found=sum(not chunk.frames_captured for chunk in chunks),
        seconds=seconds,
        render_folder=folder.prefix,
        warnings=manifest.warnings,
    )


def _chunks(planned: PlanResult, stack: Stack, folder: RenderFolder) -> list[RenderChunkResult]:
    """All chunks in order; raises one error when some cannot be rendered."""
    events = [
        RenderChunkEvent(
            action="renderChunk",
            **_locators(planned),
            chunk_index=index,
            chunk_output_s3_prefix=folder.chunks,
        )
        for index in range(planned.chunk_count)
    ]
    runner: ThreadPoolTaskRunner[list[RenderChunkResult]] = ThreadPoolTaskRunner(max_workers=stack.concurrency)
    with runner:
        mapped = runner.map(render_chunk, {"group": groups(events), "stack": unmapped(stack)})
        futures = cast(Sequence[PrefectFuture[list[RenderChunkResult]]], mapped)
        try:
            _watch(futures, folder, planned.total_frames)
        except (TerminationSignal, KeyboardInterrupt):
            # Before the runner waits for its threads: the workers stop between two frames.
            storage.write(folder.cancel, b"")
            raise
    failures = [error for future in futures if isinstance(error := _ending(future), BaseException)]
    if failures:
        raise _combined(failures, len(futures))
    return [result for future in futures for result in future.result()]


def _ending(future: PrefectFuture[list[RenderChunkResult]]) -> object:
    future.wait()
    return future.result(raise_on_failure=False)


def _watch(futures: Sequence[PrefectFuture[list[RenderChunkResult]]], folder: RenderFolder, total: int) -> None:
    """Shows how far the render is until every task run has ended."""
    logger = get_run_logger()
    speedometer, shown, told = Speedometer(total), ProgressArtifact(), 0.0
    waiting = list(futures)
    while waiting:
        waiting[0].wait(LOOK_SECONDS)
        waiting = [future for future in waiting if not future.state.is_final()]
        pace = speedometer.pace(frames_done(folder))
        shown.show(pace)
        if pace.fraction - told >= 0.1:
            told = pace.fraction
            logger.info(describe(pace))


def _combined(failures: Sequence[BaseException], of: int) -> BaseException:
    first = next((error for error in failures if isinstance(error, RenderError)), failures[0])
    if not isinstance(first, RenderError) or len(failures) == 1:
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
