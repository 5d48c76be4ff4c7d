"""Pictures on their way to ffmpeg: what is given again takes no bytes, and is shown all the same."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from io import BytesIO

import pytest
from synthetic_media import grey_png

from lambda_handler import toolchain
from lambda_handler.picture_stream import LONGEST_REPEAT, PictureStream, Standstill

SIZE = 16


def _stream(levels: list[int], fps: Fraction) -> bytes:
    """A picture of each level; one that is the level before it is given as a repeat."""
    written = BytesIO()
    pictures = PictureStream(written, "png", width=SIZE, height=SIZE, fps=fps, frames=len(levels))
    for before, level in zip([None, *levels], levels, strict=False):
        pictures.add(grey_png(level, SIZE), fresh=level != before)
    return written.getvalue()


def _shown(stream: bytes, fps: Fraction) -> list[int]:
    """The level of every frame that ffmpeg makes of a stream."""
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "avi", "-i", "pipe:0", "-vf", f"fps={fps}"]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
    decoded = subprocess.run(command, input=stream, capture_output=True, check=True).stdout
    return list(decoded[:: SIZE * SIZE])


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30000, 1001), Fraction(60000, 1001)], ids=str)
@pytest.mark.parametrize(
    "levels",
    [
        [10],
        [10, 10],
        [10, 20, 30],
        [10, 20, 20, 20, 30, 30, 40],
        [10] * (3 * LONGEST_REPEAT),
        [10, *[20] * (2 * LONGEST_REPEAT + 1), 30, 30],
    ],
    ids=str,
)
def test_a_frame_that_is_given_again_is_shown_again(levels: list[int], fps: Fraction) -> None:
    """As often as it was given, at any rate, also at the end."""
    assert _shown(_stream(levels, fps), fps) == levels


def test_a_frame_that_is_given_again_takes_no_bytes() -> None:
    """But now and then, so that the encoder goes on meanwhile."""
    whole = len(grey_png(10, SIZE))
    size = len(_stream([10] * (2 * LONGEST_REPEAT), Fraction(30)))
    assert 3 * whole < size < 4 * whole + 8 * 2 * LONGEST_REPEAT + 300


def test_of_a_long_standstill_an_encoder_is_told_a_few_frames() -> None:
    """So many that one of them is predicted from one side only, and of the last frame."""
    written = BytesIO()
    levels = [10, *[20] * 9, *[30] * 4, 40, *[50] * 6]
    pictures = PictureStream(written, "png", width=SIZE, height=SIZE, fps=Fraction(30), frames=21, told_repeats=3)
    for before, level in zip([None, *levels], levels, strict=False):
        pictures.add(grey_png(level, SIZE), fresh=level != before)
    assert pictures.standstills == [Standstill(after=4, pictures=5)]
    assert _shown(written.getvalue(), Fraction(30)) == levels
