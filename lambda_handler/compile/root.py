"""The composition a page is about: its root element, its size, how long it says it lasts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lambda_handler.compile.dom import Document, Element, ancestors, attribute, describe, select
from lambda_handler.errors import CompositionInvalid, CompositionNotFound, DurationOutOfRange

DEFAULT_WIDTH = 1080
DEFAULT_HEIGHT = 1920
LONGEST_SECONDS = 24 * 60 * 60

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)


@dataclass(frozen=True)
class Root:
    """The root composition. `duration` is in seconds, None where only the running page can tell it.

    `fps` is what `data-fps` holds, as it is written: it is advice, and the request's own rate wins.
    """

    element: Element
    composition_id: str
    width: int
    height: int
    duration: float | None
    fps: str | None


def resolve_root(document: Document, page: str = "index.html") -> Root:
    """The root composition of `document`, which is the file `page`."""
    element = find_root(document)
    if element is None:
        raise CompositionNotFound(f"{page} holds no composition: no element has a data-composition-id.")
    return Root(
        element=element,
        composition_id=(attribute(element, "data-composition-id") or "").strip(),
        width=_dimension(element, "data-width", DEFAULT_WIDTH, page),
        height=_dimension(element, "data-height", DEFAULT_HEIGHT, page),
        duration=_duration(element, page),
        fps=(attribute(element, "data-fps") or "").strip() or None,
    )


def find_root(document: Document) -> Element | None:
    """The element marked as root, else the first composition that is in no other."""
    compositions = [
        element
        for element in select(document, "[data-composition-id]")
        if (attribute(element, "data-composition-id") or "").strip()
    ]
    marked = (element for element in compositions if attribute(element, "data-root") == "true")
    outermost = (
        element
        for element in compositions
        if not any("data-composition-id" in ancestor.attrs for ancestor in ancestors(element))
    )
    return next(marked, None) or next(outermost, None) or next(iter(compositions), None)


def _dimension(element: Element, name: str, default: int, page: str) -> int:
    written = attribute(element, name)
    if written is None:
        return default
    text = written.strip()
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise CompositionInvalid(
            f'{name}="{written}" of {describe(element)} in {page} is not a whole number of pixels.',
            resolution=f'Write a whole number of pixels, as in {name}="{default}".',
        )
    return int(text)


def _duration(element: Element, page: str) -> float | None:
    for name in ("data-duration", "data-composition-duration"):
        written = attribute(element, name)
        text = (written or "").strip()
        if not text:
            continue
        where = f'{name}="{written}" of {describe(element)} in {page}'
        if _NOT_FINITE.fullmatch(text):
            raise DurationOutOfRange(f"{where} is not a finite number of seconds.")
        if not _NUMBER.fullmatch(text):
            raise CompositionInvalid(
                f"{where} is not a number of seconds.",
                resolution=f'Write the number alone, as in {name}="12.5".',
            )
        seconds = float(text)
        if not 0 < seconds <= LONGEST_SECONDS or math.isinf(seconds):
            raise DurationOutOfRange(f"{where} is not above 0 and at most {LONGEST_SECONDS} seconds (24 hours).")
        return seconds
    return None
