"""The imports of an ES module, and the URLs in a script: found and replaced where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable

# A static import or export begins a statement, and nothing but names stands before its string.
_STATIC = re.compile(
    r"""
    (?:^|(?<=[;{}])|(?<=\*/)) [^\S\n]*
    (?:import|export)\b \s* (?:[\w$*{},\s]*?\bfrom\s*)?
    (?P<quote>["'])(?P<specifier>[^"'\n]+)(?P=quote)
    """,
    re.MULTILINE | re.VERBOSE,
)
_DYNAMIC = re.compile(r"""\bimport\s*\(\s*(?P<quote>["'`])(?P<specifier>[^"'`\n$]+)(?P=quote)\s*\)""")
_URL = re.compile(r"""(?P<quote>["'`])(?P<specifier>(?:https?:)?//[\w.-]+/[^"'`\s\\<>${}]*)(?P=quote)""")


def rewrite_imports(script: str, rewrite: Callable[[str], str], *, static: bool = True) -> str:
    """`script` with each imported specifier replaced by `rewrite(specifier)`.

    `static=False` leaves `import … from` alone, which only a module may have.
    """
    if static:
        script = _replaced(_STATIC, script, rewrite)
    return _replaced(_DYNAMIC, script, rewrite)


def rewrite_urls(script: str, rewrite: Callable[[str], str]) -> str:
    """`script` with each string that is one whole http(s) URL replaced by `rewrite(url)`."""
    return _replaced(_URL, script, rewrite)


def _replaced(pattern: re.Pattern[str], script: str, rewrite: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        start, end = (position - match.start() for position in match.span("specifier"))
        return match[0][:start] + rewrite(match["specifier"]) + match[0][end:]

    return pattern.sub(replaced, script)
