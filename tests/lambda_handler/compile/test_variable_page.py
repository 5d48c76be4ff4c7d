"""Variables' values in the flat page: the tables for scripts, and the style sheet."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handler.compile.dom import parse, serialise
from lambda_handler.compile.subcompositions import flatten
from lambda_handler.compile.variable_page import apply_variables, css_variable_name, declared_variables

CARD = """<html data-composition-variables='[{"id": "Name Color", "type": "color", "default": "red"}]'><body>
<div data-composition-id="card"
data-composition-variables='[{"id": "text", "type": "string", "default": "T"}]'
></div></body></html>"""

PAGE = """<html data-composition-variables='[{"id": "accent", "type": "color", "default": "blue"}]'><head>
<meta charset="utf-8"><style>p{--text : x}</style></head><body><div data-composition-id="main">
<div data-composition-id="card" data-composition-src="card.html"></div>
<div data-composition-id="card" data-composition-src="card.html"
data-variable-values='{"Name Color": "lime"}'></div>
</div></body></html>"""


def _applied(page: str = PAGE, overrides: dict[str, Any] | None = None) -> str:
    flat = flatten(parse(page), {"card.html": CARD}.get)
    apply_variables(flat.document, flat.scopes, overrides or {})
    return serialise(flat.document)


@pytest.mark.parametrize(
    ("variable_id", "name"),
    [("accent", "--accent"), ("Brand Color!", "--brand-color"), ("_x__y_", "--x-y"), ("é", "--node")],
)
def test_a_css_name_is_a_slug_of_the_id(variable_id: str, name: str) -> None:
    """Lower case, hyphens, never empty."""
    assert css_variable_name(variable_id) == name


def test_each_instance_has_a_table_of_its_own() -> None:
    """Before the first script and behind the character set."""
    written = _applied()
    assert (
        '<meta charset="utf-8"><script data-hf-variables>window.__hfVariablesByComp = Object.assign({}, '
        'window.__hfVariablesByComp, {"card__hf1": {"Name Color": "red", "text": "T"}, '
        '"card__hf2": {"Name Color": "lime", "text": "T"}});</script><style>'
    ) in written
    assert "window.__hfVariables =" not in written


def test_the_style_sheet_has_a_rule_for_each_scope() -> None:
    """The page, each host; a property that an authored style defines is not defined again."""
    written = _applied()
    assert ":root {\n  --accent: blue;\n}" in written
    assert '[data-composition-id="card__hf1"] {\n  --name-color: red;\n}' in written
    assert '[data-composition-id="card__hf2"] {\n  --name-color: lime;\n}' in written
    assert "--text: T" not in written


def test_overrides_reach_the_page_and_every_scope_that_knows_them() -> None:
    """In tables and style sheet, even where an authored style defines the property."""
    written = _applied(overrides={"text": "new", "accent": "gold"})
    assert (
        'window.__hfVariables = Object.assign({}, window.__hfVariables, {"text": "new", "accent": "gold"});' in written
    )
    assert written.count('"text": "new"') == 3
    assert ":root {\n  --accent: gold;\n}" in written
    assert '[data-hf-var-scope="2"] {\n  --text: new;\n}' in written


def test_a_value_cannot_leave_its_declaration_or_its_script() -> None:
    """Neither in CSS nor in JavaScript."""
    written = _applied(overrides={"accent": "red;} body{x:</style><script>evil()</script>"})
    assert "--accent: red body{x:/stylescriptevil()/script".replace("{", "") in written
    assert "<script>evil" not in written


def test_only_texts_and_numbers_become_properties() -> None:
    """Numbers as JavaScript writes them."""
    page = (
        "<html data-composition-variables='["
        '{"id": "a", "default": 2.0}, {"id": "b", "default": true}, {"id": "c", "default": {"name": "x"}},'
        '{"id": "d", "default": ""}, {"id": "e", "default": 0.5}]'
        "'><body><div data-composition-id=main></div></body></html>"
    )
    assert ":root {\n  --a: 2;\n  --e: 0.5;\n}" in _applied(page)


def test_a_page_without_variables_is_left_alone() -> None:
    """Nothing is added."""
    page = '<html><head></head><body><div data-composition-id="main"></div></body></html>'
    assert _applied(page) == page


def test_all_declarations_are_found() -> None:
    """The page's and those of what it mounts, whose html element is gone."""
    flat = flatten(parse(PAGE), {"card.html": CARD}.get)
    assert {each.id for each in declared_variables(flat.document, flat.scopes)} == {
        "accent",
        "Name Color",
        "text",
    }
