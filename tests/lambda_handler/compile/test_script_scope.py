"""The source that scoped scripts become. What it does in a page: test_scripts_in_a_page.py."""

from __future__ import annotations

import pytest

from lambda_handler.compile.script_scope import (
    ScriptScope,
    is_classic,
    is_module,
    json_in_script,
    wrap_module,
    wrap_script,
)

SCOPE = ScriptScope("card__hf1", ("card",), "card", "root")


def test_a_script_runs_in_a_function_of_its_own() -> None:
    """Its text is untouched, and ends where it ends even with a comment."""
    wrapped = wrap_script("go() // last", SCOPE)
    assert "\ngo() // last\n" in wrapped
    assert wrapped.startswith('window.__hfRunScoped({"runtimeId": "card__hf1", "authoredIds": ["card"]')
    assert "function (document, gsap, window, self, globalThis, __timelines, __hyperframes)" in wrapped


@pytest.mark.parametrize(
    ("source", "absent"),
    [
        ("import gsap from 'gsap';", "gsap"),
        ("import { gsap, x } from 'y';", "gsap"),
        ("const document = 1", "document"),
        ("  export function window() {}", "window"),
    ],
)
def test_a_module_keeps_the_names_it_declares(source: str, absent: str) -> None:
    """Declaring one twice would be a syntax error."""
    names = wrap_module(source, SCOPE).partition("}")[0]
    assert absent not in names
    assert "__hyperframes" in names


def test_a_module_keeps_its_imports_at_its_top_level() -> None:
    """They are not allowed in a function."""
    assert wrap_module("import 'x';", SCOPE).endswith(";\nimport 'x';")


@pytest.mark.parametrize(
    ("script_type", "classic", "module"),
    [
        (None, True, False),
        ("", True, False),
        ("Text/JavaScript ", True, False),
        ("module", False, True),
        ("application/json", False, False),
        ("x-shader/x-vertex", False, False),
    ],
)
def test_what_a_browser_runs_is_told_from_data(script_type: str | None, classic: bool, module: bool) -> None:
    """By the type attribute, as a browser does."""
    assert (is_classic(script_type), is_module(script_type)) == (classic, module)


def test_values_cannot_end_the_script_they_stand_in() -> None:
    """The one character that could is escaped."""
    assert json_in_script({"a": "</script><!--"}) == '{"a": "\\u003c/script>\\u003c!--"}'
