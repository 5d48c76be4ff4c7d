"""Gain over time, exact to the sample."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite

SAMPLE_RATE = 48_000
MAX_GAIN = 10 ** (12 / 20)
"""+12 dB, the reference's limit (composition contract, section 1.2)."""

BLOCK = 1 << 20


@dataclass(frozen=True)
class Envelope:
    """Linear gain over the seconds of a clip: straight lines between `points` (seconds, gain), held before and after.

    `points` are in order of time; two at the same time are a step.
    """

    points: tuple[tuple[float, float], ...]

    @classmethod
    def constant(cls, gain: float) -> Envelope:
        """The same gain all the time."""
        return cls(((0.0, clamped(gain)),))

    @property
    def level(self) -> float | None:
        """The gain, where it never changes."""
        first = self.points[0][1]
        return first if all(gain == first for _, gain in self.points) else None

    def between(self, start: float, end: float) -> Envelope:
        """The part from `start` to `end`, in seconds from `start`."""
        inside = [(time - start, gain) for time, gain in self.points if start < time < end]
        return Envelope(((0.0, self.at(start)), *inside, (end - start, self.at(end))))

    def at(self, seconds: float) -> float:
        """The gain at a moment."""
        before = self.points[0]
        for point in self.points:
            if point[0] > seconds:
                return before[1] if point[0] == before[0] else _line(before, point, seconds)
            before = point
        return before[1]

    def samples(self, count: int) -> Iterator[array[float]]:
        """The gain of `count` consecutive samples, in blocks."""
        corners = [(0.0, self.points[0][1]), *self.points, (count / SAMPLE_RATE + 1, self.points[-1][1])]
        for (start, first), (end, last) in pairwise(corners):
            begin, stop = min(count, ceil(start * SAMPLE_RATE)), min(count, ceil(end * SAMPLE_RATE))
            for at in range(begin, stop, BLOCK):
                these = range(at, min(stop, at + BLOCK))
                if first == last:
                    yield array("f", [first]) * len(these)
                else:
                    slope = (last - first) / (end - start)
                    yield array("f", (first + slope * (i / SAMPLE_RATE - start) for i in these))


def clamped(gain: float) -> float:
    """The gain within silence and +12 dB; what is no number is no change."""
    return max(0.0, min(MAX_GAIN, gain)) if isfinite(gain) else 1.0


def sample_at(seconds: float) -> int:
    """The sample that stands at a moment."""
    return round(seconds * SAMPLE_RATE)


def _line(left: tuple[float, float], right: tuple[float, float], at: float) -> float:
    if at <= left[0]:
        return left[1]
    return left[1] + (right[1] - left[1]) * (at - left[0]) / (right[0] - left[0])
