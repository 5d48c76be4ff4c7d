"""Looking at a render while it runs: what a look may not do."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError, ProfileNotFound
from obstore.exceptions import GenericError
from prefect.exceptions import ObjectNotFound
from prefect_aws import AwsCredentials
from pydantic import SecretStr

from flows import following, native
from flows.following import Following
from lambda_handler import attempts, storage
from lambda_handler.errors import StackInvalid, StorageUnavailable
from lambda_handler.manifest import Manifest
from lambda_handler.progress import ProgressReader
from lambda_handler.render_folder import RenderFolder
from tasks.spending import spending
from tasks.stack import AwsStack
from tasks.state_machine import StateMachineExecution


class _Shown:
    """The progress bar in the UI, without one."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def show(self, _fraction: float, told: str) -> None:
        self.told.append(told)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> _Shown:
    """What the progress bar was told."""
    made = _Shown()
    monkeypatch.setattr(following, "ProgressArtifact", lambda: made)
    return made


@pytest.fixture
def folder(roots: Path) -> RenderFolder:
    """A folder with two chunks at work, ten frames each."""
    made = RenderFolder(storage.file_uri(roots / "one"))
    for chunk in range(2):
        told = {"framesDone": 3, "framesTotal": 10, "writtenAt": time.time()}
        storage.write(made.progress(chunk), json.dumps(told).encode())
    return made


def _following(folder: RenderFolder, **given: Any) -> Following:
    return Following(folder, **{"frames": 20, "chunks": 2, "cancelled": lambda: None, **given})


def test_a_plan_that_cannot_be_read_just_now_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("progress/1.json"),
        json.JSONDecodeError("Expecting value", "", 0),
        KeyError("framesDone"),
        GenericError("a dispatch failed"),
        StorageUnavailable("s3://renders cannot be read."),
        EndpointConnectionError(endpoint_url="x"),
        ProfileNotFound(profile="nobody"),
        httpx.ConnectError("refused"),
        ObjectNotFound(http_exc=Exception("somebody has deleted the bar")),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["cancel", "progress", "bar", "price"])
def test_whatever_keeps_a_look_from_being_taken_does_not_end_the_run(
    where: str, error: Exception, shown: _Shown, folder: RenderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks go on; the look after it finds everything again."""

    def broken(*_: object) -> Any:
        raise error

    look = _following(folder, spent=broken if where == "price" else lambda: 1.0)
    with pytest.MonkeyPatch.context() as patch:
        if where == "cancel":
            patch.setattr(storage, "exists", broken)
        elif where == "progress":
            patch.setattr(ProgressReader, "_read_one", broken)
        elif where == "bar":
            patch.setattr(shown, "show", broken)
        look.look()
    look.look()
    assert shown.told[-1].startswith("6 of 20 frames")


def test_a_cancel_is_heard_though_progress_cannot_be_read_and_until_it_is_done(
    shown: _Shown, folder: RenderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution that cannot be stopped just now is stopped at a later look; nothing happens where no mark stands."""
    asked: list[int] = []

    def cancelled() -> None:
        asked.append(len(asked))
        if len(asked) == 1:
            raise StackInvalid("The execution cannot be stopped: Rate exceeded")

    storage.write(folder.progress(0), b"no JSON")
    look = _following(folder, cancelled=cancelled)
    look.look()
    assert asked == []
    storage.write(folder.cancel, b"")
    look.look()
    look.look()
    assert asked == [0, 1]
    storage.delete(folder.cancel)
    look.look()
    assert asked == [0, 1]


def test_an_execution_is_stopped_while_there_is_no_plan_yet(folder: RenderFolder) -> None:
    """The mark may be older than the manifest."""
    causes: list[str] = []

    class Execution:
        def stop(self, cause: str) -> None:
            causes.append(cause)

    storage.write(folder.cancel, b"")
    stack = AwsStack(bucket="renders", function="render")
    native._Mirror(folder, cast(StateMachineExecution, Execution()), stack).look()
    assert causes == ["The render was cancelled."]


def test_a_look_does_not_wait_for_a_price_that_takes_its_time(
    shown: _Shown, folder: RenderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on without; the price is shown when it is there, and nobody asks for it twice at once."""
    monkeypatch.setattr(following, "PRICE_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(following, "PRICE_SECONDS", 0.0)
    answer, asked = threading.Event(), []

    def spent() -> float:
        asked.append(1)
        answer.wait(20)
        return 0.25

    look = _following(folder, spent=spent)
    began = time.monotonic()
    look.look()
    look.look()
    assert time.monotonic() - began < 5
    assert len(asked) == 1
    assert "USD" not in shown.told[-1]
    answer.set()
    monkeypatch.setattr(following, "PRICE_WAIT_SECONDS", 5)
    look.look()
    assert shown.told[-1].endswith("0.2500 USD so far")


def test_a_price_asks_for_the_region_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a role is to be assumed, a session is a request to STS."""
    sessions: list[int] = []

    class Session:
        region_name = "us-east-1"

    def session(_self: AwsCredentials) -> Session:
        sessions.append(1)
        return Session()

    monkeypatch.setattr(AwsCredentials, "get_boto3_session", session)
    monkeypatch.setattr(attempts, "of_plan", lambda *_: ([], [attempts.Attempt(0.0, 1000.0)]))
    keys = AwsCredentials(aws_access_key_id="K", aws_secret_access_key=SecretStr("-"))
    stack = AwsStack(bucket="renders", function="render", credentials=keys)
    so_far = spending(RenderFolder("s3://renders/one"), cast(Manifest, None), stack)
    assert so_far() == so_far() != 0
    assert len(sessions) == 1
