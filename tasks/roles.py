"""The three roles as Prefect tasks. They hold nothing: everything is in the render folder."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from itertools import pairwise
from typing import cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.states import Cancelled
from pydantic import BaseModel, ConfigDict

from lambda_handler.errors import RenderCancelled
from lambda_handler.events import (
    AssembleEvent,
    AssembleResult,
    PlanEvent,
    PlanResult,
    RenderChunkEvent,
    RenderChunkResult,
    to_wire,
)
from tasks.invoke import invoker
from tasks.retries import BACKOFF_SECONDS, JITTER, RETRIES, worth_retrying
from tasks.stack import Stack

MAX_TASK_RUNS = 200
"""A Prefect server needs about 24 ms of CPU for each task run; above this many it falls behind."""


class ChunkGroup(BaseModel):
    """Consecutive chunks that one task run renders."""

    model_config = ConfigDict(frozen=True)

    events: tuple[RenderChunkEvent, ...]

    @property
    def label(self) -> str:
        """The chunks' indices, as the UI shows them."""
        first, last = self.events[0].chunk_index, self.events[-1].chunk_index
        return f"{first:04d}" if first == last else f"{first:04d}-{last:04d}"


class RenderedGroup(BaseModel):
    """What the chunks of a group came to, in order, and in how many attempts of their task run."""

    model_config = ConfigDict(frozen=True)

    results: tuple[RenderChunkResult, ...]
    attempts: int


def groups(events: list[RenderChunkEvent], most: int = MAX_TASK_RUNS) -> list[ChunkGroup]:
    """`events` in at most `most` groups whose lengths differ by at most one."""
    count = min(len(events), most)
    bounds = [len(events) * index // count for index in range(count + 1)]
    return [ChunkGroup(events=tuple(events[start:end])) for start, end in pairwise(bounds)]


@task(
    name="plan",
    task_run_name="plan",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=BACKOFF_SECONDS,
    retry_jitter_factor=JITTER,
    retry_condition_fn=worth_retrying,
)
def plan(event: PlanEvent, stack: Stack) -> PlanResult:
    """Plans the render, or finds its plan."""
    return PlanResult.model_validate(invoker(stack).invoke(to_wire(event)))


@task(
    name="render-chunk",
    task_run_name="render[{group.label}]",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=BACKOFF_SECONDS,
    retry_jitter_factor=JITTER,
    retry_condition_fn=worth_retrying,
)
def render_chunk(group: ChunkGroup, stack: Stack, width: int = 1) -> RenderedGroup:
    """Renders the chunks of the group, `width` of them at once, or finds them. Ends as cancelled when the render is.

    None is begun after one has failed.
    """
    worker = invoker(stack)
    running = TaskRunContext.get()
    attempts = running.task_run.run_count if running else 1

    def rendered(event: RenderChunkEvent) -> RenderChunkResult:
        return RenderChunkResult.model_validate(worker.invoke(to_wire(event)))

    try:
        if width == 1:
            return RenderedGroup(results=tuple(map(rendered, group.events)), attempts=attempts)
        with ThreadPoolExecutor(width) as pool:
            # Each in the task run's context: what it logs belongs to that.
            futures = [pool.submit(copy_context().run, rendered, event) for event in group.events]
            ended, left = wait(futures, return_when=FIRST_EXCEPTION)
            # What has begun goes on to its end, and is found by the next try.
            for future in left:
                future.cancel()
            results = tuple(future.result() for future in futures if future in ended)
            return RenderedGroup(results=results, attempts=attempts)
    except RenderCancelled as error:
        return cast(RenderedGroup, Cancelled(message=error.summary, data=error))


@task(
    name="assemble",
    task_run_name="assemble",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=BACKOFF_SECONDS,
    retry_jitter_factor=JITTER,
    retry_condition_fn=worth_retrying,
)
def assemble(event: AssembleEvent, stack: Stack) -> AssembleResult:
    """Joins the chunks, verifies the video and publishes it."""
    return AssembleResult.model_validate(invoker(stack).invoke(to_wire(event)))
