"""Where CSS names font families: every stack, and the places to put another family before or behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import tinycss2

from lambda_handler.compile.font_families import CSS_WIDE

_NEWLINES = re.compile(r"\r\n|\r|\f")
_SIZE_WORDS = frozenset(
    (
        "xx-small",
        "x-small",
        "small",
        "medium",
        "large",
        "x-large",
        "xx-large",
        "xxx-large",
        "larger",
        "smaller",
    )
)
_SYSTEM_WORDS = frozenset(("caption", "icon", "menu", "message-box", "small-caption", "status-bar"))
_SPACE = frozenset({"whitespace", "comment"})
_SIZE_TYPES = frozenset({"dimension", "percentage", "number"})
_VALUE_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*[\s\S]*?(?:\*/|\Z))|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\\[\s\S]|."""
)
_VALUE_ENDS = frozenset(";}!)")


@dataclass(frozen=True)
class Reference:
    """A `var(--name)` inside a stack."""

    variable: str


@dataclass(frozen=True)
class Stack:
    """A list of families in order of preference, and where it begins in its style sheet."""

    offset: int
    items: tuple[str | Reference, ...]


@dataclass
class FontUse:
    """The fonts one style sheet names. Variables count only once something uses them for a font."""

    authored: set[str] = field(default_factory=set)
    stacks: list[Stack] = field(default_factory=list)
    variables: dict[str, list[Stack]] = field(default_factory=dict)


def read_fonts(css: str) -> tuple[str, FontUse]:
    """The fonts that a style sheet, or a style attribute, names; and `css` as the offsets count it."""
    css = _NEWLINES.sub("\n", css).replace("\0", "\ufffd")
    lines = [0, *(match.end() for match in re.finditer("\n", css))]
    use = FontUse()
    _Reader(use, lines).block(tinycss2.parse_component_value_list(css), at_rule=None)
    return css, use


def with_families(
    css: str, first: Iterable[int], family: str, last: Iterable[int] = (), families: Iterable[str] = ()
) -> str:
    """`css` with `family` before the stacks that begin at `first`, and `families` behind those at `last`."""
    behind = "".join(f", {name}" for name in families)
    insertions = {(offset, f"{family}, ") for offset in first} | {(_end(css, offset), behind) for offset in last}
    for offset, text in sorted(insertions, reverse=True):
        css = css[:offset] + text + css[offset:]
    return css


def _end(css: str, begin: int) -> int:
    """Where the value that begins at `begin` ends, space and comments behind it left out."""
    depth, end = 0, begin
    for token in _VALUE_TOKEN.finditer(css, begin):
        if token[0] in _VALUE_ENDS and depth == 0:
            break
        depth += (token[0] == "(") - (token[0] == ")")
        if not token["space"]:
            end = token.end()
    return end


class _Reader:
    def __init__(self, use: FontUse, lines: Sequence[int]) -> None:
        self.use = use
        self.lines = lines

    def block(self, tokens: Sequence[Any], at_rule: str | None) -> None:
        """Read the declarations and the nested blocks of one block."""
        for statement in _statements(tokens):
            name, value = _declaration(statement)
            if name is not None and at_rule == "font-face":
                if name == "font-family":
                    self._author(value, tokens)
            elif name is not None:
                self._declared(name, value)
            if statement[-1].type == "{} block" and not (name or "").startswith("--"):
                inner = statement[0].lower_value if statement[0].type == "at-keyword" else None
                self.block(statement[-1].content, inner)

    def _author(self, value: Sequence[Any], face: Sequence[Any]) -> None:
        stack = self._stack(value)
        # A face of local() sources alone is as absent as the fonts of the author's machine.
        if stack and any(token.type == "url" or getattr(token, "lower_name", "") == "url" for token in face):
            self.use.authored.update(item.lower() for item in stack.items if isinstance(item, str))

    def _declared(self, name: str, value: Sequence[Any]) -> None:
        if name.startswith("--"):
            shorthand = any(token.type in _SIZE_TYPES for token in value)
            stack = self._stack(_after_size(value) if shorthand else value)
            if stack:
                self.use.variables.setdefault(name, []).append(stack)
        elif name in {"font-family", "font"}:
            stack = self._stack(value if name == "font-family" else _after_size(value))
            if stack:
                self.use.stacks.append(stack)

    def _stack(self, value: Sequence[Any]) -> Stack | None:
        items: list[str | Reference] = []
        for part in _split(value, ","):
            words = [token for token in part if token.type not in _SPACE]
            if not words:
                continue
            first = words[0]
            if first.type == "function" and first.lower_name == "var":
                items.extend(self._reference(first))
            elif first.type == "string":
                items.append(first.value)
            elif all(token.type == "ident" for token in words):
                items.append(" ".join(token.value for token in words))
        begin = next((token for token in value if token.type not in _SPACE), None)
        if begin is None or not items:
            return None
        if len(items) == 1 and isinstance(items[0], str) and items[0].lower() in CSS_WIDE:
            return None
        return Stack(self.lines[begin.source_line - 1] + begin.source_column - 1, tuple(items))

    def _reference(self, function: Any) -> Iterator[Reference]:
        parts = _split(function.arguments, ",", most=2)
        names = [token.value for token in parts[0] if token.type == "ident"]
        if len(parts) > 1:
            fallback = self._stack(parts[1])
            if fallback:
                self.use.stacks.append(fallback)
        if names:
            yield Reference(names[0])


def _statements(tokens: Sequence[Any]) -> Iterator[list[Any]]:
    """The tokens of each declaration or rule; a block ends a rule, but not a variable's value."""
    statement: list[Any] = []
    for token in tokens:
        if token.type in _SPACE and not statement:
            continue
        if token.type == "literal" and token.value == ";":
            if statement:
                yield statement
            statement = []
            continue
        statement.append(token)
        if token.type == "{} block" and not (_declaration(statement)[0] or "").startswith("--"):
            yield statement
            statement = []
    if statement:
        yield statement


def _declaration(statement: Sequence[Any]) -> tuple[str | None, list[Any]]:
    words = [index for index, token in enumerate(statement) if token.type not in _SPACE]
    if len(words) < 2 or statement[words[0]].type != "ident" or statement[words[1]] != ":":
        return None, []
    name = statement[words[0]]
    value = list(statement[words[1] + 1 :])
    for index, token in enumerate(value):
        if token.type == "literal" and token.value == "!":
            value = value[:index]
            break
    return (name.value if name.value.startswith("--") else name.lower_value), value


def _after_size(value: Sequence[Any]) -> list[Any]:
    """What stands behind the size, and the line height, of a `font` shorthand."""
    words = [token for token in value if token.type not in _SPACE]
    if len(words) == 1 and words[0].type == "ident" and words[0].lower_value in _SYSTEM_WORDS:
        return []
    end = 0
    slash = False
    for index, token in enumerate(value):
        if token.type == "literal" and token.value == ",":
            break
        if token.type == "literal" and token.value == "/":
            slash = True
        elif token.type not in _SPACE and (slash or _is_size(token, value[index + 1 :])):
            end, slash = index + 1, False
    return list(value[end:]) if end else []


def _is_size(token: Any, rest: Sequence[Any]) -> bool:
    if token.type == "ident":
        return token.lower_value in _SIZE_WORDS
    if token.type == "function":
        following = next((after for after in rest if after.type not in _SPACE), None)
        return following is not None and following != ","
    return token.type in _SIZE_TYPES


def _split(tokens: Sequence[Any], separator: str, most: int | None = None) -> list[list[Any]]:
    parts: list[list[Any]] = [[]]
    for token in tokens:
        if token.type == "literal" and token.value == separator and len(parts) != most:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
