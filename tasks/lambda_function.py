"""The handler in Lambda: one client for all threads, and calls whose waiting can be given up or doubled."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from queue import SimpleQueue
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from lambda_handler import storage
from lambda_handler.errors import RenderCancelled, RenderError, StackInvalid, Throttled
from lambda_handler.manifest import MANIFEST
from lambda_handler.render_folder import RenderFolder
from tasks.aws_client import Client
from tasks.lambda_answer import api_error, result_of
from tasks.logs import run_logger
from tasks.stack import AwsStack
from tasks.throttle import delays

ANSWER_SECONDS = 20
"""What the answer may take beyond the function's time limit."""
THROTTLED_SECONDS = 6 * 3600.0
"""As long as a render may take by the state machine (RenderTimeoutSec)."""
NOTE_SECONDS = 60.0
HEDGE_SECONDS = 30.0
"""A cold start, the plan's artifacts and a page, before a chunk shows its first sign of life."""
STILL_SECONDS = 20.0
"""What a last frame, its chunk's verification and its upload may take between two signs of life."""
LOOK_SECONDS = 2.0

Answer = dict[str, Any] | RenderError


@dataclass
class _Call:
    """One role that somebody waits for, and its invocations."""

    event: Mapping[str, Any]
    heard: SimpleQueue[Answer | str | None] = field(default_factory=SimpleQueue)
    """Answers, notes for the log, and None when nobody is to wait any longer."""
    stopped: threading.Event = field(default_factory=threading.Event)
    invocations: int = 0
    asked: float = inf
    """When the first of them was sent to Lambda, the last time."""

    def stop(self) -> None:
        """Nobody waits for it any longer."""
        self.stopped.set()
        self.heard.put(None)

    @property
    def about(self) -> str:
        """The role, and its chunk."""
        chunk = self.event.get("ChunkIndex")
        return str(self.event["Action"]) + (f" {chunk}" if chunk is not None else "")

    @property
    def folder(self) -> str:
        """The prefix of its render folder."""
        manifest = str(self.event.get("PlanV2ManifestS3Uri", ""))
        return manifest.removesuffix(f"/{MANIFEST}") or str(self.event.get("PlanOutputS3Prefix", "")).rstrip("/")

    @property
    def key(self) -> tuple[str, ...]:
        """The same for the same work."""
        return (self.folder, self.about)


class LambdaFunction:
    """The function of an AWS stack: as many invocations at once as its concurrency, in threads of their own.

    A synchronous invocation cannot be taken back. So it is made in a thread that nobody has to wait for, and whoever
    waits for its answer can be told to stop. Raises StackInvalid when there can be no client.
    """

    def __init__(self, stack: AwsStack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(stack.concurrency)
        self._calls: dict[tuple[str, ...], _Call] = {}
        self._abandoned: set[str] = set()
        self._closed = threading.Event()
        try:
            self._api = Client(
                stack.credentials,
                "lambda",
                read_seconds=stack.timeout_seconds + ANSWER_SECONDS,
                connections=stack.concurrency,
            )
        except (BotoCoreError, ClientError) as error:
            raise StackInvalid(f"There can be no client for the function {stack.function}: {error}") from error

    def make_ready(self) -> None:
        """Nothing to do: what stands by for an invocation is Lambda's affair."""

    def begin(self, event: Mapping[str, Any]) -> None:
        """Nothing: an invocation that nobody has asked for yet would cost all the same."""

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The result of the role, by whichever of its invocations has one first.

        Waits while Lambda throttles. Raises the RenderError that all of them ended with; RenderCancelled when it was
        abandoned.
        """
        call = _Call(event)
        with self._lock:
            if event["Action"] == "plan":  # the first of a run: it goes on with what an earlier one has left
                self._abandoned.discard(call.folder)
            if call.folder in self._abandoned:
                call.stop()
            self._calls[call.key] = call
        try:
            self._check(call)
            self._wait_for_place(call)
            self._start(call)
            return self._first_result(call)
        finally:
            with self._lock:
                if self._calls.get(call.key) is call:
                    del self._calls[call.key]

    def asked(self, folder: RenderFolder) -> dict[int, float]:
        """The chunks of a render that Lambda has taken and somebody waits for, and since when."""
        wanted = folder.prefix.rstrip("/")
        with self._lock:
            calls = [call for call in self._calls.values() if call.folder == wanted and call.asked < inf]
        return {call.event["ChunkIndex"]: call.asked for call in calls if "ChunkIndex" in call.event}

    def hedge(self, event: Mapping[str, Any]) -> bool:
        """Invokes once more for a call that waits, where the stack allows it and has a place free; says whether.

        Once for each call, and not for one that Lambda has only just taken or that waits for its own place.
        """
        with self._lock:
            call = self._calls.get(_Call(event).key)
        if call is None or call.invocations != 1 or time.monotonic() - call.asked < HEDGE_SECONDS:
            return False
        if not self._stack.hedge or not self._places.acquire(blocking=False):
            return False
        self._start(call)
        return True

    def abandon(self, folder: RenderFolder) -> None:
        """Stops waiting for the answers about a render. What it asks for after that is not begun, until it is planned
        anew: each of its queued chunks would be an invocation that does nothing."""
        abandoned = folder.prefix.rstrip("/")
        with self._lock:
            self._abandoned.add(abandoned)
            calls = [call for call in self._calls.values() if call.folder == abandoned]
        for call in calls:
            call.stop()

    def close(self) -> None:
        """Stops waiting for any answer."""
        self._closed.set()
        with self._lock:
            for call in self._calls.values():
                call.stop()

    def _wait_for_place(self, call: _Call) -> None:
        while not self._places.acquire(timeout=LOOK_SECONDS):
            self._check(call)
        if call.stopped.is_set():
            self._places.release()
            self._check(call)

    def _start(self, call: _Call) -> None:
        """Invokes in a thread; the place, which is held already, is free again when it has ended."""
        call.invocations += 1

        def invoked() -> None:
            try:
                call.heard.put(self._answer(call))
            finally:
                self._places.release()

        threading.Thread(target=invoked, daemon=True, name=f"invoke {call.about}").start()

    def _first_result(self, call: _Call) -> dict[str, Any]:
        failures: list[RenderError] = []
        while len(failures) < call.invocations:
            match call.heard.get():
                case None:
                    self._check(call)
                case str(note):
                    run_logger().warning(note)
                case RenderError() as failure:
                    failures.append(failure)
                case result:
                    return result
        raise failures[0]

    def _check(self, call: _Call) -> None:
        if call.stopped.is_set() or self._closed.is_set():
            raise RenderCancelled(f"{call.about} was given up: the render in {call.folder} was cancelled.")

    def _answer(self, call: _Call) -> Answer:
        """The answer to one invocation, however often Lambda had no place for it."""
        waits, began, told = delays(), time.monotonic(), -NOTE_SECONDS
        while not call.stopped.is_set():
            try:
                return self._invoked(call)
            except Throttled as error:
                waited = time.monotonic() - began
                if waited > THROTTLED_SECONDS:
                    return error
                if waited - told >= NOTE_SECONDS:
                    told = waited
                    call.heard.put(f"Waiting for a free place, {waited:.0f} s so far: {error.summary}")
                call.stopped.wait(next(waits))
            except RenderError as error:
                return error
            except Exception as error:  # a bug; whoever waits must hear of it
                return RenderError(f"Invoking {call.about} has failed: {type(error).__name__}: {error}")
        return RenderCancelled(f"{call.about} was given up.")

    def _invoked(self, call: _Call) -> dict[str, Any]:
        if call.invocations == 1:
            call.asked = time.monotonic()
        qualifier = {"Qualifier": self._stack.qualifier} if self._stack.qualifier else {}
        try:
            answer = self._api.call(
                "invoke", FunctionName=self._stack.function, Payload=json.dumps(dict(call.event)).encode(), **qualifier
            )
            payload = answer["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            began = not isinstance(error, (ClientError, EndpointConnectionError, ConnectTimeoutError))
            if began:
                self._wait_while_it_goes_on(call)
            raise api_error(error, call.about) from error
        return result_of(payload, answer.get("FunctionError"), call.about)

    def _wait_while_it_goes_on(self, call: _Call) -> None:
        """After a connection that broke: the function may be at work still, and who asks again would only double it.

        The chunk's progress is written every second, and once more when the chunk is in its place.
        """
        chunk = call.event.get("ChunkIndex")
        if chunk is None:
            return
        seen, since = b"", time.monotonic()
        while time.monotonic() - since < STILL_SECONDS and not call.stopped.wait(LOOK_SECONDS):
            with suppress(FileNotFoundError, RenderError):
                told = storage.read(RenderFolder(call.folder).progress(chunk))
                if told != seen:
                    seen, since = told, time.monotonic()
