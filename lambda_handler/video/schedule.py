"""Which frame of its source a video shows: pure arithmetic over the times of the source's frames.

It is the choice of ffmpeg's fps filter over the source from where the clip begins (composition contract, section
3.5), made without running it: so every cut of a render chooses the same.
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
        local = seconds - self.clip.start
        position = max(0, floor(local * self.clip.rate * float(self.fps) + _TOLERANCE))
        position = position % self.length if self.clip.loop else min(position, self.length - 1)
        return max(self.first, bisect_right(self._positions, position) - 1)

    @cached_property
    def first(self) -> int:
        """The first frame at or after the clip's media start. Raises VideoSourceUnrenderable where there is none."""
        for index, pts in enumerate(self.track.pts):
            if pts >= self._start:
                return index
        raise VideoSourceUnrenderable(
            f'<video id="{self.clip.render_id}"> begins {self.clip.media_start:g} s into {self.clip.source}, which has '
            f"no frame after {float((self.track.pts[-1]) * self.track.time_base):.3f} s.",
            resolution="Set data-media-start below the length of the file.",
        )

    @cached_property
    def length(self) -> int:
        """How many frames at `fps` the source lasts from the media start on: the period of a loop."""
        return max(1, self._position(self.track.end))

    @cached_property
    def _start(self) -> int:
        begins = self.track.file_start + Fraction(round(self.clip.media_start * _MICROSECOND), _MICROSECOND)
        return floor(begins / self.track.time_base + Fraction(1, 2))

    def _position(self, pts: int) -> int:
        """The number, at `fps`, of the output frame nearest to a moment of the source; halves count up."""
        scale = self.track.time_base * self.fps
        return (2 * (pts - self._start) * scale.numerator + scale.denominator) // (2 * scale.denominator)

    @cached_property
    def _positions(self) -> list[int]:
        """Of every frame of the track, in order."""
        return [self._position(pts) for pts in self.track.pts]
