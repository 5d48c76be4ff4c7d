"""What a command costs: CPU seconds of all processes it starts, wall seconds, and its peak of memory."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lambda_handler import memory, toolchain
from parity.measure import PAIRED
from parity.processes import children_cpu

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MEMORY_LOOK_SECONDS = 0.25
ORPHAN_SECONDS = 15.0


@dataclass(frozen=True)
class Cost:
    """CPU and wall in seconds; `memory` in bytes, what cannot be dropped, of all processes together."""

    cpu: float
    wall: float
    memory: int


def run(command: Sequence[str | Path], environment: Mapping[str, str], servers: Sequence[int] = ()) -> Cost:
    """Runs a command. CPU that processes `servers` use meanwhile, which were there before, counts as its own.

    Raises CalledProcessError with what it wrote.
    """
    # Processes whose parents are killed come to this one, which waits for them: else their CPU would count nowhere.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Not those of what ran before.
    _reap()
    before, served = children_cpu(), sum(map(_cpu_of, servers))
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        watch = _MemoryWatch(process.pid)
        told = process.stdout.read() if process.stdout else b""
        code = process.wait()
    wall = time.monotonic() - began
    watch.stop()
    _reap()
    cpu = children_cpu() - before + sum(map(_cpu_of, servers)) - served
    if code:
        raise subprocess.CalledProcessError(code, command, told)
    return Cost(cpu, wall, watch.peak)


def together(costs: Sequence[Cost]) -> Cost:
    """What commands cost that were run one after another."""
    return Cost(sum(each.cpu for each in costs), sum(each.wall for each in costs), max(each.memory for each in costs))


def ssim(video: Path, lossless: Path) -> float:
    """The mean structural similarity of a video's frames, all planes, to those of the videos that `lossless` lists."""
    converted = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp,format=yuv420p"
    graph = f"[0:v]{PAIRED}[a];[1:v]{converted},{PAIRED}[b];[a][b]ssim=shortest=1"
    command: list[str | Path] = [toolchain.ffmpeg().executable, "-hide_banner", "-nostats", "-i", video]
    command += ["-f", "concat", "-safe", "0", "-i", lossless, "-lavfi", graph, "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(re.findall(r"SSIM .*All:([\d.]+)", done.stderr)[-1])


class _MemoryWatch:
    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(MEMORY_LOOK_SECONDS):
            self.peak = max(self.peak, memory.used_bytes(self._pid))


def _cpu_of(pid: int) -> float:
    with suppress(OSError):
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _reap() -> None:
    until = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            return
