"""The URLs in a style sheet: found, and replaced where they stand, with every other byte left alone."""

from __future__ import annotations

import re
from collections.abc import Callable

_STRING = r"""(?:"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*')"""
_COMMENT = r"/\*[\s\S]*?(?:\*/|\Z)"
_GAP = rf"(?:\s|{_COMMENT})*"
_TOKEN = re.compile(
    rf"""
      (?P<opaque>{_COMMENT} | @namespace\b[^;{{}}]*)
    | @import{_GAP}(?P<imported>{_STRING})
    | (?<![\w-])url\(\s*(?:(?P<quoted>{_STRING})|(?P<bare>(?:\\[^\n]|[^\s"'()\\])*))\s*(?:\)|\Z)
    | {_STRING}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\n]?|\n|([\s\S]))")
_UNSAFE = re.compile(r'["\\\n]')


def rewrite_css_urls(css: str, rewrite: Callable[[str], str]) -> str:
    """`css` with each URL of a `url()` or an `@import` replaced by `rewrite(url)`.

    A URL that `rewrite` returns unchanged keeps its spelling. Comments, other strings and namespace
    names are no URLs; so `rewrite` never sees them.
    """

    def replaced(match: re.Match[str]) -> str:
        name = next((group for group in ("imported", "quoted", "bare") if match[group] is not None), None)
        if name is None:
            return match[0]
        written = match[name]
        url = unescape(written if name == "bare" else written[1:-1])
        new = rewrite(url) if url else url
        if new == url:
            return match[0]
        start, end = match.start(name) - match.start(), match.end(name) - match.start()
        return match[0][:start] + quote(new) + match[0][end:]

    return _TOKEN.sub(replaced, css)


def urls_in_css(css: str) -> list[str]:
    """Every URL of a `url()` or an `@import`, in order."""
    found: list[str] = []

    def remember(url: str) -> str:
        found.append(url)
        return url

    rewrite_css_urls(css, remember)
    return found


def quote(value: str) -> str:
    r"""`value` as a CSS string. `<` is escaped too: the string may stand inside a `<style>` element."""
    escaped = _UNSAFE.sub(lambda match: f"\\{ord(match[0]):x} ", value)
    return '"' + escaped.replace("<", "\\3c ") + '"'


def unescape(text: str) -> str:
    """CSS text with its escapes resolved."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        code = int(match[1], 16)
        valid = 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
        return chr(code) if valid else "\ufffd"
    return match[2] or ""
