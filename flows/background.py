"""Processes that outlive the command that started them: one record each, and no other process taken for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Running:
    """A process in the background, and the Prefect API that it is, or works for."""

    pid: int
    born: str
    api_url: str

    @property
    def alive(self) -> bool:
        """Whether it is still that very process."""
        return bool(self.born) and self.born == _birth(self.pid)

    def record(self, file: Path) -> None:
        """Writes it down for `recorded`."""
        file.write_text(json.dumps(asdict(self)))

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """Ends it and what it started: SIGTERM, and after `seconds` SIGKILL."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        limit = time.monotonic() + seconds
        while self.alive and time.monotonic() < limit:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            time.sleep(0.1)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def recorded(file: Path) -> Running | None:
    """The process of the record, unless it is gone, or its number is another process's by now."""
    try:
        running = Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if running.alive else None


def start(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path, api_url: str
) -> tuple[Running, subprocess.Popen[bytes]]:
    """Starts a process in a session of its own, which writes to `log`."""
    with log.open("w") as told:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process.pid, _birth(process.pid), api_url), process


def _birth(pid: int) -> str:
    """When the process began, in the kernel's ticks: with the pid it names a process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
