"""What all videos of a page show, moment by moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter

from lambda_handler.manifest import VideoClip
from lambda_handler.media_sources import VideoTrack
from lambda_handler.toolchain import Ffmpeg, sha256_of
from lambda_handler.video.frames import FrameReader, extension
from lambda_handler.video.schedule import Schedule

SERVED = "_hf/frames/"
TABLE = TypeAdapter(VideoTrack)
# How many coming frames have to be equally far apart for the reader to count on it.
_LOOK_AHEAD = 8


@dataclass(frozen=True)
class Shown:
    """A video's picture at a moment: its served path, and the seconds into the source at which it stands."""

    path: str
    media_time: float


class _Screen:
    """One video element."""

    def __init__(self, tool: Ffmpeg, schedule: Schedule, file: Path) -> None:
        self.schedule = schedule
        self.reader = FrameReader(tool, file, schedule.track, schedule.clip.source)
        self.place = f"{SERVED}{sha256_of(file)[:16]}/"

    def step(self, seconds: float, index: int) -> int:
        """How far apart the frames are that it shows from here on; 1 where that changes."""
        each = float(1 / self.schedule.fps)
        coming = [index, *(self.schedule.frame_at(seconds + n * each) for n in range(1, _LOOK_AHEAD + 1))]
        steps = {after - before for before, after in pairwise(coming)}
        return max(1, steps.pop()) if len(steps) == 1 else 1


class VideoPlayer:
    """The videos of one page. Make it with `playing`."""

    def __init__(self, screens: Iterable[_Screen]) -> None:
        self._screens = tuple(screens)
        self._pictures: dict[str, bytes] = {}

    def at(self, seconds: float) -> dict[str, Shown]:
        """What each video shows at the moment `seconds`, by its render id: those whose time it is, or nearly."""
        shown: dict[str, Shown] = {}
        pictures: dict[str, bytes] = {}
        for screen in self._screens:
            clip, track = screen.schedule.clip, screen.schedule.track
            margin = float(1 / screen.schedule.fps)
            if not clip.start - margin < seconds < clip.end + margin:
                screen.reader.close()
                continue
            index = screen.schedule.frame_at(seconds)
            path = f"{screen.place}{index}.{extension(track)}"
            if path not in pictures:
                pictures[path] = self._pictures.get(path) or screen.reader.read(index, screen.step(seconds, index))
            moment = float(track.pts[index] * track.time_base - track.file_start)
            shown[clip.render_id] = Shown(path, moment)
        self._pictures = pictures
        return shown

    def picture(self, path: str) -> bytes | None:
        """The picture served at `path`, when a video shows it at the moment asked for last."""
        return self._pictures.get(path)

    def close(self) -> None:
        """Ends all decoders."""
        for screen in self._screens:
            screen.reader.close()


@contextmanager
def playing(
    tool: Ffmpeg, clips: Sequence[VideoClip], files: Mapping[str, Path], fps: Fraction
) -> Iterator[VideoPlayer]:
    """The videos `clips`, whose sources and tables are among `files` (by artifact path)."""
    tables = {clip.table: TABLE.validate_json(files[clip.table].read_bytes()) for clip in clips}
    player = VideoPlayer(_Screen(tool, Schedule(clip, tables[clip.table], fps), files[clip.source]) for clip in clips)
    try:
        yield player
    finally:
        player.close()
