"""Automation lanes: the volume that data-automation draws."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handler.audio.automation import Point, volume_lane
from lambda_handler.errors import CompositionInvalid, FeatureNotSupported, ProjectError


def _lane(*points: dict[str, Any], target: str = "volume") -> str:
    return json.dumps({"version": 1, "lanes": [{"target": target, "points": list(points)}]})


def test_a_lane_is_straight_between_its_points_and_held_outside() -> None:
    """In seconds of the clip; unordered points are put in order, unusable ones left out."""
    gain = volume_lane(
        _lane({"t": 3, "v": 1}, {"t": 1, "v": 0}, {"t": None, "v": 1}, {"t": 10**400, "v": 1}, {"t": 2}), "x"
    )
    assert gain is not None
    assert [gain.at(moment) for moment in (0, 1, 2, 3, 9)] == [0, 0, 0.5, 1, 1]


def test_a_curve_bends_towards_its_sign() -> None:
    """An exponent of 2^(2·curve): +0.5 squares the progress, -0.5 takes its root."""
    for curve, wanted in ((0.5, 0.25), (-0.5, 0.5**0.5)):
        gain = volume_lane(_lane({"t": 0, "v": 0, "curve": curve}, {"t": 1, "v": 1}), "x")
        assert gain is not None
        assert gain.at(0.5) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("via", [(0.5, 0.2), (0.8, 0.1), (0.1, 0.9), (0.3, 0.35)])
def test_a_lane_passes_through_its_via_point(via: tuple[float, float]) -> None:
    """And rises all the way."""
    point = Point(0, 0, via=via)
    assert point.progress(via[0]) == pytest.approx(via[1], abs=1e-6)
    values = [point.progress(step / 100) for step in range(101)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == pytest.approx((0, 1))


def test_no_volume_lane_is_no_envelope() -> None:
    """Lanes of effects are the effects' business."""
    assert volume_lane(None, "x") is None
    assert volume_lane(_lane({"t": 0, "v": 1}, target="fx.n1.frequency"), "x") is None
    assert volume_lane(_lane(target="volume"), "x") is None


@pytest.mark.parametrize(
    ("automation", "error", "told"),
    [
        ("{", CompositionInvalid, "not JSON"),
        ('{"version": 2, "lanes": []}', CompositionInvalid, '"version": 1'),
        ("[]", CompositionInvalid, '"version": 1'),
        (_lane(target="pan"), CompositionInvalid, "'pan'"),
        (_lane(target="fx.n1"), CompositionInvalid, "'fx.n1'"),
        (_lane({"t": 0, "v": 2}, target="rate"), FeatureNotSupported, "changes the speed"),
    ],
)
def test_lanes_that_cannot_be_followed_are_refused(automation: str, error: type[ProjectError], told: str) -> None:
    """A track that lost its envelope would sound like one that never had it."""
    with pytest.raises(error, match=told) as caught:
        volume_lane(automation, '<audio id="bed">')
    assert '<audio id="bed">' in str(caught.value)
