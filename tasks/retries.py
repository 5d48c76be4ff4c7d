"""Which failed task runs are tried again, and how long they wait: the error's type decides."""

from __future__ import annotations

from typing import Any

from prefect import Task
from prefect.client.schemas import TaskRun
from prefect.client.schemas.objects import State
from prefect.tasks import exponential_backoff

from lambda_handler.errors import RenderError, Retry

RETRIES = 4
BACKOFF_SECONDS = exponential_backoff(1)
JITTER = 0.5


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the same work may succeed when it is tried again."""
    error = state.result(raise_on_failure=False)
    # Throttling is waited out where it is met: a free place is not worth one of few attempts.
    return isinstance(error, RenderError) and error.retry is Retry.TRANSIENT
