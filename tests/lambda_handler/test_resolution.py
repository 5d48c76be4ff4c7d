"""Output sizes by name: how many device pixels a px of the page has."""

from __future__ import annotations

import pytest

from lambda_handler.errors import InvalidConfig
from lambda_handler.resolution import ALIASES, NAMES, device_scale, parse_resolution


def _scale(name: str | None, width: int, height: int, *, any_orientation: bool = False) -> int:
    return device_scale(name, any_orientation=any_orientation, width=width, height=height)


@pytest.mark.parametrize(
    ("name", "size", "scale"),
    [
        (None, (320, 180), 1),
        ("landscape", (1920, 1080), 1),
        ("landscape", (640, 360), 3),
        ("landscape-4k", (1920, 1080), 2),
        ("portrait-4k", (1080, 1920), 2),
        ("square-4k", (1080, 1080), 2),
        ("4k", (1920, 1080), 2),
        ("4k", (1080, 1920), 2),
        ("4k", (1080, 1080), 2),
        ("1080p", (540, 960), 2),
    ],
)
def test_a_px_is_a_whole_number_of_device_pixels(name: str | None, size: tuple[int, int], scale: int) -> None:
    """A tier takes the composition's own orientation."""
    assert _scale(name, *size) == scale


def test_a_preset_means_its_tier_when_the_request_says_so() -> None:
    """The reference sends a tier as a landscape preset with a flag."""
    assert _scale("landscape-4k", 1080, 1920, any_orientation=True) == 2
    with pytest.raises(InvalidConfig, match="aspect-mismatch"):
        _scale("landscape-4k", 1080, 1920)


@pytest.mark.parametrize(
    ("name", "size", "kind"),
    [
        ("landscape", (1080, 1920), "aspect-mismatch"),
        ("4k", (1600, 1200), "aspect-mismatch"),
        ("square", (1920, 1080), "aspect-mismatch"),
        ("landscape", (3840, 2160), "downsampling"),
        ("landscape", (1280, 720), "non-integer-scale"),
    ],
)
def test_a_size_that_would_blur_or_distort_is_refused_by_kind(name: str, size: tuple[int, int], kind: str) -> None:
    """Both sizes are in the message."""
    with pytest.raises(InvalidConfig, match=f"outputResolution: .*{size[0]} x {size[1]}: {kind}"):
        _scale(name, *size)


def test_a_mismatch_tells_what_would_fit() -> None:
    """In the advice."""
    with pytest.raises(InvalidConfig, match="Ask for portrait or portrait-4k"):
        _scale("landscape", 1080, 1920)


def test_every_alias_leads_to_a_name() -> None:
    """In any case of letters."""
    assert {parse_resolution(alias.upper()) for alias in ALIASES} <= set(NAMES)
