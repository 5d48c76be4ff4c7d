"""The Lambda stand-in: tiny functions under AWS's own runtime client, and what becomes of bad ones."""

from __future__ import annotations

import errno
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra import isolation
from infra.local_aws import CREDENTIALS, runtime
from infra.standin import Function, Standin, running

CODE = """
import os, signal, sys, time

count = 0

def handler(event, context):
    global count
    count += 1
    match event["do"]:
        case "answer":
            return {"count": count, "left": context.get_remaining_time_in_millis(), "pid": os.getpid(),
                    "request": context.aws_request_id, "memory": context.memory_limit_in_mb, "path": sys.path,
                    "tmp": os.environ["TMPDIR"]}
        case "sleep":
            time.sleep(event["seconds"])
        case "raise":
            raise type(event["code"], (RuntimeError,), {})("what happened")
        case "exit":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            held = [bytearray(os.urandom(1 << 20)) for _ in range(event["mib"])]
            time.sleep(20)
        case "large":
            return "x" * (6 * 1024 * 1024 + 1)
        case "write":
            try:
                with open(event["path"], "w") as file:
                    file.write("x" * event.get("bytes", 1))
                return {"written": True, "uid": os.getuid()}
            except OSError as error:
                return {"written": False, "uid": os.getuid(), "number": error.errno}
"""

Start = Callable[..., Standin]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a stand-in for the tiny function within other limits."""
    task = tmp_path / "task"
    task.mkdir()
    (task / "tiny.py").write_text(CODE)
    open_ones = []

    def started(**limits: Any) -> Standin:
        given = {"timeout_seconds": 60.0, "memory_mb": 256} | limits
        function = Function(
            task, runtime(Path(sys.executable)), handler="tiny.handler", python=Path(sys.executable), **given
        )
        context = running(function, tmp_path / "logs")
        open_ones.append(context)
        return context.__enter__()

    yield started
    for context in open_ones:
        context.__exit__(None, None, None)


def _client(standin: Standin) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=standin.url,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def _invoke(standin: Standin, **event: Any) -> tuple[Any, str | None]:
    told = _client(standin).invoke(FunctionName=standin.function.name, Payload=json.dumps(event))
    return json.loads(told["Payload"].read()), told.get("FunctionError")


@pytest.mark.parametrize("isolated", [False, pytest.param(True, marks=pytest.mark.skipif(
    not isolation.available(), reason="needs bubblewrap"))])  # fmt: skip
def test_a_function_answers_and_stays_warm(start: Start, isolated: bool) -> None:
    """It sees its own limits, and nothing of what is installed around it."""
    standin = start(isolated=isolated)
    first, error = _invoke(standin, do="answer")
    second, _ = _invoke(standin, do="answer")
    assert error is None
    assert (first["count"], second["count"]) == (1, 2)
    assert first["request"] != second["request"]
    assert 50_000 < second["left"] <= 60_000
    assert first["memory"] == "256"
    assert not any("site-packages" in path for path in first["path"])
    assert standin.environments == 1
    assert [call["cold"] for call in standin.invocations] == [True, False]


@pytest.mark.skipif(not isolation.available(), reason="needs bubblewrap")
def test_an_isolated_function_can_write_to_its_own_tmp_alone(start: Start, tmp_path: Path) -> None:
    """As another user, on a root that is read-only, without shared memory."""
    standin = start(isolated=True)
    places = {"/tmp/x": True, "/var/task/x": False, "/dev/shm/x": False, "/etc/x": False}  # noqa: S108
    for path, written in places.items():
        told, _ = _invoke(standin, do="write", path=path)
        assert (told["written"], told["uid"]) == (written, isolation.UID), told
    assert not Path("/tmp/x").exists()  # noqa: S108


@pytest.mark.skipif(not isolation.available(), reason="needs bubblewrap")
def test_an_isolated_functions_tmp_may_have_a_size(start: Start) -> None:
    """As a disk that is full; nothing of it lies on this machine's."""
    standin = start(isolated=True, tmp_mb=2)
    assert _invoke(standin, do="write", path="/tmp/x", bytes=1 << 20)[0]["written"]  # noqa: S108
    told, _ = _invoke(standin, do="write", path="/tmp/y", bytes=4 << 20)  # noqa: S108
    assert (told["written"], told["number"]) == (False, errno.ENOSPC)


def test_what_a_function_raises_keeps_its_name(start: Start) -> None:
    """Step Functions decides by it. The environment stays."""
    standin = start(isolated=False)
    told, error = _invoke(standin, do="raise", code="PLAN_HASH_MISMATCH")
    assert (told["errorType"], told["errorMessage"], error) == ("PLAN_HASH_MISMATCH", "what happened", "Unhandled")
    assert _invoke(standin, do="answer")[0]["count"] == 2


@pytest.mark.parametrize(
    ("event", "limits", "kind", "words"),
    [
        ({"do": "sleep", "seconds": 30}, {"timeout_seconds": 1.5}, "Sandbox.Timedout", "timed out after 1.50 seconds"),
        ({"do": "exit"}, {}, "Runtime.ExitError", "exit status 3"),
        ({"do": "killed"}, {}, "Runtime.ExitError", "SIGKILL"),
        ({"do": "memory", "mib": 300}, {"memory_mb": 128}, "Runtime.OutOfMemory", "signal: killed"),
    ],
)
def test_an_environment_that_ends_is_reported_and_replaced(
    start: Start, event: dict[str, Any], limits: dict[str, Any], kind: str, words: str
) -> None:
    """By Lambda's own error types; the next event gets a new process."""
    standin = start(isolated=False, **limits)
    before = _invoke(standin, do="answer")[0]
    told, error = _invoke(standin, **event)
    assert (told["errorType"], error) == (kind, "Unhandled")
    assert words in told["errorMessage"]
    after = _invoke(standin, do="answer")[0]
    assert after["count"] == 1
    assert after["pid"] != before["pid"]
    assert not Path(before["tmp"]).exists()


def test_an_answer_beyond_six_megabytes_is_refused(start: Start) -> None:
    told, error = _invoke(start(isolated=False), do="large")
    assert (told["errorType"], error) == ("Function.ResponseSizeTooLarge", "Unhandled")


def test_beyond_its_concurrency_a_function_is_throttled(start: Start) -> None:
    """By the API's own error, which Step Functions calls Lambda.TooManyRequestsException."""
    standin = start(isolated=False, concurrency=1)
    busy = threading.Thread(target=_invoke, args=(standin,), kwargs={"do": "sleep", "seconds": 2})
    busy.start()
    time.sleep(0.5)
    with pytest.raises(ClientError) as caught:
        _invoke(standin, do="answer")
    busy.join()
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    assert _invoke(standin, do="answer")[1] is None


def test_only_the_function_that_is_there_answers(start: Start) -> None:
    standin = start(isolated=False)
    client = _client(standin)
    with pytest.raises(ClientError, match="other") as caught:
        client.invoke(FunctionName="other", Payload=b"{}")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    answer = client.invoke(FunctionName=standin.function.arn, Payload=b'{"do": "answer"}')
    assert json.loads(answer["Payload"].read())["count"] == 1
