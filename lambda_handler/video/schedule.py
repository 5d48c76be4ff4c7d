"""Which frame of its source a video shows: pure arithmetic over the times of the source's frames.

At each step of a grid at the output's rate, counted from the clip's media start, stands the last frame that has begun
by then: what a player shows, and what ffmpeg's fps filter gives with round=up, as the reference deployment runs it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor

from lambda_handler.errors import VideoSourceUnrenderable
from lambda_handler.manifest import VideoClip
from lambda_handler.media_sources import VideoTrack

# Times are floats: a frame that lies this near to its moment, in frames, stands at it.
_TOLERANCE = 1e-9
_MICROSECOND = 1_000_000
_FINE_TICK = Fraction(1, 1000)


@dataclass(frozen=True)
class Schedule:
    """The frames of `track` that `clip` shows at `fps` frames per second."""

    clip: VideoClip
    track: VideoTrack
    fps: Fraction

    def frame_at(self, seconds: float) -> int:
        """The index in `track.pts` of what stands in the clip at the moment `seconds` of the composition.

        Before the clip's start it is its first frame; after the source's end its last, or the first again in a loop.
        """
        first = self.first
        steps = max(0.0, (seconds - self.clip.start) * self.clip.rate * float(self.fps) + _TOLERANCE)
        if self.clip.loop:
            steps %= float((self.track.end - self._start) * self.track.time_base * self.fps)
        return max(first, bisect_right(self._positions, min(floor(steps), self.length - 1)) - 1)

    @cached_property
    def first(self) -> int:
        """The frame at the clip's media start. Raises VideoSourceUnrenderable where the source has ended by then."""
        if self._start >= self.track.end:
            seconds = float(self.track.end * self.track.time_base - self.track.file_start)
            raise VideoSourceUnrenderable(
                f'<video id="{self.clip.render_id}"> begins {self.clip.media_start:g} s into {self.clip.source}, which '
                f"lasts {seconds:.3f} s.",
                resolution="Set data-media-start below the length of the file.",
            )
        return max(0, bisect_right(self._positions, 0) - 1)

    @cached_property
    def length(self) -> int:
        """How many steps of the grid the source lasts from the media start on."""
        return max(1, self._position(self.track.end))

    @cached_property
    def _start(self) -> int:
        begins = self.track.file_start + Fraction(round(self.clip.media_start * _MICROSECOND), _MICROSECOND)
        return floor(begins / self.track.time_base + Fraction(1, 2))

    def _position(self, pts: int) -> int:
        """The first step of the grid at which a moment of the source has come; half a tick early counts, where ticks
        are fine, for they round times."""
        halves = 2 * (pts - self._start) - (self.track.time_base / 2 <= _FINE_TICK)
        scale = self.track.time_base * self.fps
        return -(-halves * scale.numerator // (2 * scale.denominator))

    @cached_property
    def _positions(self) -> list[int]:
        """Of every frame of the track, in order."""
        return [self._position(pts) for pts in self.track.pts]
