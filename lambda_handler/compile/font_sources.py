"""The sources of `@font-face` rules: the first one that can be had is kept, the rule dropped where there is none.

`local()` means a font of the author's machine, which no other has; so another source is what is drawn everywhere.
And every font is waited for: an optional one would be drawn or not as the machine is fast or slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import tinycss2

from lambda_handler.compile.css_urls import quote
from lambda_handler.compile.font_faces import FACE, WAITED_FOR
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

_RULE = re.compile(rf"/\*[\s\S]*?(?:\*/|\Z)|{FACE.pattern}", re.IGNORECASE)
_UNREADABLE_FORMATS = frozenset({"embedded-opentype", "svg"})
_UNREADABLE_SUFFIXES = (".eot", ".svg", ".svgz")


@dataclass(frozen=True)
class LostFont:
    """A family that a rule or a link promises, and why its font cannot be had; None where the rule has nothing but
    `local` names."""

    family: str
    reason: PageAssetMissing | AssetFetchUnavailable | None
    local: tuple[str, ...] = ()


def rewrite_sources(css: str, place: Callable[[str], str], lose: Callable[[LostFont], None]) -> str:
    """`css` whose `@font-face` rules name one source each, `place(url)`, and have it waited for.

    Rules without any are told to `lose`. `place` raises PageAssetMissing, AssetFetchUnavailable for what cannot be had.
    """

    def rewritten(body: str, whole: str) -> str:
        declared = tinycss2.parse_blocks_contents(body, skip_comments=True, skip_whitespace=True)
        declarations = [item for item in declared if item.type == "declaration"]
        sources = [part for item in declarations if item.lower_name == "src" for part in _parts(item.value)]
        if not sources:
            return whole
        family = next((_family(item.value) for item in declarations if item.lower_name == "font-family"), "")
        reason: PageAssetMissing | AssetFetchUnavailable | None = None
        for source in sources:
            url = _url(source)
            if url is None or _is_unreadable(url, source):
                continue
            try:
                placed = place(url)
            except (PageAssetMissing, AssetFetchUnavailable) as error:
                reason = reason or error
                continue
            if len(sources) == 1 and placed == url and all(item.lower_name != "font-display" for item in declarations):
                return whole
            lines = [_line(item) for item in declarations if item.lower_name != "src"]
            return "@font-face { " + "; ".join([*lines, f"src: url({quote(placed)}){_behind_url(source)}"]) + " }"
        if reason is None and any(_url(source) is not None for source in sources):
            reason = PageAssetMissing(f'The @font-face rule of "{family}" has no source in a format of today.')
        lose(LostFont(family, reason, tuple(filter(None, map(_local, sources)))))
        return ""

    return _RULE.sub(lambda match: match[0] if match["body"] is None else rewritten(match["body"], match[0]), css)


def _line(declaration: Any) -> str:
    if declaration.lower_name == "font-display":
        return WAITED_FOR
    return f"{declaration.name}: {tinycss2.serialize(declaration.value).strip()}"


def _parts(value: Sequence[Any]) -> list[list[Any]]:
    parts: list[list[Any]] = [[]]
    for token in value:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        elif token.type not in {"whitespace", "comment"}:
            parts[-1].append(token)
    return [part for part in parts if part]


def _url(source: Sequence[Any]) -> str | None:
    first = source[0]
    if first.type == "url":
        return str(first.value)
    if first.type == "function" and first.lower_name == "url":
        return next((str(token.value) for token in first.arguments if token.type == "string"), None)
    return None


def _local(source: Sequence[Any]) -> str:
    first = source[0]
    if first.type != "function" or first.lower_name != "local":
        return ""
    return _family(first.arguments)


def _family(value: Sequence[Any]) -> str:
    """The name that a string or some identifiers spell."""
    return " ".join(str(token.value) for token in value if token.type in {"string", "ident"})


def _is_unreadable(url: str, source: Sequence[Any]) -> bool:
    formats = {
        str(token.value).lower()
        for part in source[1:]
        if part.type == "function" and part.lower_name == "format"
        for token in part.arguments
        if token.type in {"string", "ident"}
    }
    return bool(formats & _UNREADABLE_FORMATS) or urlsplit(url).path.lower().endswith(_UNREADABLE_SUFFIXES)


def _behind_url(source: Sequence[Any]) -> str:
    behind = " ".join(tinycss2.serialize([token]) for token in source[1:])
    return f" {behind}" if behind else ""
