"""Taking a range of frames, one after another, as JPEG pictures.

A frame in which nothing changed is not taken again: once two pictures in a row are the same, the browser is asked
for damage first, and the last picture is given again while there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from lambda_handler.grid import FrameRange, frame_time
from lambda_handler.page.session import CompositionPage

MODE = "beginframe"
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Frame:
    """One picture; `fresh` unless it is the one before it, given again."""

    index: int
    jpeg: bytes
    fresh: bool


def frames(page: CompositionPage, which: FrameRange, fps: Fraction, quality: int = JPEG_QUALITY) -> Iterator[Frame]:
    """The pictures of the frames `which`, in order."""
    previous = b""
    still = False
    for index in range(which.start, which.end):
        page.seek(frame_time(index, fps))
        if still and not page.has_changed():
            yield Frame(index, previous, fresh=False)
            continue
        picture = page.jpeg(quality)
        still = picture == previous
        if still:
            page.flush()
        previous = picture
        yield Frame(index, picture, fresh=True)
