"""A Chromium process, and the DevTools protocol over a pair of pipes to it.

One caller, one thread: `call` waits for its answer and meanwhile hands events to their listeners. A driver in
between would cost 5 ms of CPU for each frame, whose picture passes through it as text, and a second at each start.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambda_handler.errors import BrowserFailed

READ_BYTES = 1 << 20
# Chromium reads from 3 and writes to 4 (--remote-debugging-pipe); ours must be others while they are put there.
FIRST_FREE_FD = 10
POLL_SECONDS = 0.01

Listener = Callable[[dict[str, Any]], object]


class Refused(Exception):
    """Chromium did not do what it was asked for; the text is its own."""


class Devtools:
    """A running Chromium. Raises BrowserFailed from every method that finds it gone."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts `command`, an executable by its path and its arguments. Raises OSError when that cannot be run."""
        theirs_in, self._to = (_moved(fd) for fd in os.pipe())
        self._from, theirs_out = (_moved(fd) for fd in os.pipe())
        self._told = os.memfd_create("chromium")
        try:
            self.pid = os.posix_spawn(
                command[0],
                [*command, "--remote-debugging-pipe"],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._told, 2),
                    (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                    (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                ],
                # A group of its own, so that all of its processes can be ended at once.
                setpgroup=0,
            )
        except BaseException:
            for fd in (self._to, self._from, self._told):
                os.close(fd)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        with suppress(OSError):  # a picture in one piece, where the system allows it
            fcntl.fcntl(self._from, fcntl.F_SETPIPE_SZ, READ_BYTES)
        self._buffer = bytearray()
        self._last = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._abandoned: set[int] = set()
        self._listeners: dict[str, Listener] = {}
        self._ended = False

    def call(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        session: str = "",
        within: float | None = None,
    ) -> dict[str, Any]:
        """The answer to `method`, of the browser or of a session's target. Raises Refused.

        With `within`, BrowserFailed is raised after so many seconds without an answer.
        """
        number = self.post(method, parameters, session=session)
        self._abandoned.discard(number)
        until = None if within is None else time.monotonic() + within
        while number not in self._answers:
            self._hear(until)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise Refused(str(answer["error"].get("message", answer["error"])))
        result: dict[str, Any] = answer["result"]
        return result

    def post(self, method: str, parameters: Mapping[str, Any] | None = None, *, session: str = "") -> int:
        """Sends `method` and lets its answer pass: listeners, which must not wait, use this."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        left = memoryview(json.dumps(message).encode() + b"\0")
        self._abandoned.add(self._last)
        try:
            while left:
                left = left[os.write(self._to, left) :]
        except OSError as error:
            raise BrowserFailed("Chromium has died.") from error
        return self._last

    def listen(self, session: str, listener: Listener | None) -> None:
        """From now on every event of a session goes to `listener`; with None to nobody."""
        if listener is None:
            self._listeners.pop(session, None)
        else:
            self._listeners[session] = listener

    def hear_until(self, is_over: Callable[[], bool], within: float) -> bool:
        """Hands out events until `is_over`; False when it is not after `within` seconds."""
        until = time.monotonic() + within
        while not is_over():
            if time.monotonic() > until:
                return False
            with suppress(TimeoutError):
                self._hear(min(until, time.monotonic() + POLL_SECONDS), TimeoutError)
        return True

    def answers(self, within: float) -> bool:
        """Whether it is alive and says so in time."""
        try:
            self.call("Browser.getVersion", within=within)
        except (BrowserFailed, Refused):
            return False
        return True

    def close(self, within: float) -> None:
        """Ends it, and what it has started: by itself within so many seconds, else by force."""
        until = time.monotonic() + within
        try:
            self.call("Browser.close", within=within)
        except (BrowserFailed, Refused):
            self.kill()
        while not self._has_ended() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        self.kill()
        if not self._ended:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self._ended = True
        for fd in (self._to, self._from, self._told):
            os.close(fd)

    def kill(self) -> None:
        """Ends all of its processes; whoever waits for it hears that it has died."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """What it wrote to its standard error."""
        return Path(f"/proc/self/fd/{self._told}").read_text(errors="replace")

    def _has_ended(self) -> bool:
        if not self._ended:
            try:
                self._ended = os.waitpid(self.pid, os.WNOHANG) != (0, 0)
            except ChildProcessError:
                self._ended = True
        return self._ended

    def _hear(self, until: float | None, late: type[Exception] = BrowserFailed) -> None:
        """Takes one message. Raises `late` when there is none until then (time.monotonic)."""
        message = json.loads(self._message(until, late))
        if (number := message.get("id")) is not None:
            if number in self._abandoned:
                self._abandoned.discard(number)
            else:
                self._answers[number] = message
        elif listener := self._listeners.get(message.get("sessionId", "")):
            listener(message)

    def _message(self, until: float | None, late: type[Exception]) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\0", searched)) < 0:
            searched = len(self._buffer)
            patience = None if until is None else max(0.0, until - time.monotonic())
            if patience is not None and not select.select([self._from], [], [], patience)[0]:
                raise late("Chromium does not answer.")
            received = os.read(self._from, READ_BYTES)
            if not received:
                raise BrowserFailed("Chromium has died.")
            self._buffer += received
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return message


def profile() -> tempfile.TemporaryDirectory[str]:
    """A folder for what a browser keeps while it runs."""
    return tempfile.TemporaryDirectory(prefix="hf-browser-", ignore_cleanup_errors=True)


def _moved(fd: int) -> int:
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE_FD)
    os.close(fd)
    return moved
