"""Which image files move: animated GIF, APNG, WebP and AVIF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# What tells a moving image within its first bytes; any GIF may have a second frame.
_MARKS = {".gif": b"GIF8", ".png": b"acTL", ".apng": b"acTL", ".webp": b"ANIM", ".avif": b"avis"}
_HEAD_BYTES = 64 * 1024


def animated_images(files: Mapping[str, Path | bytes]) -> tuple[str, ...]:
    """The served paths of those among `files` that may have more than one frame, sorted."""
    return tuple(sorted(path for path, content in files.items() if _moves(path, content)))


def _moves(path: str, content: Path | bytes) -> bool:
    mark = _MARKS.get(f".{path.rpartition('.')[2].lower()}")
    if mark is None:
        return False
    if isinstance(content, bytes):
        return mark in content[:_HEAD_BYTES]
    with content.open("rb") as file:
        return mark in file.read(_HEAD_BYTES)
