"""Whatever animates a page: a frame is the same to the bit in one piece and in 2, 4 and 8 chunks."""

from __future__ import annotations

from fractions import Fraction

import pytest
from compositions import MOVING, SHADER_TRANSITION
from showing import Shows

from lambda_handler.capture import frames
from lambda_handler.grid import FrameRange

FPS = Fraction(30)
FRAMES = 16
# A half, a quarter and an eighth, each on a page of its own as its worker has it.
LATER = (FrameRange(8, 16), FrameRange(4, 8), FrameRange(14, 16))
COMPOSITIONS = {**MOVING, "shader transition": SHADER_TRANSITION}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_every_cut_gives_the_same_frames(shows: Shows, name: str) -> None:
    """Also where a chunk begins in the middle of what moves."""
    moving = COMPOSITIONS[name]

    def taken(which: FrameRange) -> dict[int, bytes]:
        with shows(moving.html, moving.files) as shown:
            return {frame.index: frame.picture for frame in frames(shown.page, which, FPS, "bgra")}

    whole = taken(FrameRange(0, FRAMES))
    assert len(set(whole.values())) >= FRAMES // 3, "a picture in which nothing moves proves nothing"
    cut = {index: picture for which in LATER for index, picture in taken(which).items()}
    assert [index for index, picture in cut.items() if picture != whole[index]] == []
