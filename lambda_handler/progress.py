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
        self._stored: dict[int, storage.Stored] = {}
        self._most: dict[int, ChunkProgress] = {}

    def read(self) -> dict[int, ChunkProgress]:
        """What each chunk's worker wrote last, by chunk index: one that begins anew has fewer frames than before."""
        objects = storage.objects(storage.join(self._folder.prefix, "progress"))
        stored = {int(name): each for path, each in objects.items() if (name := path.removesuffix(".json")).isdecimal()}
        news = [chunk for chunk, each in stored.items() if not self._is_over(chunk, each)]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            for chunk, told in zip(news, pool.map(self._read_one, news), strict=True):
                if told is None:
                    continue
                self._known[chunk], self._stored[chunk] = told, stored[chunk]
                if chunk not in self._most or told.done >= self._most[chunk].done:
                    self._most[chunk] = told
        return dict(sorted(self._known.items()))

    @property
    def frames_done(self) -> int:
        """Frames that were done at some look. They never become fewer: a second worker at a chunk is behind the
        first."""
        return sum(chunk.done for chunk in self._most.values())

    @property
    def chunks_done(self) -> int:
        """Chunks that were finished at some look."""
        return sum(chunk.finished for chunk in self._most.values())

    def _is_over(self, chunk: int, stored: storage.Stored) -> bool:
        return chunk in self._known and self._known[chunk].finished and self._stored[chunk] == stored

    def _read_one(self, chunk: int) -> ChunkProgress | None:
        try:
            told = json.loads(storage.read(self._folder.progress(chunk)))
        except FileNotFoundError:  # taken away since it was listed
            return None
        return ChunkProgress(told["framesDone"], told["framesTotal"], told["writtenAt"])
