"""Automation lanes: what `data-automation` says about the volume.

The lanes of effects are read by the effects themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite, sqrt
from typing import Any

from lambda_handler.audio.envelope import Envelope, clamped
from lambda_handler.errors import CompositionInvalid, FeatureNotSupported

VERSION = 1
MAX_POINTS = 512
CURVE_POINTS_PER_SECOND = 60
# A point that the curve passes through stays inside its segment by this much (reference: core/src/audioAutomation.ts).
VIA_EDGE = 0.001
MAX_WEIGHT = 1e6


@dataclass(frozen=True)
class Point:
    """A breakpoint at `time` (seconds of the clip); `curve` and `via` bend the way to the next one."""

    time: float
    value: float
    curve: float = 0.0
    via: tuple[float, float] | None = None

    def progress(self, x: float) -> float:
        """How far the value has come when the part `x` (0 to 1) of the way to the next point is done."""
        if self.via:
            return _through(x, *self.via)
        return float(x ** (2 ** (2 * self.curve)))


def volume_lane(automation: str | None, where: str) -> Envelope | None:
    """The gain over the clip that the volume lane of a `data-automation` gives; None where there is no such lane.

    Raises CompositionInvalid naming `where`, FeatureNotSupported for lanes that change the speed.
    """
    lanes = _lanes(automation, where) if automation else {}
    if "rate" in lanes:
        raise FeatureNotSupported(
            f"{where}: data-automation has a lane that changes the speed, which cannot be rendered.",
            resolution="Use a constant data-playback-rate instead.",
        )
    points = lanes.get("volume")
    return _envelope(points) if points else None


def _lanes(automation: str, where: str) -> dict[str, tuple[Point, ...]]:
    try:
        told: Any = json.loads(automation)
    except ValueError as error:
        raise CompositionInvalid(f"{where}: data-automation is not JSON: {error}.") from error
    if not isinstance(told, dict) or told.get("version") != VERSION or not isinstance(told.get("lanes"), list):
        raise CompositionInvalid(f'{where}: data-automation is not {{"version": {VERSION}, "lanes": […]}}.')
    lanes: dict[str, tuple[Point, ...]] = {}
    for lane in told["lanes"]:
        target = lane.get("target") if isinstance(lane, dict) else None
        if not isinstance(target, str) or not _known(target) or not isinstance(lane.get("points"), list):
            raise CompositionInvalid(
                f"{where}: data-automation has a lane without points or with the unknown target {target!r}.",
                resolution="A lane's target is volume, fx.<node id>.<parameter> or fx.preset.<preset id>.",
            )
        lanes.setdefault(target, _points(lane["points"]))
    return lanes


def _known(target: str) -> bool:
    parts = target.split(".")
    return target in ("volume", "rate") or (parts[0] == "fx" and len(parts) == 3 and all(parts))


def _points(told: list[Any]) -> tuple[Point, ...]:
    points: dict[float, Point] = {}
    for entry in told:
        time, value = _number(entry, "t"), _number(entry, "v")
        if time is not None and value is not None:
            curve = max(-1.0, min(1.0, _number(entry, "curve") or 0.0))
            # The later of two at the same time replaces the earlier.
            points[max(0.0, time)] = Point(max(0.0, time), clamped(value), curve, _via(entry))
    return tuple(points[time] for time in sorted(points))[:MAX_POINTS]


def _number(entry: Any, name: str) -> float | None:
    value = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _via(entry: Any) -> tuple[float, float] | None:
    x, y = _number(entry, "viaX"), _number(entry, "viaY")
    if x is None or y is None:
        return None
    x, y = (min(1 - VIA_EDGE, max(VIA_EDGE, value)) for value in (x, y))
    return None if abs(x - y) < 1e-6 else (x, y)


def _envelope(points: tuple[Point, ...]) -> Envelope:
    drawn: list[tuple[float, float]] = []
    for point, following in pairwise(points):
        span, rise = following.time - point.time, following.value - point.value
        steps = max(2, ceil(span * CURVE_POINTS_PER_SECOND)) if point.curve or point.via else 1
        drawn += [
            (point.time + span * step / steps, point.value + rise * point.progress(step / steps))
            for step in range(steps)
        ]
    return Envelope((*drawn, (points[-1].time, points[-1].value)))


def _through(x: float, via_x: float, via_y: float) -> float:
    """A conic from (0, 0) to (1, 1) through the via point, which it reaches in the middle of its parameter.

    A rational quadratic Bézier curve of weight w passes (P0 + 2wC + P1) / (2 + 2w) there, so C = Q + (Q - M) / w;
    w is the smallest that keeps C inside the segment.
    """
    dx, dy = via_x - 0.5, via_y - 0.5
    room = [abs(d) / max(1e-12, 1 - VIA_EDGE - (0.5 + abs(d))) for d in (dx, dy)]
    weight = min(MAX_WEIGHT, max(1.0, *room))
    control_x, control_y = via_x + dx / weight, via_y + dy / weight
    a = x * (2 - 2 * weight) - 1 + 2 * weight * control_x
    b = -x * (2 - 2 * weight) - 2 * weight * control_x
    at = _root(a, b, x)
    rest = 1 - at
    return (2 * weight * control_y * at * rest + at * at) / (rest * rest + 2 * weight * at * rest + at * at)


def _root(a: float, b: float, c: float) -> float:
    """The root of a·t² + b·t + c between 0 and 1."""
    if abs(a) < 1e-12:
        return -c / b
    spread = sqrt(max(0.0, b * b - 4 * a * c))
    roots = [(-b + spread) / (2 * a), (-b - spread) / (2 * a)]
    return min(1.0, max(0.0, next((t for t in roots if -1e-9 <= t <= 1 + 1e-9), c)))
