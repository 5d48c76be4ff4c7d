"""The function as an invoker, against a Lambda API of this machine: what is invoked, how often, what comes of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from lambda_endpoint import Endpoint, Function, HangUp, lambda_endpoint, refused
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters
from pydantic import SecretStr
from simulated import coded

from lambda_handler import storage
from lambda_handler.errors import (
    FontFetchFailed,
    RenderCancelled,
    RenderError,
    StackInvalid,
    Throttled,
    WorkerLost,
)
from lambda_handler.render_folder import RenderFolder
from tasks import lambda_function, throttle
from tasks.lambda_function import LambdaFunction
from tasks.stack import AwsStack

BUCKET = "renders"
FOLDER = RenderFolder(f"s3://{BUCKET}/renders/one")


def event(chunk: int = 0, folder: RenderFolder = FOLDER) -> dict[str, Any]:
    """What asks for a chunk."""
    return {"Action": "renderChunk", "PlanV2ManifestS3Uri": folder.manifest, "ChunkIndex": chunk}


@contextmanager
def _invoking(function: Function, **fields: Any) -> Iterator[tuple[LambdaFunction, Endpoint]]:
    with lambda_endpoint(function) as endpoint:
        keys = AwsCredentials(
            aws_access_key_id=f"K{uuid4().hex}",
            aws_secret_access_key=SecretStr("-"),
            region_name="us-east-1",
            aws_client_parameters=AwsClientParameters(endpoint_url=endpoint.url),
        )
        made = LambdaFunction(AwsStack(bucket=BUCKET, function="render", credentials=keys, **fields))
        try:
            yield made, endpoint
        finally:
            made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that last milliseconds."""
    monkeypatch.setattr(throttle, "LONGEST_SECONDS", 0.01)
    monkeypatch.setattr(throttle, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(lambda_function, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(lambda_function, "HEDGE_SECONDS", 0.0)


def _answering(*answers: Mapping[str, Any] | Exception) -> Function:
    """Gives the answers one after another, the last one for good."""
    left = list(answers)

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return function


def test_a_result_is_what_the_function_returned() -> None:
    """One invocation, with the event as it is."""
    asked: list[Mapping[str, Any]] = []

    def function(given: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(given)
        return {"ChunkIndex": 0}

    with _invoking(function) as (worker, endpoint):
        assert worker.invoke(event()) == {"ChunkIndex": 0}
    assert (asked, endpoint.invocations) == ([event()], 1)


def test_a_chunk_that_takes_its_time_is_invoked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where botocore's own retries would invoke it five times: the answer is waited for as long as the function may
    take, and then nobody invokes it again by themselves."""
    monkeypatch.setattr(lambda_function, "ANSWER_SECONDS", -59)

    def slow(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        time.sleep(2)
        return {}

    # The plan has no progress object to look at.
    with _invoking(slow, timeout_seconds=60) as (worker, endpoint):
        with pytest.raises(WorkerLost, match="no answer about plan"):
            worker.invoke({"Action": "plan", "PlanOutputS3Prefix": FOLDER.prefix})
        time.sleep(0.5)
        assert endpoint.invocations == 1


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (coded("FONT_FETCH_FAILED"), FontFetchFailed, "It broke."),
        (coded("WORKER_LOST"), WorkerLost, "It broke."),
        (coded("Runtime.ExitError"), WorkerLost, "Runtime.ExitError"),
        (coded("Runtime.OutOfMemory"), WorkerLost, "Runtime.OutOfMemory"),
        (coded("Sandbox.Timedout"), WorkerLost, "Sandbox.Timedout"),
        (coded("Lambda.Unknown"), WorkerLost, "Lambda.Unknown"),
        (type("", (RuntimeError,), {})("2026 id Task timed out after 900.00 seconds"), WorkerLost, "Task timed out"),
        (coded("Runtime.ImportModuleError"), StackInvalid, "cannot run"),
        (coded("ZeroDivisionError"), RenderError, "ZeroDivisionError"),
        (refused("ResourceNotFoundException", 404), StackInvalid, "ResourceNotFoundException"),
        (refused("AccessDeniedException", 403), StackInvalid, "AccessDeniedException"),
        (refused("ServiceException", 500), WorkerLost, "did not take"),
        (refused("ResourceConflictException", 409), WorkerLost, "did not take"),
    ],
    ids=lambda value: getattr(value, "__name__", None) if isinstance(value, type) else None,
)
def test_what_goes_wrong_is_one_of_our_errors(raised: Exception, error: type[RenderError], told: str) -> None:
    """By the handler's own code; a function that was ended is a lost worker; what is not there is the stack's fault."""
    with _invoking(_answering(raised)) as (worker, endpoint):
        with pytest.raises(RenderError, match=told) as caught:
            worker.invoke(event())
        assert type(caught.value) is error
        assert endpoint.invocations == 1


@pytest.mark.parametrize("code", ["TooManyRequestsException", "EC2ThrottledException", "ThrottlingException"])
def test_throttling_is_waited_out(code: str, impatient: None) -> None:
    """As often as it comes, whoever says it: Lambda's API or the handler."""
    busy = [refused(code, 429 if code.startswith("T") else 502)] * 12
    with _invoking(_answering(*busy, coded("THROTTLED"), {"done": 1})) as (worker, endpoint):
        assert worker.invoke(event()) == {"done": 1}
        assert endpoint.invocations == 14


def test_a_function_that_is_never_free_fails_at_last(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as long as a render may take."""
    monkeypatch.setattr(lambda_function, "THROTTLED_SECONDS", 0.2)
    with (
        _invoking(_answering(refused("TooManyRequestsException", 429))) as (worker, _),
        pytest.raises(Throttled, match="No place was free"),
    ):
        worker.invoke(event())


def test_waits_grow_and_are_random() -> None:
    """Below a ceiling that doubles up to a minute: so that chunks do not all come back at once."""
    drawn = [[next(waits) for _ in range(12)] for waits in (throttle.delays() for _ in range(200))]
    for index in range(12):
        ceiling = min(60.0, 2.0**index)
        found = [each[index] for each in drawn]
        assert 0 <= min(found) < ceiling / 4
        assert ceiling * 3 / 4 < max(found) <= ceiling


def test_expired_credentials_are_renewed_in_the_middle_of_a_render() -> None:
    """By a fresh client."""
    expired = threading.Event()

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        if not expired.is_set():
            expired.set()
            raise refused("ExpiredTokenException", 403)
        return {}

    with _invoking(function) as (worker, endpoint):
        assert worker.invoke(event()) == {}
        assert endpoint.invocations == 2


def test_credentials_that_stay_expired_are_the_stacks_fault() -> None:
    """It is not tried for ever."""
    with (
        _invoking(_answering(refused("ExpiredTokenException", 403))) as (worker, _),
        pytest.raises(StackInvalid, match="expired"),
    ):
        worker.invoke(event())


def test_a_connection_that_breaks_waits_while_the_chunk_goes_on(
    bucket: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its progress says that the function is at work: who asked again now would only have it rendered twice."""
    monkeypatch.setattr(lambda_function, "STILL_SECONDS", 0.35)
    folder = RenderFolder(f"s3://{bucket}/renders/one")

    def beat(done: int) -> None:
        told = {"framesDone": done, "framesTotal": 3, "writtenAt": time.time()}
        storage.write(folder.progress(0), json.dumps(told).encode())

    def work() -> None:
        for done in (1, 2, 3):
            time.sleep(0.2)
            beat(done)

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        beat(0)
        threading.Thread(target=work).start()
        raise HangUp

    with _invoking(function) as (worker, _):
        began = time.monotonic()
        with pytest.raises(WorkerLost, match="no answer"):
            worker.invoke(event(folder=folder))
        assert 0.9 < time.monotonic() - began < 5


def test_a_bug_while_invoking_is_told_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a thread that is gone."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(lambda_function, "result_of", broken)
    with _invoking(_answering({})) as (worker, _), pytest.raises(RenderError, match="ZeroDivisionError: a bug"):
        worker.invoke(event())


def test_at_most_as_many_run_at_once_as_the_stack_allows() -> None:
    """The others wait for a place."""

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        time.sleep(0.1)
        return {}

    with _invoking(function, concurrency=3) as (worker, endpoint), ThreadPoolExecutor(12) as pool:
        list(pool.map(worker.invoke, [event(index) for index in range(12)]))
        assert (endpoint.invocations, endpoint.peak) == (12, 3)


def test_who_waits_for_a_cancelled_render_is_let_go() -> None:
    """At once, though the invocation goes on; those of another render wait on."""
    other = RenderFolder(f"s3://{BUCKET}/renders/other")
    over = threading.Event()

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        over.wait(20)
        return {}

    with _invoking(function) as (worker, endpoint), ThreadPoolExecutor(3) as pool:
        mine = [pool.submit(worker.invoke, event(index)) for index in range(2)]
        others = pool.submit(worker.invoke, event(0, other))
        while endpoint.running < 3:
            time.sleep(0.01)
        began = time.monotonic()
        worker.abandon(FOLDER)
        for each in mine:
            with pytest.raises(RenderCancelled):
                each.result(5)
        assert time.monotonic() - began < 2
        assert not others.done()
        over.set()
        assert others.result(5) == {}


def test_chunks_that_are_queued_when_a_render_is_cancelled_are_not_begun() -> None:
    """No invocation for each of them; when the render is planned again, they are; those of another render always."""
    other = RenderFolder(f"s3://{BUCKET}/renders/other")
    with _invoking(_answering({})) as (worker, endpoint):
        worker.abandon(FOLDER)
        for chunk in range(3):
            with pytest.raises(RenderCancelled):
                worker.invoke(event(chunk))
        assert endpoint.invocations == 0
        assert worker.invoke(event(0, other)) == {}
        worker.invoke({"Action": "plan", "PlanOutputS3Prefix": f"{FOLDER.prefix}/"})
        assert worker.invoke(event()) == {}


def test_the_chunks_that_lambda_has_taken_are_told_with_the_moment() -> None:
    """Not those of another render, nor a chunk that waits for its place, nor one that is over."""
    other = RenderFolder(f"s3://{BUCKET}/renders/other")
    over = threading.Event()

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        over.wait(20)
        return {}

    with _invoking(function, concurrency=2) as (worker, endpoint), ThreadPoolExecutor(3) as pool:
        began = time.monotonic()
        first = [pool.submit(worker.invoke, event(7)), pool.submit(worker.invoke, event(0, other))]
        while endpoint.running < 2:
            time.sleep(0.01)
        queued = pool.submit(worker.invoke, event(8))
        time.sleep(0.1)
        ((chunk, asked),) = worker.asked(FOLDER).items()
        assert chunk == 7
        assert began <= asked <= time.monotonic()
        over.set()
        for call in [*first, queued]:
            call.result(10)
        assert worker.asked(FOLDER) == {}


def test_a_straggler_is_invoked_a_second_time_and_the_first_result_wins(impatient: None) -> None:
    """The first invocation hangs; a third is never made."""
    hang = threading.Event()
    calls: list[int] = []

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append(len(calls))
        if len(calls) == 1:
            hang.wait(20)
            return {"by": "first"}
        return {"by": "second"}

    with _invoking(function) as (worker, endpoint), ThreadPoolExecutor(1) as pool:
        assert not worker.hedge(event())
        answer = pool.submit(worker.invoke, event())
        while not endpoint.running:
            time.sleep(0.01)
        assert worker.hedge(event())
        assert answer.result(5) == {"by": "second"}
        assert not worker.hedge(event())
        hang.set()
    assert len(calls) == 2


def test_a_failed_hedge_leaves_the_first_invocation_its_chance(impatient: None) -> None:
    """An error counts when nobody is left who might do better."""
    hang = threading.Event()
    calls: list[int] = []

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            hang.wait(20)
            return {"by": "first"}
        raise coded("BROWSER_FAILED")

    with _invoking(function) as (worker, endpoint), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(worker.invoke, event())
        while not endpoint.running:
            time.sleep(0.01)
        assert worker.hedge(event())
        time.sleep(0.4)
        hang.set()
        assert answer.result(5) == {"by": "first"}


def _hedged_while_it_hangs(**fields: Any) -> bool:
    """Whether an invocation that does not end is made a second time."""
    hang = threading.Event()

    def function(_event: Mapping[str, Any]) -> Mapping[str, Any]:
        hang.wait(20)
        return {}

    with _invoking(function, **fields) as (worker, endpoint), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(worker.invoke, event())
        while not endpoint.running:
            time.sleep(0.01)
        hedged = worker.hedge(event())
        hang.set()
        assert answer.result(5) == {}
    return hedged


@pytest.mark.parametrize("fields", [{"hedge": False}, {"concurrency": 1}], ids=["not allowed", "no place"])
def test_nothing_is_hedged_where_the_stack_has_no_room_for_it(fields: dict[str, Any], impatient: None) -> None:
    """A second invocation must not take another chunk's place."""
    assert not _hedged_while_it_hangs(**fields)


def test_what_has_only_just_been_asked_for_is_not_hedged() -> None:
    """Progress that an earlier run has left stands still as well, and so does a chunk that is throttled."""
    assert not _hedged_while_it_hangs()


def test_an_aws_profile_that_is_not_there_is_the_stacks_fault() -> None:
    """Told before anything is invoked."""
    stack = AwsStack(bucket=BUCKET, function="render", credentials=AwsCredentials(profile_name="nobody"))
    with pytest.raises(StackInvalid, match="nobody"):
        LambdaFunction(stack)
    with pytest.raises(StackInvalid, match="nobody"):
        stack.storage()
