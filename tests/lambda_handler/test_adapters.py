"""Whatever animates a page, it shows the moment that was sought."""

from __future__ import annotations

import pytest
from compositions import MOVING, RED, SHADER_TRANSITION, WHITE
from rendering import BOX, page
from showing import Shows

from lambda_handler.errors import FeatureNotSupported

BLUE = (51, 51, 238)


@pytest.mark.parametrize("name", MOVING)
def test_the_box_is_where_its_moment_says(shows: Shows, name: str) -> None:
    """From the first frame on, and after a jump."""
    moving = MOVING[name]
    with shows(moving.html, moving.files) as shown:
        for moment, left in ((0, 0), (0.1, 20), (0.7, 140)):
            inside, before, behind = (left + 20, 90), (left - 6, 90), (left + 46, 90)
            expected = {inside: RED, behind: WHITE} | ({before: WHITE} if left else {})
            found = dict(zip(expected, shown.colours(moment, *expected), strict=True))
            assert found == expected, f"at {moment} s"


def test_a_shader_transition_is_drawn_inside_the_page(shows: Shows) -> None:
    """The library draws both scenes into textures; before and after it there is one scene only."""
    with shows(SHADER_TRANSITION.html) as shown:
        middle, corner = (160, 90), (4, 4)
        assert shown.colours(0.2, middle, corner) == [RED, RED]
        for moment in (0.5, 0.5):
            inside, outside = shown.colours(moment, middle, corner)
            assert inside[2] > inside[0] + 100, "the iris shows the second scene"
            assert outside[0] > outside[2] + 100, "and around it is the first one"
        assert shown.colours(0.9, middle, corner) == [BLUE, BLUE]


def test_webgpu_that_is_not_there_is_said(shows: Shows) -> None:
    """By what the composition asks for, and what to do."""
    with shows(page(BOX)) as shown:
        shown.told("{ navigator.gpu.requestAdapter = async () => null }")
        with pytest.raises(FeatureNotSupported, match="data-requires-webgpu"):
            shown.page.require_software_gpu(webgpu=True)
