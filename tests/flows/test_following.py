"""Looking at a render while it runs: what a look may not do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from prefect.logging import disable_run_logger

from flows import native
from lambda_handler.errors import StorageUnavailable
from lambda_handler.render_folder import RenderFolder
from tasks.stack import AwsStack
from tasks.state_machine import StateMachineExecution


@pytest.fixture
def quiet() -> Iterator[None]:
    """A run's logger where there is no run."""
    with disable_run_logger():
        yield


def test_a_plan_that_cannot_be_read_just_now_does_not_end_the_wait(
    quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The execution goes on; the next look may find it."""
    asked: list[str] = []

    def load(uri: str) -> None:
        asked.append(uri)
        if len(asked) == 1:
            raise StorageUnavailable(f"{uri} cannot be read.")

    monkeypatch.setattr(native, "load", load)
    stack = AwsStack(bucket="renders", function="render")
    mirror = native._Mirror(RenderFolder("s3://renders/one"), cast(StateMachineExecution, None), stack)
    mirror.look()
    mirror.look()
    assert len(asked) == 2
