"""Imports and URLs in scripts."""

from __future__ import annotations

import pytest

from lambda_handler.compile.modules import rewrite_imports, rewrite_urls


@pytest.mark.parametrize(
    ("script", "specifiers"),
    [
        ("import * as T from 'three';", ["three"]),
        ("import{a as b}from'./x.js';export{c}from\"./y.js\";", ["./x.js", "./y.js"]),
        ("import './side.js'", ["./side.js"]),
        ("export * from './all'", ["./all"]),
        ("export * as q from './all'", ["./all"]),
        ("import D, { e } from 'both'", ["both"]),
        ("export {\n  a,\n  b\n} from 'lines';", ["lines"]),
        ("const a = 1; import q from 'late'", ["late"]),
        ("const m = await import( `./lazy.js` )", ["./lazy.js"]),
        (" * import { X } from 'in-a-comment';", []),
        ("// import x from 'commented-out'", []),
        ("const s = 'import y from \"z\"'", []),
        ("import(`./${name}.js`)", []),
        ("export const from = 'x'", []),
    ],
)
def test_imports_are_found(script: str, specifiers: list[str]) -> None:
    """Static and dynamic ones, minified or not; comments, strings and computed names are none."""
    found: list[str] = []
    assert rewrite_imports(script, lambda specifier: found.append(specifier) or specifier) == script  # type: ignore[func-returns-value]
    assert found == specifiers


def test_only_the_specifier_changes() -> None:
    """Everything around it stays byte for byte."""
    assert rewrite_imports("import {a}  from \"x\" ; f('x')", str.upper) == "import {a}  from \"X\" ; f('x')"


def test_a_classic_script_has_dynamic_imports_only() -> None:
    """`import … from` would be an error in it, so what looks like one is text."""
    assert (
        rewrite_imports("import a from 'a'\nimport('b')", str.upper, static=False) == "import a from 'a'\nimport('B')"
    )


def test_urls_in_scripts_are_whole_strings() -> None:
    """A URL inside a longer string, or one with a placeholder, is left alone."""
    script = 'f("https://a.b/c.json", "see https://a.b/d", `https://a.b/${x}.png`, "//a.b/e.js")'
    changed = 'f("HTTPS://A.B/C.JSON", "see https://a.b/d", `https://a.b/${x}.png`, "//A.B/E.JS")'
    assert rewrite_urls(script, str.upper) == changed
