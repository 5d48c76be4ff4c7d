"""The font families that CSS names."""

from __future__ import annotations

import pytest

from lambda_handler.compile.font_stacks import Reference, read_fonts, with_families


@pytest.mark.parametrize(
    ("css", "stacks"),
    [
        ("a { font-family: 'X Y', Georgia, serif }", [("X Y", "Georgia", "serif")]),
        ("font: 700 48px/1.2 Inter Tight, sans-serif; color: red", [("Inter Tight", "sans-serif")]),
        ("font: var(--size)/1 'A', b", [("A", "b")]),
        ('font: 900 clamp(1px, 2vw, 3px) "Z"', [("Z",)]),
        ("font: bold large Q !important", [("Q",)]),
        ("font-family: inherit", []),
        ("font: caption", []),
        ("@media print { a { & b { font-family: C } } }", [("C",)]),
        ("a:hover { color: red } /* font-family: No */ b { font-family: D }", [("D",)]),
        (".x { content: 'font-family: No' }", []),
        ("a { font-family: var(--a, Foo, serif) }", [("Foo", "serif"), (Reference("--a"),)]),
    ],
)
def test_every_stack_is_read(css: str, stacks: list[tuple[str | Reference, ...]]) -> None:
    """Of `font-family` and of the `font` shorthand, wherever declarations can stand."""
    _, use = read_fonts(css)
    assert [stack.items for stack in use.stacks] == stacks


def test_a_face_with_a_file_is_the_authors() -> None:
    """One that only names fonts of the author's machine is none."""
    css = "@font-face { font-family: Mine; src: url(m.woff2) } @font-face { font-family: Not; src: local('N') }"
    _, use = read_fonts(css)
    assert use.authored == {"mine"}
    assert use.stacks == []


def test_variables_are_kept_by_name() -> None:
    """Whether one is a font shows only where it is used; a whole shorthand can be in one."""
    _, use = read_fonts(":root { --a: -apple-system, sans-serif; --b: 700 12px/1 'B' }")
    assert {name: [stack.items for stack in found] for name, found in use.variables.items()} == {
        "--a": [("-apple-system", "sans-serif")],
        "--b": [("B",)],
    }


def test_a_family_is_put_where_its_stack_begins() -> None:
    """Every other character stays as the author wrote it, whatever the line ends are."""
    css, use = read_fonts("a { font-family:\r\n  serif /* s */ }\r\nb { font: 1px 'x', y }")
    assert with_families(css, [stack.offset for stack in use.stacks], "Inter") == (
        "a { font-family:\n  Inter, serif /* s */ }\nb { font: 1px Inter, 'x', y }"
    )


def test_a_family_is_put_where_its_stack_ends() -> None:
    """Before what ends the declaration, wherever the same character stands inside a name."""
    css, use = read_fonts(
        "a { font-family: 'X;Y' , serif /* s */ ; color: red } b { font: 1px/2 var(--a, Foo, serif)!important }"
    )
    assert with_families(css, [], "Inter", [stack.offset for stack in use.stacks], ["N", "M"]) == (
        "a { font-family: 'X;Y' , serif, N, M /* s */ ; color: red } "
        "b { font: 1px/2 var(--a, Foo, serif, N, M), N, M!important }"
    )
