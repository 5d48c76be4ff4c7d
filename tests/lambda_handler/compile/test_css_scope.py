"""A mounted composition's styles reach only what is in it."""

from __future__ import annotations

import pytest

from lambda_handler.compile.css_scope import CssScope, scope_css

SCOPE = CssScope("card", "card__hf2", "root")
HOST = '[data-composition-id="card__hf2"]'
BOX = f"{HOST}:not(:has([data-hf-inner-root])), {HOST} > [data-hf-inner-root]"
ROOT = '[data-hf-authored-id="root"]'


@pytest.mark.parametrize(
    ("selector", "scoped"),
    [
        (".title", f"{HOST} .title"),
        ("a > b:is(.c, .d)", f"{HOST} a > b:is(.c, .d)"),
        (".a, .b:hover::before", f"{HOST} .a, {HOST} .b:hover::before"),
        (r".w-1\/2", rf"{HOST} .w-1\/2"),
        ("html", BOX),
        ("BODY", BOX),
        (":root", BOX),
        ("*", "*"),
        ("* + *", f"{HOST} * + *"),
        ("#root", f"{HOST} {ROOT}"),
        ("#root.on > #rooted", f"{HOST} {ROOT}.on > #rooted"),
        (":not(#root) b", f"{HOST} :not({ROOT}) b"),
        ('a[href="#root"]', f'{HOST} a[href="#root"]'),
        ('[data-composition-id="card"]', BOX),
        ("[ data-composition-id = 'card' ]", BOX),
        ('[data-composition-id="card"][data-start="0"]', BOX),
        ('[data-composition-id="card"] .title', f"{HOST} .title"),
        ('[data-duration="3"][data-composition-id="card"][data-start="0"] > p', f"{HOST} > p"),
        ('[data-composition-id="card"].on', f"{HOST}.on"),
        ('[data-composition-id="other"] .x', f'{HOST} [data-composition-id="other"] .x'),
    ],
)
def test_each_selector_is_narrowed(selector: str, scoped: str) -> None:
    """To the host, to the composition's box, or to its root."""
    assert scope_css(f"{selector}{{a:b}}", SCOPE) == f"{scoped}{{a:b}}"


def test_rules_in_conditions_are_narrowed_too() -> None:
    """At any depth."""
    css = "@media (min-width: 1px) { .a { b: c } @supports (d: e) { .f { g: h } } }"
    assert scope_css(css, SCOPE) == css.replace(".a", f"{HOST} .a").replace(".f", f"{HOST} .f")
    assert scope_css("@layer x { p {} } @container (width > 1px) { p {} }", SCOPE).count(HOST) == 2


@pytest.mark.parametrize(
    "css",
    [
        '@import url("a.css") screen; @charset "x"; @layer a, b;',
        "@font-face { font-family: x; src: url('f.woff2') }",
        "@keyframes k { from { a: b } 50.5% { a: b } }",
        "@-webkit-keyframes k { to { a: b } }",
        "@property --x { syntax: '*'; inherits: false }",
        "/* .a { } */ ",
        "",
    ],
)
def test_what_selects_nothing_stays_as_it_is(css: str) -> None:
    """Byte for byte."""
    assert scope_css(css, SCOPE) == css


def test_rules_nested_in_others_stay_as_they_are() -> None:
    """They inherit the scope of the outer one."""
    css = ".a { color: red; & .b { c: d } .e { f: g } --x: { h: i }; }"
    assert scope_css(css, SCOPE) == f"{HOST} {css}"


def test_declarations_and_comments_are_not_touched() -> None:
    """Nor is anything else outside selectors."""
    css = "/* é */\n.a{\n  b:'\\201C';; c: U+26 url(X.png)}\n\n.d{e:f"
    assert scope_css(css, SCOPE) == css.replace(".a", f"{HOST} .a").replace(".d", f"{HOST} .d")


def test_a_composition_id_may_hold_any_character() -> None:
    """Quotes and what would end a style element are escaped."""
    scoped = scope_css("p{}", CssScope('a"</style>', 'a"</style>'))
    assert scoped == '[data-composition-id="a\\22 \\3c /style>"] p{}'
