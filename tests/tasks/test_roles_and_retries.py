"""The tasks' own decisions: how chunks are grouped, and what is worth another try."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import pytest
from prefect import Task
from prefect.client.schemas import State
from prefect.states import Completed, Crashed, exception_to_failed_state
from prefect.utilities.asyncutils import run_coro_as_sync

from lambda_handler.errors import ERRORS, RenderCancelled, RenderError, Retry, WorkerLost
from lambda_handler.events import RenderChunkEvent, RenderChunkResult, to_wire, validated
from tasks import roles
from tasks.local_stack import LocalStack
from tasks.retries import worth_retrying
from tasks.roles import MAX_TASK_RUNS, groups


def _events(count: int) -> list[RenderChunkEvent]:
    fields = {
        "Action": "renderChunk",
        "PlanHash": "ab",
        "PlanV2ManifestS3Uri": "s3://b/plan/manifest.json",
        "PlanV2ArtifactS3Prefix": "s3://b/plan/artifacts",
        "ChunkOutputS3Prefix": "s3://b/chunks",
    }
    return [validated(RenderChunkEvent, {**fields, "ChunkIndex": index}) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 199, 200, 201, 256, 399, 400, 401, 1000])
@pytest.mark.parametrize("most", [1, 3, MAX_TASK_RUNS])
def test_chunks_are_grouped_evenly_and_in_order(count: int, most: int) -> None:
    """Each chunk once, at most so many groups, lengths that differ by at most one."""
    events = _events(count)
    made = groups(events, most)
    lengths = [len(group.events) for group in made]
    assert [event for group in made for event in group.events] == events
    assert len(made) == min(count, most)
    assert max(lengths) - min(lengths) <= 1


def test_a_render_has_at_most_200_task_runs() -> None:
    """A Prefect server falls behind with more."""
    assert len(groups(_events(256))) == 200


def test_a_group_is_labelled_by_its_chunks() -> None:
    """One chunk by its index, more by the first and the last."""
    assert [group.label for group in groups(_events(3), 2)] == ["0000", "0001-0002"]


class _Invoker:
    """Each chunk takes a moment; the first one ends as it is told."""

    def __init__(self, error: RenderError) -> None:
        self.begun: list[int] = []
        self._error = error

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        chunk = event["ChunkIndex"]
        self.begun.append(chunk)
        if chunk == 1:
            raise self._error
        time.sleep(0.2)
        result = RenderChunkResult(
            chunk_s3_uri=f"s3://b/chunks/{chunk}.mp4",
            chunk_index=chunk,
            sha256="cd" * 32,
            frames_encoded=1,
            frames_captured=1,
            duration_ms=1,
        )
        return to_wire(result)


def test_no_chunk_of_a_group_is_begun_after_one_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once: the one beside it goes on to its end, and the other eighteen stay where they are."""
    invoker = _Invoker(WorkerLost("It was killed."))
    monkeypatch.setattr(roles, "invoker", lambda _stack: invoker)
    (group,) = groups(_events(20), 1)
    with pytest.raises(WorkerLost):
        roles.render_chunk.fn(group, LocalStack(), 2)
    assert len(invoker.begun) <= 3


def test_a_cancelled_group_begins_no_other_chunk_and_ends_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of Prefect's, and no failure."""
    invoker = _Invoker(RenderCancelled("Enough."))
    monkeypatch.setattr(roles, "invoker", lambda _stack: invoker)
    (group,) = groups(_events(20), 1)
    state = cast(State[Any], roles.render_chunk.fn(group, LocalStack(), 2))
    assert state.is_cancelled()
    assert len(invoker.begun) <= 3


def _failed(error: BaseException) -> State[Any]:
    return run_coro_as_sync(exception_to_failed_state(error))


def _worth(state: State[Any]) -> bool:
    return worth_retrying(roles.plan, None, state)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ERRORS.values(), ids=lambda kind: kind.__name__)
def test_an_errors_type_decides_whether_it_is_retried(kind: type[RenderError]) -> None:
    """From the one table; throttling is waited out before it gets here."""
    assert _worth(_failed(kind("It broke."))) == (kind.retry is Retry.TRANSIENT)


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("x"), ConnectionError("reset")])
def test_any_other_exception_is_not_retried(error: Exception) -> None:
    """It is a bug, and would only come again."""
    assert not _worth(_failed(error))


def test_a_run_that_did_not_fail_is_not_retried() -> None:
    """Completed, or crashed with the process: Prefect's own business."""
    assert not _worth(Completed(data=1))
    assert not _worth(Crashed(message="killed"))


@pytest.mark.parametrize("role", [roles.plan, roles.render_chunk, roles.assemble], ids=lambda role: role.name)
def test_every_role_is_retried_by_the_same_rule(role: Task[..., Any]) -> None:
    """A few times, further apart each time, and no result is taken from a cache."""
    assert role.retry_condition_fn is worth_retrying
    assert role.retries == 4
    assert role.retry_delay_seconds == [1, 2, 4, 8]
