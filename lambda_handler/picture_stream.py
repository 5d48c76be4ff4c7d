"""Pictures on their way to ffmpeg: an AVI stream, in which a frame that is the one before it again takes no bytes.

A frame without bytes is not decoded and not converted either; the `fps` filter puts the one before it in its place. Of
a long standstill an encoder may be told no more than a few, and the others are put in when it has ended (`standstill`).
Microsoft, "AVI RIFF File Reference"; sizes of 0, for lists whose end is not known yet, are ffmpeg's own reading.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from lambda_handler.formats import PictureKind
from lambda_handler.pipe import Writes

# What the encoder is not told of it cannot encode meanwhile, and would have to do at the end.
LONGEST_REPEAT = 8
CODECS: Mapping[PictureKind, bytes] = {"bgra": b"BGRA", "jpeg": b"MJPG", "png": b"MPNG"}


class Standstill(NamedTuple):
    """`pictures` that the encoder was not told of: the same as number `after`, from 0, of those that it was told of."""

    after: int
    pictures: int


class PictureStream:
    """Writes `frames` pictures of `width` x `height` px to `pipe`.

    With `told_repeats` the encoder hears of that many repeats of a picture, and of what `standstills` says later.
    """

    def __init__(
        self,
        pipe: Writes,
        kind: PictureKind,
        *,
        width: int,
        height: int,
        fps: Fraction,
        frames: int,
        told_repeats: int | None = None,
    ) -> None:
        self._pipe = pipe
        self._left = frames
        self._repeated = 0
        self._told_repeats = told_repeats
        self._silent = 0
        self._told = -1
        self.standstills: list[Standstill] = []
        pipe.write(_header(CODECS[kind], width, height, fps))

    def add(self, picture: bytes, *, fresh: bool) -> None:
        """The next frame; not `fresh` where it is the one before it."""
        self._left -= 1
        self._repeated = 0 if fresh else self._repeated + 1
        # The last one says how long it is shown.
        given = picture if fresh or not self._left or self._is_told() else b""
        if given:
            self._count()
        else:
            self._silent += 1
        # One after another: together they would be another copy of the picture.
        for part in (b"00dc", struct.pack("<I", len(given)), given, _padding(given)):
            self._pipe.write(part)

    def _is_told(self) -> bool:
        if self._told_repeats is None:
            return self._repeated % LONGEST_REPEAT == 0
        return self._repeated == self._told_repeats

    def _count(self) -> None:
        if self._told_repeats is not None and self._silent >= self._told_repeats:
            self.standstills.append(Standstill(self._told, self._silent))
            self._silent = 0
        self._told += self._silent + 1
        self._silent = 0


def _header(codec: bytes, width: int, height: int, fps: Fraction) -> bytes:
    main = struct.pack("<14I", 0, 0, 0, 0, 0, 0, 1, 0, width, height, 0, 0, 0, 0)
    clock = (fps.denominator, fps.numerator)
    stream = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", codec, 0, 0, 0, 0, *clock, 0, 0, 0, 0, 0, 0, 0, width, height)
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 32, codec, 0, 0, 0, 0, 0)
    described = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture)
    headers = b"hdrl" + _chunk(b"avih", main) + _chunk(b"LIST", described)
    return b"RIFF\0\0\0\0AVI " + _chunk(b"LIST", headers) + b"LIST\0\0\0\0movi"


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + _padding(content)


def _padding(content: bytes) -> bytes:
    return b"\0" * (len(content) % 2)
