"""Taking a range of frames, one after another, as pictures of one kind.

All kinds are BeginFrame's: its screenshots have alpha, and its pictures as many device pixels as the browser was
started for. So nothing is left for Page.captureScreenshot to do, which draws when it likes.

A frame in which nothing changed is not taken again: once two pictures in a row are the same, the browser is asked
for damage first, and the last picture is given again while there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from lambda_handler.formats import PictureKind
from lambda_handler.grid import FrameRange, frame_time
from lambda_handler.page.session import CompositionPage
from lambda_handler.profile import Profile


@dataclass(frozen=True)
class Frame:
    """One picture; `fresh` unless it is the one before it, given again."""

    index: int
    picture: bytes
    fresh: bool


def frames(
    page: CompositionPage,
    which: FrameRange,
    fps: Fraction,
    kind: PictureKind,
    on_the_way: Callable[[int], None] = lambda _: None,
    profile: Profile | None = None,
) -> Iterator[Frame]:
    """The pictures of the frames `which`, in order.

    Where it is a long way to a frame (as to a late chunk's first), `on_the_way` is told about every second how many
    frames are done. `profile` hears how long was sought and drawn.
    """
    profile = profile or Profile()
    previous = b""
    still = False
    for index in range(which.start, which.end):
        with profile.at("seek"):
            page.seek(frame_time(index, fps), partial(on_the_way, index - which.start))
        with profile.at("draw"):
            fresh = not still or page.has_changed()
            if fresh:
                picture = page.picture(kind)
                still = picture == previous
                if still:
                    page.flush()
                previous = picture
        yield Frame(index, previous, fresh)
