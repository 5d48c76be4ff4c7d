"""Font families that no style sheet names: those in scripts, and in the data that scripts read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path

from lambda_handler.compile.characters import project_texts
from lambda_handler.compile.font_families import ALIASES

_DATA_SUFFIXES = frozenset({".json", ".svg", ".html", ".htm"})
# Lottie's files call it fFamily.
_FONT_IN_SCRIPT = re.compile(r"""(?:font[-\w]*|fFamily)["']?\s*[:=,(]\s*(.{1,200})""", re.IGNORECASE)
# The value of a variable of type font.
_FONT_VALUE = re.compile(r'\{(?=[^{}]*"source"\s*:)[^{}]*"name"\s*:\s*"([^"\\]{1,80})"')
_LOADED_BY_SCRIPT = re.compile(r"""new\s+FontFace\(\s*["'`]([^"'`]+)""")


def loaded_by_scripts(scripts: Iterable[str]) -> set[str]:
    """The families, in lower case, that `scripts` bring themselves."""
    return {name.lower() for text in scripts for name in _LOADED_BY_SCRIPT.findall(text)}


def mentioned(scripts: Iterable[str], project: Path, packages: Iterable[str]) -> Iterator[str]:
    """What `scripts`, and the files of `project` that they may read, seem to set text in: on a canvas, in a style, an
    animation, a variable. Of the names that are found by their place alone, those of `packages` and their aliases."""
    names = {*ALIASES, *(name.replace("-", " ") for name in packages)}
    known = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})\b")
    for text in (*scripts, *map(unescape, project_texts(project, _DATA_SUFFIXES))):
        yield from _FONT_VALUE.findall(text)
        for match in _FONT_IN_SCRIPT.finditer(text):
            yield from known.findall(match[1].lower())
