"""The characters a page may come to draw, which decide the font subsets it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_ESCAPE = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\([0-9a-fA-F]{2,6})")
_TEXT_SUFFIXES = frozenset(
    {".html", ".htm", ".js", ".mjs", ".css", ".json", ".txt", ".csv", ".tsv", ".svg", ".srt", ".vtt"}
)
_LARGEST = 4 << 20  # a larger file is data, not words


def project_texts(project: Path, suffixes: frozenset[str] = _TEXT_SUFFIXES) -> Iterator[str]:
    """The project's text files: what a script reads while the page runs is drawn too."""
    for path in sorted(project.rglob("*")):
        if path.suffix.lower() not in suffixes or "node_modules" in path.parts[len(project.parts) :]:
            continue
        if path.is_file() and path.stat().st_size <= _LARGEST:
            yield path.read_text(encoding="utf-8", errors="ignore")


def characters_of(texts: Iterable[str]) -> frozenset[int]:
    """The code points in `texts`, spelt out or as an escape of JavaScript, JSON or CSS."""
    found: set[int] = set()
    for text in texts:
        found.update(map(ord, set(text)))
        for match in _ESCAPE.finditer(text):
            found.add(int(next(group for group in match.groups() if group), 16))
    return frozenset(found)
