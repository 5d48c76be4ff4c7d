"""The output formats: what each means for the capture, for the chunks, and for the published object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

FormatName = Literal["mp4", "mov", "webm", "png-sequence", "gif"]

PictureKind = Literal["bgra", "jpeg", "png"]
"""How a page's pictures are handed on: its window's own pixels, or a screenshot."""

# A browser shows a GIF frame that is to last less than 2/100 s for 10/100 s.
FASTEST_GIF = Fraction(50)


@dataclass(frozen=True)
class OutputFormat:
    """One format. `suffix` is the published object's, `chunk_suffix` that of its chunks.

    `alpha`: pictures have a transparent background. `even`: both sides have to be even. `rated`: it has a crf or a
    bitrate. `constant`: every frame lasts exactly as long as any other, because no time is rounded.
    """

    suffix: str
    chunk_suffix: str
    alpha: bool
    even: bool
    rated: bool
    constant: bool


FORMATS: Mapping[str, OutputFormat] = {
    # H.264 or H.265, 4:2:0.
    "mp4": OutputFormat(".mp4", ".mp4", alpha=False, even=True, rated=True, constant=True),
    # ProRes 4444.
    "mov": OutputFormat(".mov", ".mov", alpha=True, even=False, rated=False, constant=True),
    # VP9; Matroska counts milliseconds.
    "webm": OutputFormat(".webm", ".webm", alpha=True, even=False, rated=True, constant=False),
    "png-sequence": OutputFormat(".tar.gz", ".tar.gz", alpha=True, even=False, rated=False, constant=False),
    # One palette for the whole video, so the chunks are lossless and assemble makes the GIF; it counts 1/100 s.
    "gif": OutputFormat(".gif", ".mp4", alpha=False, even=False, rated=False, constant=False),
}
assert set(FORMATS) == set(get_args(FormatName))  # noqa: S101 - one list, written twice for the type checker


def format_of(name: str) -> str | None:
    """The format whose published objects are named like `name`; None where none is."""
    return next((each for each, output in FORMATS.items() if name.lower().endswith(output.suffix)), None)
