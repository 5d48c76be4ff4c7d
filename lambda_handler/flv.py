"""FLV, as the plainest container that ffmpeg reads and writes encoded pictures in (Adobe, "Video File Format" 10.1).

Times are milliseconds there, and here whatever the reader takes them for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_HEADER = b"FLV\1\1\0\0\0\t" + bytes(4)
_VIDEO = 9
_AVC = 7
_SEQUENCE_HEADER, _PICTURE = 0, 1
_TAG_BYTES = 11
_AVC_BYTES = 5
_SIZE_BYTES = 4


class Picture(NamedTuple):
    """One encoded picture: when it is decoded and shown, and its AVC NAL units, each after its length in 4 bytes.

    The content of one that was read lies in the stream itself.
    """

    decoded: int
    shown: int
    key: bool
    content: bytes | memoryview


def read(stream: bytes) -> tuple[bytes, list[Picture]]:
    """The decoder configuration and the pictures of a stream's H.264 track, in the order in which they are decoded."""
    configuration, pictures = b"", []
    for time, body in _tags(memoryview(stream)):
        begins, kind = body[0], body[1]
        content = body[_AVC_BYTES:]
        if kind == _SEQUENCE_HEADER:
            configuration = bytes(content)
        elif kind == _PICTURE:
            later = int.from_bytes(body[2:_AVC_BYTES], "big", signed=True)
            pictures.append(Picture(time, time + later, begins >> 4 == 1, content))
    return configuration, pictures


def _tags(stream: memoryview) -> Iterator[tuple[int, memoryview]]:
    position = len(_HEADER)
    while position + _TAG_BYTES <= len(stream):
        kind = stream[position]
        size = int.from_bytes(stream[position + 1 : position + 4], "big")
        time = stream[position + 7] << 24 | int.from_bytes(stream[position + 4 : position + 7], "big")
        position += _TAG_BYTES
        if kind == _VIDEO:
            yield time, stream[position : position + size]
        position += size + _SIZE_BYTES


def written(configuration: bytes, pictures: Iterable[Picture]) -> Iterator[bytes]:
    """The stream of one H.264 track, part by part."""
    yield _HEADER + _tag(0, True, _SEQUENCE_HEADER, 0, configuration)
    for each in pictures:
        yield _tag(each.decoded, each.key, _PICTURE, each.shown - each.decoded, each.content)


def _tag(time: int, key: bool, kind: int, later: int, content: bytes | memoryview) -> bytes:
    body = bytes([(1 if key else 2) << 4 | _AVC, kind]) + later.to_bytes(3, "big", signed=True) + bytes(content)
    told = struct.pack(">B", _VIDEO) + len(body).to_bytes(3, "big")
    told += (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24]) + bytes(3)
    return told + body + struct.pack(">I", _TAG_BYTES + len(body))
