"""Which of several versions an npm-style range asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FULL = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_RANGE = re.compile(r"([\^~]?)v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?")
_ANY = frozenset({"", "latest", "*", "x", "X"})


def newest_satisfying(versions: Iterable[str], wanted: str) -> str | None:
    """The newest of `versions` that `wanted` allows, or None.

    Understood are an exact version, a prefix (`3`, `3.14`, `3.x`), `^3.12.0`, `~3.12.0`, and nothing or
    `latest` for any. Other ranges and tags allow none, so that nobody is given what they did not ask for.
    """
    allowed = [(parts, version) for version in versions if (parts := _parts(version)) and _allows(wanted, parts)]
    return max(allowed)[1] if allowed else None


def _parts(version: str) -> tuple[int, ...] | None:
    match = _FULL.fullmatch(version)  # a pre-release is never what a range means
    return tuple(map(int, match.groups())) if match else None


def _allows(wanted: str, version: tuple[int, ...]) -> bool:
    if wanted in _ANY:
        return True
    match = _RANGE.fullmatch(wanted)
    if match is None:
        return False
    operator = match[1]
    asked = tuple(int(part) for part in match.groups()[1:] if part and part.isdigit())
    if not operator:
        return version[: len(asked)] == asked
    floor = asked + (0,) * (3 - len(asked))
    return version >= floor and version[: _fixed(operator, asked)] == asked[: _fixed(operator, asked)]


def _fixed(operator: str, asked: tuple[int, ...]) -> int:
    """How many leading parts must not change: for `^`, up to the first that is not zero."""
    if operator == "~":
        return min(2, len(asked))
    return next((index + 1 for index, part in enumerate(asked) if part), len(asked))
