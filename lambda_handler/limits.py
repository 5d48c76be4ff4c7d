"""A worker's limits: it stops by itself, and says how far it got, before the platform kills it.

The role runs in a thread of its own, and whoever invoked it looks at the time and the memory meanwhile. When one is
up, the processes that the role waits for (browser, ffmpeg) are ended, so that it fails at once, wherever it is: before
the first frame, between two, or after the last. One that waits for something else is left to itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Protocol, TypeVar

from lambda_handler import browser, memory
from lambda_handler.errors import ChunkDeadline, ChunkMemory, RenderError, WorkerDeadline, WorkerMemory
from lambda_handler.render_folder import RenderFolder

MARGIN_SECONDS = 20.0
"""Before the platform's time limit: what a worker needs to stop by itself, whatever it is at."""
LAST_MARGIN_SECONDS = 6.0
"""The same where the work is done, and only has to be put in its place."""
LOOK_SECONDS = 1.0
LETTING_GO_SECONDS = 4.0
KILL_SECONDS = 0.2

Result = TypeVar("Result")


class Context(Protocol):
    """The part of a Lambda context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is killed."""
        ...


class Telling(Protocol):
    """How a role says what it is at."""

    def __call__(self, doing: str, *, last: bool = False) -> None:
        """`doing` is a clause about the past; `last`: the work is done, and only has to be put in its place."""
        ...


def unless_cancelled(at: Telling, folder: RenderFolder) -> Telling:
    """`at`, which first looks whether the render is cancelled. Raises RenderCancelled then."""

    def telling(doing: str, *, last: bool = False) -> None:
        folder.check_cancelled()
        at(doing, last=last)

    return telling


class Watch:
    """What one invocation is at, and how long it may be at it. Without a context there is no limit."""

    def __init__(self, context: Context | None, *, chunk: bool) -> None:
        self._context = context
        self._chunk = chunk
        self._ends = time.monotonic() + self._left() if context else None
        self._doing = "No frame was done, and the page was not ready yet," if chunk else "Nothing was done yet"
        self._last = False
        self._stopped: RenderError | None = None

    def at(self, doing: str, *, last: bool = False) -> None:
        """What the role is at from now on: a `Telling`. Raises the reason why it was stopped, if it was."""
        if self._stopped:
            raise self._stopped
        self._doing, self._last = doing, last

    def frames(self, done: int, total: int) -> None:
        """Call between two frames. Raises ChunkDeadline when the next one should not be begun."""
        self.at(f"{done} of {total} frames were done", last=done >= total)
        if self._context and done < total and self._left() < self._margin:
            raise self._late()

    def run(self, role: Callable[[], Result]) -> Result:
        """The result of `role`. Raises ChunkDeadline, ChunkMemory, WorkerDeadline, WorkerMemory."""
        if self._ends is None:
            return role()
        before = set(memory.processes(os.getpid()))
        done: Future[Result] = Future()

        def play() -> None:
            try:
                done.set_result(role())
            except BaseException as error:
                done.set_exception(error)

        thread = threading.Thread(target=play, name="role", daemon=True)
        thread.start()
        while not (error := self._exceeded()):
            left = self._ends - self._margin - time.monotonic()
            wait([done], timeout=max(0.0, min(LOOK_SECONDS, left)))
            if done.done():
                return done.result()
        self._stopped = error
        given_up = time.monotonic() + LETTING_GO_SECONDS
        while not done.done() and time.monotonic() < given_up:
            browser.kill(thread.ident or 0)
            for pid in set(memory.processes(os.getpid())) - before:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            # It may start others before it notices.
            wait([done], timeout=KILL_SECONDS)
        if not done.done():
            raise error
        if done.exception() is None:
            return done.result()
        raise error from done.exception()

    @property
    def _margin(self) -> float:
        return LAST_MARGIN_SECONDS if self._last else MARGIN_SECONDS

    def _left(self) -> float:
        return self._context.get_remaining_time_in_millis() / 1000 if self._context else 0.0

    def _exceeded(self) -> RenderError | None:
        if self._ends is not None and self._ends - time.monotonic() < self._margin:
            return self._late()
        if memory.is_scarce():
            limit = (memory.limit_bytes() or 0) // 1024**2
            told = f"{self._doing} when {memory.USABLE:.0%} of {limit} MiB of memory were in use."
            return ChunkMemory(told) if self._chunk else WorkerMemory(told)
        return None

    def _late(self) -> RenderError:
        told = f"{self._doing} {self._margin:.0f} s before the time limit."
        return ChunkDeadline(told) if self._chunk else WorkerDeadline(told)
