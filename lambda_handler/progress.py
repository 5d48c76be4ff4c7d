"""How far a render is, read from its folder alone: so it works for either engine and from anywhere."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lambda_handler import storage
from lambda_handler.render_folder import RenderFolder

BEAT_SECONDS = 1.0
READS_AT_ONCE = 16


@dataclass(frozen=True)
class ChunkProgress:
    """How far a chunk is. `written` is in seconds since the epoch."""

    done: int
    total: int
    written: float

    @property
    def finished(self) -> bool:
        """Whether every frame is there."""
        return self.done >= self.total


@dataclass(frozen=True)
class Pace:
    """Frames done of all, frames per second since the first look, and the seconds that are left at that speed."""

    done: int
    total: int
    per_second: float

    @property
    def fraction(self) -> float:
        """Between 0 and 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None until the speed is known."""
        return (self.total - self.done) / self.per_second if self.per_second > 0 else None


class Heartbeat:
    """Tells the render folder how far a chunk is, and hears whether the render was cancelled, once a second."""

    def __init__(self, folder: RenderFolder, chunk: int, total: int) -> None:
        self._folder = folder
        self._chunk = chunk
        self._total = total
        self._last = 0.0

    def beat(self, done: int, profile: Mapping[str, int] | None = None) -> None:
        """Call between two frames, and at the end with where the time went. Raises RenderCancelled."""
        if done < self._total and time.monotonic() - self._last < BEAT_SECONDS:
            return
        self._last = time.monotonic()
        told: dict[str, object] = {"framesDone": done, "framesTotal": self._total, "writtenAt": time.time()}
        if profile:
            told["profileMs"] = profile
        storage.write(self._folder.progress(self._chunk), json.dumps(told).encode())
        self._folder.check_cancelled()


def profiles(folder: RenderFolder, chunks: int) -> list[dict[str, float]]:
    """Where the time of each chunk went, in ms by stage; of those that were found there is none."""

    def read(chunk: int) -> dict[str, float] | None:
        try:
            told: dict[str, float] | None = json.loads(storage.read(folder.progress(chunk))).get("profileMs")
        except (FileNotFoundError, ValueError):
            return None
        return told

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return [profile for profile in pool.map(read, range(chunks)) if profile]


class Speedometer:
    """Frames per second from two looks at a counter; frames that were there at the first look do not count."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._first: tuple[float, int] | None = None

    def pace(self, done: int) -> Pace:
        """The pace, when `done` frames are done now."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        since, before = self._first
        return Pace(done, self._total, (done - before) / (now - since) if now > since else 0.0)


class ProgressReader:
    """Looks at a render's progress again and again: what is finished is read once, the rest side by side."""

    def __init__(self, folder: RenderFolder) -> None:
        self._folder = folder
        self._known: dict[int, ChunkProgress] = {}

    def read(self) -> dict[int, ChunkProgress]:
        """Every chunk's progress that is in the folder, by chunk index. No chunk's frames ever become fewer."""
        names = [name.removesuffix(".json") for name in storage.listing(storage.join(self._folder.prefix, "progress"))]
        chunks = [int(name) for name in names if name.isdecimal()]
        unfinished = [chunk for chunk in chunks if not (chunk in self._known and self._known[chunk].finished)]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            for chunk, told in zip(unfinished, pool.map(self._read_one, unfinished), strict=True):
                before = self._known.get(chunk)
                # A second worker at the same chunk is behind the first.
                if before is None or told.done >= before.done:
                    self._known[chunk] = told
        return dict(sorted(self._known.items()))

    def _read_one(self, chunk: int) -> ChunkProgress:
        told = json.loads(storage.read(self._folder.progress(chunk)))
        return ChunkProgress(told["framesDone"], told["framesTotal"], told["writtenAt"])


def read_progress(folder: RenderFolder) -> dict[int, ChunkProgress]:
    """Every chunk's progress that is in the folder, by chunk index."""
    return ProgressReader(folder).read()


def frames_done(folder: RenderFolder) -> int:
    """Frames that are rendered, in finished chunks and in those being rendered."""
    return sum(chunk.done for chunk in read_progress(folder).values())
