"""The frame grid: which frames a video has, when each stands, and how they are cut into chunks.

Times are exact fractions of a second; a frame rate is a Fraction, so 30000/1001 stays itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from lambda_handler.errors import DurationOutOfRange, PlanTooLarge

MAX_DURATION_SECONDS = 24 * 3600
MAX_FRAMES = 1_000_000
MIN_AUTOMATIC_CHUNK = 10
ROUNDING_TOLERANCE = 0.001


@dataclass(frozen=True)
class FrameRange:
    """Frames `start` up to, not including, `end`, counted from the beginning of the video."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def total_frames(duration: float, fps: Fraction) -> int:
    """Frames of a video of `duration` seconds (composition contract, section 0.5).

    A duration within 0.001 frame of a whole number of frames has that number; any other is rounded up, so that
    the last moment is shown. Raises DurationOutOfRange, PlanTooLarge.
    """
    if not 0 < duration <= MAX_DURATION_SECONDS:
        raise DurationOutOfRange(
            f"The composition lasts {duration:g} s; it has to last more than 0 s and at most 24 h."
        )
    raw = duration * fps.numerator / fps.denominator
    frames = round(raw) if abs(raw - round(raw)) <= ROUNDING_TOLERANCE else ceil(raw)
    if frames < 1:
        raise DurationOutOfRange(f"The composition lasts {duration:g} s, less than one frame at {float(fps):g} fps.")
    if frames > MAX_FRAMES:
        raise PlanTooLarge(f"The video would have {frames} frames; {MAX_FRAMES} is the limit.")
    return frames


def frame_time(index: int, fps: Fraction) -> float:
    """The moment of frame `index`, in seconds of the composition."""
    return index * fps.denominator / fps.numerator


def slices(
    frames: int, *, chunk_size: int | None, target_chunk_frames: int | None, max_parallel_chunks: int
) -> tuple[FrameRange, ...]:
    """Cuts `frames` into consecutive chunks (composition contract, section 4.2).

    Never more than `max_parallel_chunks`: a chunk size that would give more is raised until it fits.
    """
    wanted = max(1, ceil(frames / target_chunk_frames)) if target_chunk_frames else max_parallel_chunks
    size = chunk_size or max(MIN_AUTOMATIC_CHUNK, ceil(frames / min(max_parallel_chunks, wanted)))
    count = min(max_parallel_chunks, ceil(frames / size))
    length = max(size, ceil(frames / count))
    return tuple(FrameRange(start, min(frames, start + length)) for start in range(0, frames, length))
