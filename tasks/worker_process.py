"""Beginning a worker: as a program of its own, or as a copy of this process that goes on as a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Protocol

from lambda_handler.toolchain import CHECKOUT

ENDING_SECONDS = 0.001


class WorkerProcess(Protocol):
    """As subprocess.Popen has it."""

    def poll(self) -> int | None:
        """The status with which it has ended; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The status with which it ends. Raises subprocess.TimeoutExpired after so many seconds."""
        ...

    def kill(self) -> None:
        """Ends it by force."""
        ...


Begun = tuple[WorkerProcess, IO[str], IO[str]]
"""A worker, where events go to, and where answers come from."""


def program(environment: Mapping[str, str], log: Path) -> Begun:
    """A worker that imports what it needs. Raises OSError."""
    with log.open("ab") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "lambda_handler.worker"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            # Ctrl-C is for the flow, which then ends its workers.
            start_new_session=True,
        )
    assert process.stdin and process.stdout  # noqa: S101 - both are pipes
    return process, process.stdin, process.stdout


def is_alone() -> bool:
    """Whether this thread is the process's only one. A copy has no other, and what they held would stay held."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


def copy(environment: Mapping[str, str], log: Path, inherited: Iterable[IO[str]]) -> Begun:
    """A worker that has what is imported here. Only where `is_alone`. Raises OSError.

    `inherited` are the pipes to other workers, which must not be held open by it.
    """
    # What it serves with is imported once for all copies.
    from lambda_handler.worker import serve  # noqa: PLC0415 - programs import it themselves

    events, to = os.pipe()
    answers, answering = os.pipe()
    ours = os.fdopen(to, "w", encoding="utf-8"), os.fdopen(answers, encoding="utf-8")

    def play() -> None:
        os.setsid()
        for pipe in (*inherited, *ours):
            pipe.close()
        told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for theirs, standard in ((events, 0), (answering, 1), (told, 2)):
            os.dup2(theirs, standard)
            os.close(theirs)
        os.chdir(CHECKOUT)
        os.environ.clear()
        os.environ.update(environment)
        # It was found out before the environment said otherwise.
        tempfile.tempdir = None
        serve()

    try:
        return _Copy(play), *ours
    except OSError:
        for pipe in ours:
            pipe.close()
        raise
    finally:
        os.close(events)
        os.close(answering)


class _Copy:
    """A copy of this process, which does what it is given and ends."""

    def __init__(self, play: Callable[[], None]) -> None:
        self._process: BaseProcess = get_context("fork").Process(target=play, daemon=True)
        self._process.start()
        # Whoever asks at the same time as another finds nothing to wait for, and no status yet.
        self._asking = threading.Lock()

    def poll(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired("a copy of this process", timeout or 0.0)
        # Its last pipe is closed a moment before it has ended.
        while (status := self.poll()) is None:
            time.sleep(ENDING_SECONDS)
        return status

    def kill(self) -> None:
        self._process.kill()
