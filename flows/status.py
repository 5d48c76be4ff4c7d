"""Renders as their folders tell of them: whoever began them, by whichever engine, here or on AWS."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lambda_handler import storage
from lambda_handler.errors import RenderNotFound
from lambda_handler.manifest import Manifest, load
from lambda_handler.progress import ChunkProgress, ProgressReader
from lambda_handler.render_folder import RenderFolder
from tasks.reports import Missing

STILL_SECONDS = 60.0
"""Workers write every second while they capture; a chunk's last frame is followed by its check and upload."""
MOST_NAMED = 8


class State(StrEnum):
    """What a render is doing, as far as its folder tells."""

    PLANNING = "planning"
    RENDERING = "rendering"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    RENDERED = "rendered"
    FINISHED = "finished"


@dataclass(frozen=True)
class Status:
    """How far a render is. `chunks_running` were written to within the last minute; `report` is that of this plan.

    `chunks` is 0 while there is no plan.
    """

    folder: str
    state: State
    frames_done: int = 0
    frames: int = 0
    chunks_done: int = 0
    chunks: int = 0
    chunks_running: tuple[int, ...] = ()
    report: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing will change unless somebody goes on with it."""
        return self.state in (State.FINISHED, State.CANCELLED, State.STOPPED)


def status(folder: RenderFolder, reader: ProgressReader | None = None) -> Status:
    """The render in the folder. Raises RenderNotFound where there is none.

    Who looks again and again keeps the `reader` of the folder: then what is finished is read once.
    """
    manifest = load(folder.manifest)
    cancelled = storage.exists(folder.cancel)
    if manifest is None:
        if not storage.listing(folder.prefix):
            raise RenderNotFound(f"{folder.prefix} is not a render folder: there is nothing in it.")
        if not _planning(folder):
            raise RenderNotFound(f"{folder.prefix} is not a render folder: it has no plan.")
        return Status(folder.prefix, State.CANCELLED if cancelled else State.PLANNING)
    there = storage.listing(folder.chunks)
    done = {index for index in range(len(manifest.chunks)) if manifest.chunk_name(index) in there}
    progress = (reader or ProgressReader(folder)).read()
    report = read_report(folder, manifest)
    return Status(
        folder=folder.prefix,
        state=_state(manifest, done, progress, report, cancelled=cancelled),
        frames_done=sum(_frames(manifest, index, done, progress) for index in range(len(manifest.chunks))),
        frames=manifest.total_frames,
        chunks_done=len(done),
        chunks=len(manifest.chunks),
        chunks_running=_running(progress, done),
        report=report,
    )


def _planning(folder: RenderFolder) -> bool:
    """Whether a plan is being made: what it is asked for with and its artifacts come before its manifest."""
    return any(name == "request.json" or name.startswith("plan/") for name in storage.listing(folder.prefix))


def _frames(manifest: Manifest, index: int, done: set[int], progress: dict[int, ChunkProgress]) -> int:
    if index in done:
        return len(manifest.chunk(index))
    return min(progress[index].done, len(manifest.chunk(index))) if index in progress else 0


def _running(progress: dict[int, ChunkProgress], done: set[int]) -> tuple[int, ...]:
    now = time.time()
    return tuple(
        index for index, chunk in sorted(progress.items()) if index not in done and now - chunk.written < STILL_SECONDS
    )


def _state(
    manifest: Manifest,
    done: set[int],
    progress: dict[int, ChunkProgress],
    report: dict[str, Any] | None,
    *,
    cancelled: bool,
) -> State:
    if report is not None:
        return State.FINISHED
    if cancelled:
        return State.CANCELLED
    if len(done) == len(manifest.chunks):
        return State.RENDERED
    recent = any(time.time() - chunk.written < STILL_SECONDS for chunk in progress.values())
    return State.RENDERING if recent or not progress else State.STOPPED


def read_report(folder: RenderFolder, manifest: Manifest | None = None) -> dict[str, Any] | None:
    """What assemble verified; None where it has not, or only an earlier plan's video."""
    try:
        told: dict[str, Any] = json.loads(storage.read(folder.report))
    except FileNotFoundError:
        return None
    return told if manifest is None or told["planHash"] == manifest.plan_hash else None


def finished_report(folder: RenderFolder) -> dict[str, Any]:
    """What assemble verified last, of an earlier plan too. Raises RenderNotFound where nothing is finished."""
    told = read_report(folder)
    if told is None:
        now = status(folder)
        raise RenderNotFound(
            f"The render in {folder.prefix} is not finished: {now.frames_done} of {now.frames} frames are done.",
            resolution="Look at it with progress; resume it to go on.",
        )
    return told


def missing(folder: RenderFolder) -> Missing | None:
    """The frames of the chunks that are not there; None where there is no plan."""
    manifest = load(folder.manifest)
    if manifest is None:
        return None
    there = storage.listing(folder.chunks)
    gone = [manifest.chunk(index) for index in range(len(manifest.chunks)) if manifest.chunk_name(index) not in there]
    return Missing(tuple((frames.start, frames.end - 1) for frames in gone), len(manifest.chunks))


def cancel(folder: RenderFolder) -> Status:
    """Has the render's workers stop between two frames; what is rendered is kept. A finished one stays as it is.

    Raises RenderNotFound.
    """
    before = status(folder)
    if before.state is not State.FINISHED:
        storage.write(folder.cancel, b"")
    return before


def find(render: str, renders: str) -> RenderFolder:
    """The folder of `render`: a URI, a path, or a name below `renders` (a URI), whose digest may be left out.

    Raises RenderNotFound where there is none, or more than one.
    """
    if urlsplit(render).scheme in ("s3", "file"):
        return RenderFolder(render.rstrip("/"))
    if "/" in render or Path(render).is_dir():
        return RenderFolder(storage.file_uri(Path(render).expanduser().resolve()))
    names = sorted({name.partition("/")[0] for name in storage.listing(renders)})
    named = [name for name in names if render in (name, name.rpartition("-")[0])]
    if len(named) == 1:
        return RenderFolder(storage.join(renders, named[0]))
    if named:
        raise RenderNotFound(
            f"There are {len(named)} renders named {render}: {_some(named)}.", resolution="Name one with its digest."
        )
    raise RenderNotFound(f"There is no render named {render} below {renders}; there are {_some(names) or 'none'}.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
