"""One composition rendered both ways, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambda_handler import toolchain
from parity.measure import Likeness, Limits, compare
from parity.processes import children_cpu
from parity.reference import Reference

RENDER_SECONDS = 1800
SHEET_COLUMNS = 5
SHEET_WIDTH = 320


@dataclass(frozen=True)
class Rendered:
    """One render: the file, or why there is none. `cpu` is the seconds of all its processes."""

    video: Path | None
    failure: str | None
    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """One composition's line of the table."""

    name: str
    ours: Rendered
    theirs: Rendered
    likeness: Likeness | None

    def verdict(self, limits: Limits) -> str:
        """ "same", or what is not."""
        if self.likeness:
            return "; ".join(self.likeness.complaints(limits)) or "same"
        told = []
        if self.ours.failure:
            told.append(f"ours: {self.ours.failure}")
        if self.theirs.failure:
            told.append(f"theirs: {self.theirs.failure}")
        return "; ".join(told) or "the videos cannot be compared"


def compositions(folder: Path) -> Iterator[Path]:
    """The projects below `folder`, itself among them: every outermost folder with an index.html, by name."""
    if (folder / "index.html").is_file():
        yield folder
        return
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "node_modules"):
        yield from compositions(child)


def render_both(project: Path, name: str, reference: Reference, work: Path, crf: int) -> Row:
    """Renders `project` both ways into `work` and compares; a contact sheet of both goes beside the videos.

    Both encode with the same `crf`, so that the encoder's loss is not taken for the renderer's.
    """
    work.mkdir(parents=True, exist_ok=True)
    output = work / "ours.mp4"
    cli = [sys.executable, "-c", "from flows.cli import main; main()", "render", str(project)]
    options = ["-o", str(output), "--json", "--fresh", "--crf", str(crf), "--root", str(work / "root")]
    ours = _rendered([*cli, *options], os.environ, output, _our_failure)
    output = work / "theirs.mp4"
    command = reference.command(project, output, ("--crf", str(crf)))
    theirs = _rendered(command, reference.environment, output, _their_failure)
    if not (ours.video and theirs.video):
        return Row(name, ours, theirs, None)
    likeness = compare(ours.video, theirs.video)
    draw_sheet(ours.video, theirs.video, min(likeness.frames), work / "sheet.jpg")
    return Row(name, ours, theirs, likeness)


def draw_sheet(ours: Path, theirs: Path, frames: int, target: Path) -> None:
    """Frames from all over, ours in the upper row and the reference's below, as one JPEG picture."""
    every = max(1, frames // SHEET_COLUMNS)
    row = f"select='not(mod(n-{every // 2}\\,{every}))',scale={SHEET_WIDTH}:-2,tile={SHEET_COLUMNS}x1"
    graph = f"[0:v]{row}[a];[1:v]{row}[b];[a][b]vstack"
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-y", "-i", str(ours), "-i", str(theirs)]
    command += ["-filter_complex", graph, "-frames:v", "1", "-q:v", "3", str(target)]
    subprocess.run(command, check=False)


def _rendered(
    command: Sequence[str], environment: Mapping[str, str], output: Path, failure: Callable[[str, str], str]
) -> Rendered:
    output.unlink(missing_ok=True)
    before, began = children_cpu(), time.monotonic()
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RENDER_SECONDS, check=False
        )
        told = None if done.returncode == 0 and output.is_file() else failure(done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        told = f"not done after {RENDER_SECONDS} s"
    wall = time.monotonic() - began
    return Rendered(None if told else output, told, wall, children_cpu() - before)


def _our_failure(output: str, errors: str) -> str:
    try:
        told = json.loads(output)["error"]
    except (ValueError, KeyError, TypeError):
        return (errors or output).strip()[-300:] or "no message"
    return f"{told['code']} {told['message']}"


def _their_failure(output: str, errors: str) -> str:
    lines = [line.strip() for line in f"{output}\n{errors}".splitlines() if line.strip()]
    named = [index for index, line in enumerate(lines) if "error" in line.lower() or "fail" in line.lower()]
    # "Render failed" is a line of its own, and the reason is below it.
    told = lines[named[-1] : named[-1] + 3] if named else lines[-1:]
    return " ".join(told)[:300] or "no message"
