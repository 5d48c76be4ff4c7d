"""PNG sequences: a `.tar.gz` of frame_000001.png, frame_000002.png, … as Chromium made them.

Names count from the beginning of the video, in chunks too: so joining chunks is copying their members.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lambda_handler.errors import ChunkInvalid
from lambda_handler.grid import FrameRange

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Stored, not packed again: PNG is packed already, and zlib's versions would not give the same bytes.
STORED = 0


def name_of(index: int) -> str:
    """The file name of frame `index`, which counts from 0."""
    return f"frame_{index + 1:06d}.png"


@contextmanager
def writing(archive: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Gives a function that adds a file by name and content; the same files give the same archive."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=STORED, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

        yield add


def frames_in(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the archive's files, in order. Raises ChunkInvalid when it cannot be read."""
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is None:
                    raise ChunkInvalid(f"{archive.name} holds {member.name!r}, which is no file.")
                yield member.name, content.read()
            # The checksum stands at the very end.
            while packed.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ChunkInvalid(f"{archive.name} cannot be unpacked: {error}.") from error


def checked_frames(archives: Iterable[Path], which: FrameRange, width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """The frames of `archives`, one after another, each checked: its name, its size in px, its checksums.

    Raises ChunkInvalid unless they are exactly the frames `which`.
    """
    expected = iter(range(which.start, which.end))
    for archive in archives:
        for name, content in frames_in(archive):
            index = next(expected, None)
            if index is None or name != name_of(index):
                wanted = "nothing more" if index is None else name_of(index)
                raise ChunkInvalid(f"{archive.name} holds {name} where {wanted} belongs.")
            found = size_of(content)
            if found != (width, height):
                told = f"is {found[0]} x {found[1]} px, not {width} x {height}" if found else "is no whole PNG picture"
                raise ChunkInvalid(f"{name} of {archive.name} {told}.")
            yield name, content
    missing = next(expected, None)
    if missing is not None:
        raise ChunkInvalid(f"{name_of(missing)} is missing.")


def size_of(picture: bytes) -> tuple[int, int] | None:
    """Width and height in px of a PNG picture whose every part has the right checksum; None of any other bytes."""
    if not picture.startswith(SIGNATURE):
        return None
    size, place, kind = None, len(SIGNATURE), b""
    while place + 12 <= len(picture):
        length, kind = struct.unpack_from(">I4s", picture, place)
        end = place + 8 + length
        if end + 4 > len(picture) or zlib.crc32(picture[place + 4 : end]) != struct.unpack_from(">I", picture, end)[0]:
            return None
        if kind == b"IHDR":
            size = struct.unpack_from(">II", picture, place + 8)
        place = end + 4
    return size if kind == b"IEND" and place == len(picture) else None
