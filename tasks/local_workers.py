"""The handler in worker processes of this machine, which may die and are replaced."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import LifoQueue
from tempfile import TemporaryDirectory
from typing import IO, Any

from lambda_handler.errors import WorkerLost, from_wire
from lambda_handler.events import PLACES_VARIABLE
from lambda_handler.render_folder import RenderFolder
from lambda_handler.storage import ROOTS_VARIABLE
from tasks.local_stack import LocalStack
from tasks.worker_process import WorkerProcess, copy, is_alone, program

CLOSING_SECONDS = 10.0
READY = 2
"""Workers that begin before they are needed: for the plan, and for the chunk beside its first."""


class LocalWorkers:
    """Worker processes of this machine, one event at a time each, begun when they are first needed or a bit before."""

    def __init__(self, stack: LocalStack) -> None:
        self._scratch = TemporaryDirectory(prefix="hf-workers-")
        roots = os.pathsep.join(map(str, stack.roots))
        told = {ROOTS_VARIABLE: roots, PLACES_VARIABLE: str(stack.processes), "TMPDIR": self._scratch.name}
        self._environment = {**os.environ, **told}
        # The one that was used last comes first: it runs, and its browser is warm.
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        # A log for each worker that was ever started: one that has died is quoted by its own.
        self._numbers = count()
        self._ready = min(READY, stack.processes)
        self._begun: dict[str, Future[dict[str, Any]]] = {}
        self._beginning = ThreadPoolExecutor(1, "begun")
        for _ in range(stack.processes - self._ready):
            self._idle.put(None)

    def make_ready(self) -> None:
        """Has the first workers begin, once: as copies of this process, where it has no other thread yet.

        They have what is imported then, and are spared a quarter of a second of CPU each.
        """
        self._start_ready(copied=is_alone())

    def begin(self, event: Mapping[str, Any]) -> None:
        """Has a worker play the role from now on: `invoke` gives its answer, once."""
        self._begun[_name(event)] = self._beginning.submit(self._played, event)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Waits for an idle worker and has it play the role. Raises WorkerLost when it dies over it."""
        begun = self._begun.pop(_name(event), None)
        return begun.result() if begun else self._played(event)

    def _played(self, event: Mapping[str, Any]) -> dict[str, Any]:
        self._start_ready(copied=False)
        worker = self._idle.get()
        try:
            if worker is None:
                worker = self._started(copied=False)
            answer = worker.ask(event)
        finally:
            self._idle.put(worker if worker and worker.alive else None)
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        raise from_wire(answer["errorType"], answer["errorMessage"])

    def asked(self, folder: RenderFolder) -> dict[int, float]:  # noqa: ARG002 - nothing is hedged here
        """None."""
        return {}

    def hedge(self, event: Mapping[str, Any]) -> bool:  # noqa: ARG002 - the machine has nothing faster to offer
        """Never: a second worker would take its time from the first."""
        return False

    def abandon(self, folder: RenderFolder) -> None:
        """Nothing to do: the workers hear of it between two frames."""

    def close(self) -> None:
        """Ends every worker, those in the middle of a chunk too."""
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.wait()
        self._beginning.shutdown()
        self._scratch.cleanup()

    def _start_ready(self, *, copied: bool) -> None:
        with self._lock:
            ready, self._ready = self._ready, 0
        for _ in range(ready):
            worker = None
            with suppress(OSError):  # whoever invokes tries again, and hears of it
                worker = self._started(copied=copied)
            self._idle.put(worker)

    def _started(self, *, copied: bool) -> _Worker:
        with self._lock:
            self._workers = [worker for worker in self._workers if worker.alive]
            log = Path(self._scratch.name) / f"worker-{next(self._numbers)}.log"
            pipes = [pipe for worker in self._workers for pipe in worker.pipes]
            begun = copy(self._environment, log, pipes) if copied else program(self._environment, log)
            worker = _Worker(*begun, log)
            self._workers.append(worker)
            return worker


def _name(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


class _Worker:
    """Events go `to` it, and `answers` come back. It writes to `log`."""

    def __init__(self, process: WorkerProcess, to: IO[str], answers: IO[str], log: Path) -> None:
        self._process, self._to, self._answers, self._log = process, to, answers, log
        self.pipes = (to, answers)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._to.write(json.dumps(event) + "\n")
            self._to.flush()
            line = self._answers.readline()
        except (OSError, ValueError):
            line = ""
        if not line:
            code = self._process.wait()
            last = " ".join(self._log.read_text(errors="replace").splitlines()[-3:])[-400:]
            raise WorkerLost(f"A worker process ended with status {code} over {event['Action']}. {last}".strip())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def dismiss(self) -> None:
        """Tells it to end."""
        with suppress(OSError):  # it may be gone already, and its pipe with it
            self._to.close()

    def wait(self) -> None:
        """Until it has ended, by force if need be."""
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
