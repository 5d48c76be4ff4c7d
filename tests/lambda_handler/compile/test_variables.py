"""Declarations are read, and values that do not fit are refused, all at once."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from lambda_handler.compile.dom import Element, parse, select
from lambda_handler.compile.variables import (
    Declaration,
    MountedScope,
    defaults_of,
    read_declarations,
    read_host_values,
    validate_overrides,
)
from lambda_handler.errors import VariablesInvalid


def _element(name: str, value: Any) -> Element:
    text = value if isinstance(value, str) else json.dumps(value)
    return select(parse(f'<p id="x" {name}="{html.escape(text)}">'), "p")[0]


def _declared(value: Any) -> tuple[Declaration, ...]:
    return read_declarations(_element("data-composition-variables", value), "index.html")


DECLARED = _declared(
    [
        {"id": "title", "type": "string", "default": "A"},
        {"id": "size", "type": "number", "default": None},
        {"id": "accent", "type": "color"},
        {"id": "bold", "type": "boolean", "default": True},
        {
            "id": "theme",
            "type": "enum",
            "options": [{"value": "light"}, {"value": "dark"}],
            "default": "light",
        },
        {"id": "face", "type": "font"},
        {"id": "logo", "type": "image"},
    ]
)


def test_defaults_are_those_that_are_declared() -> None:
    """A default of null is one; no default is none."""
    assert defaults_of(DECLARED) == {"title": "A", "size": None, "bold": True, "theme": "light"}


def test_declarations_may_be_written_as_an_object() -> None:
    """Published blocks do so."""
    assert _declared({"a": {"type": "string", "default": "b"}}) == (Declaration("a", "string", "b", True),)


def test_an_element_without_declarations_declares_nothing() -> None:
    """Nor does an empty attribute."""
    assert _declared("  ") == ()
    assert read_declarations(None, "index.html") == ()


@pytest.mark.parametrize("text", ["[{", "3", '["a"]', '[{"type": "string"}]', '[{"id": 3}]'])
def test_a_malformed_declaration_is_refused_with_its_place(text: str) -> None:
    """The element and the file."""
    with pytest.raises(VariablesInvalid, match=r'data-composition-variables of <p id="x"> in index.html'):
        _declared(text)


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_malformed_host_values_are_refused_with_their_place(text: str) -> None:
    """Leaving them out would show the wrong text."""
    with pytest.raises(VariablesInvalid, match=r'data-variable-values of <p id="x"> in a.html'):
        read_host_values(_element("data-variable-values", text), "a.html")


def test_values_that_fit_are_accepted() -> None:
    """Every type, and both forms of fonts and images."""
    validate_overrides(DECLARED, {"title": "", "size": 1.5, "accent": "#fff", "bold": False, "theme": "dark"})
    validate_overrides(DECLARED, {"face": "Inter", "logo": "a.png"})
    validate_overrides(DECLARED, {"face": {"name": "Inter", "source": "google"}, "logo": {"url": "a.png"}})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("titel", "x", "titel: undeclared"),
        ("title", 3, "title: type-mismatch, expected string, got number"),
        ("title", None, "got null"),
        ("size", "3", "size: type-mismatch, expected number, got string"),
        ("size", True, "expected number, got boolean"),
        ("size", float("nan"), "expected number"),
        ("accent", ["#fff"], "accent: type-mismatch, expected color .string., got array"),
        ("bold", 1, "bold: type-mismatch, expected boolean, got number"),
        ("theme", "blue", 'theme: enum-out-of-range, expected one of "light", "dark", got "blue"'),
        ("theme", 3, "theme: type-mismatch"),
        ("face", {"name": "Inter"}, "face: type-mismatch, expected font"),
        ("logo", {"src": "a"}, "logo: type-mismatch, expected image"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name: str, value: Any, message: str) -> None:
    """With what was expected."""
    with pytest.raises(VariablesInvalid, match=message):
        validate_overrides(DECLARED, {name: value})


def test_all_issues_are_listed_at_once() -> None:
    """And what the project declares."""
    with pytest.raises(VariablesInvalid) as caught:
        validate_overrides(DECLARED, {"titel": "x", "size": "3", "theme": "blue", "bold": True})
    assert caught.value.summary.splitlines() == [
        "3 of the variables given cannot be used:",
        "- titel: undeclared, expected a declared variable, got string",
        "- size: type-mismatch, expected number, got string",
        '- theme: enum-out-of-range, expected one of "light", "dark", got "blue"',
    ]
    assert "title, size, accent, bold, theme, face, logo" in caught.value.resolution


def test_an_override_reaches_only_scopes_that_know_it() -> None:
    """By declaration or by a value of the host's."""
    scope = MountedScope("a", "a", "a.html", (Declaration("accent", "color"),), {"title": "A"})
    assert scope.values_with({"title": "B", "accent": "red", "other": 1}) == {"title": "B", "accent": "red"}
