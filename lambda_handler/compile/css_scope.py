"""Keeps a mounted composition's styles inside it.

Only selectors are rewritten; declarations, comments and every other byte stay as they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import tinycss2
from tinycss2.ast import (
    AtKeywordToken,
    Comment,
    CurlyBracketsBlock,
    FunctionBlock,
    HashToken,
    IdentToken,
    LiteralToken,
    Node,
    SquareBracketsBlock,
    StringToken,
    WhitespaceToken,
)

from lambda_handler.compile.css_urls import quote

AUTHORED_ID = "data-hf-authored-id"
INNER_ROOT = "data-hf-inner-root"

_GROUPING_RULES = frozenset({"media", "supports", "layer", "container", "starting-style"})
_PAGE_SELECTORS = frozenset({"html", "body", ":root"})
_TIMING_ATTRIBUTES = frozenset({"data-start", "data-duration"})


@dataclass(frozen=True)
class CssScope:
    """Which composition a style sheet belongs to.

    `authored_id` is the id its author wrote, `runtime_id` the one the mounted composition has on the
    page, `root_id` the DOM id of its root element, if that had one.
    """

    authored_id: str
    runtime_id: str
    root_id: str | None = None

    @property
    def selector(self) -> str:
        """Matches the host element of the mounted composition."""
        return composition_selector(self.runtime_id)

    @property
    def box(self) -> str:
        """Matches the element that is the composition's page: its flattened root, else its host."""
        return f"{self.selector}:not(:has([{INNER_ROOT}])), {self.selector} > [{INNER_ROOT}]"


def composition_selector(composition_id: str) -> str:
    """The selector of the composition with this id."""
    return f"[data-composition-id={quote(composition_id)}]"


def scope_css(css: str, scope: CssScope) -> str:
    """`css` with each selector narrowed to the composition.

    `@import`, `@font-face`, `@keyframes` and a bare `*` stay as they are; rules nested in others
    already inherit the scope of the outer one.
    """
    css = css.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    offsets = _Offsets(css)
    written: list[str] = []
    done = 0
    for selector_list, start, end in _selector_lists(tinycss2.parse_component_value_list(css), offsets):
        written += [css[done:start], _scoped_list(selector_list, scope)]
        done = end
    return "".join([*written, css[done:]])


class _Offsets:
    """Where a token stands in the text: tinycss2 counts lines and columns, both from 1."""

    def __init__(self, css: str) -> None:
        self._line_starts: list[int] = [
            0,
            *(index + 1 for index, character in enumerate(css) if character == "\n"),
        ]

    def __call__(self, token: Node) -> int:
        return int(self._line_starts[token.source_line - 1] + token.source_column - 1)


def _selector_lists(tokens: Sequence[Node], offset: _Offsets) -> Iterable[tuple[list[Node], int, int]]:
    """Each rule's selector list, with where it starts and where its block opens."""
    prelude: list[Node] = []
    for token in tokens:
        first = prelude[0] if prelude else None
        if first is None and (isinstance(token, WhitespaceToken | Comment) or _is_literal(token, "<!--", "-->")):
            continue
        if isinstance(token, CurlyBracketsBlock):
            if isinstance(first, AtKeywordToken):
                if first.lower_value in _GROUPING_RULES:
                    yield from _selector_lists(token.content, offset)
            elif first is not None:
                yield prelude, offset(first), offset(token)
            prelude = []
        elif isinstance(first, AtKeywordToken) and _is_literal(token, ";"):
            prelude = []
        else:
            prelude.append(token)


def _scoped_list(tokens: Sequence[Node], scope: CssScope) -> str:
    selectors: list[list[Node]] = [[]]
    for token in tokens:
        if _is_literal(token, ","):
            selectors.append([])
        elif not isinstance(token, Comment):
            selectors[-1].append(token)
    tail = " " if isinstance(tokens[-1], WhitespaceToken) else ""
    return ", ".join(_scoped(selector, scope) for selector in selectors) + tail


def _scoped(tokens: Sequence[Node], scope: CssScope) -> str:
    written = _text_of(tokens).strip()
    if written in {"", "*"}:
        return written
    if written.lower() in _PAGE_SELECTORS:
        return scope.box
    text, names_composition = _rewritten(tokens, scope)
    text = text.strip()
    if text == scope.selector:
        return scope.box
    return text if names_composition else f"{scope.selector} {text}"


def _rewritten(tokens: Sequence[Node], scope: CssScope) -> tuple[str, bool]:
    """The selector with the composition's own names replaced, and whether it named the composition."""
    parts: list[str] = []
    names_composition = False
    for group in _attribute_runs(tokens):
        head = group[0]
        if any(_names(block, scope) for block in group):
            # Timing attributes are written beside the id, but a mounted composition's host has others.
            kept = [block for block in group if not _names(block, scope) and not _is_timing(block)]
            parts.append(scope.selector + _text_of(kept))
            names_composition = True
        elif isinstance(head, HashToken) and scope.root_id is not None and head.value == scope.root_id:
            parts.append(f"[{AUTHORED_ID}={quote(scope.root_id)}]")
        elif isinstance(head, FunctionBlock):
            text, inner = _rewritten(head.arguments, scope)
            parts.append(f"{head.name}({text})")
            names_composition = names_composition or inner
        else:
            parts.append(_text_of(group))
    return "".join(parts), names_composition


def _attribute_runs(tokens: Sequence[Node]) -> list[list[Node]]:
    """The tokens one by one, but `[…][…]…` together."""
    runs: list[list[Node]] = []
    for token in tokens:
        previous = runs[-1][-1] if runs else None
        if isinstance(token, SquareBracketsBlock) and isinstance(previous, SquareBracketsBlock):
            runs[-1].append(token)
        else:
            runs.append([token])
    return runs


def _names(block: Node, scope: CssScope) -> bool:
    return _attribute_test(block) == ("data-composition-id", scope.authored_id)


def _is_timing(block: Node) -> bool:
    test = _attribute_test(block)
    return test is not None and test[0] in _TIMING_ATTRIBUTES


def _attribute_test(block: Node) -> tuple[str, str] | None:
    """The name and value of `[name="value"]`."""
    if not isinstance(block, SquareBracketsBlock):
        return None
    tokens = [token for token in block.content if not isinstance(token, WhitespaceToken | Comment)]
    if len(tokens) != 3:
        return None
    name, operator, value = tokens
    if not _is_literal(operator, "=") or not isinstance(name, IdentToken):
        return None
    if not isinstance(value, StringToken | IdentToken):
        return None
    return name.lower_value, value.value


def _is_literal(token: Node, *values: str) -> bool:
    return isinstance(token, LiteralToken) and token.value in values


def _text_of(tokens: Sequence[Node]) -> str:
    return str(tinycss2.serialize(tokens))
