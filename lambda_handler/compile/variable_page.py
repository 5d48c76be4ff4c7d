"""Puts variables' values into a flat page: the tables that scripts read, and the `--slug` style sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lambda_handler.compile.css_scope import composition_selector
from lambda_handler.compile.dom import (
    Document,
    Element,
    ancestors,
    attribute,
    child_elements,
    create_element,
    head_of,
    html_of,
    select,
    text_of,
)
from lambda_handler.compile.script_scope import json_in_script
from lambda_handler.compile.variables import (
    DECLARATIONS,
    HOST_VALUES,
    Declaration,
    MountedScope,
    defaults_of,
    read_declarations,
    read_host_values,
)

STYLE_MARK = "data-hf-composition-variables"
SCRIPT_MARK = "data-hf-variables"
SCOPE_MARK = "data-hf-var-scope"

_DEFINITION = re.compile(r"(?<![\w-])(--[\w-]+)\s*:")
_UNSAFE = re.compile(r"[;{}<>\r\n]")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_METADATA = frozenset({"meta", "title", "base"})


def declared_variables(
    document: Document, scopes: Sequence[MountedScope] = (), page: str = "index.html"
) -> tuple[Declaration, ...]:
    """Every variable declared on the page or by what is mounted in it."""
    on_page = [d for element in _declarers(document) for d in read_declarations(element, page)]
    return (*on_page, *(d for scope in scopes for d in scope.declarations))


def apply_variables(
    document: Document,
    scopes: Sequence[MountedScope],
    overrides: Mapping[str, Any],
    page: str = "index.html",
) -> None:
    """Write the values into the page: `overrides` over what hosts give over declared defaults."""
    script = _tables(scopes, overrides)
    if script:
        # Before any script that could read it, behind what tells the browser how to read the page.
        head = head_of(document)
        following = next((child for child in child_elements(head) if child.name not in _METADATA), None)
        head.insert_before(create_element("script", {SCRIPT_MARK: ""}, script), following)
    rules = _rules(document, scopes, overrides, page)
    if rules:
        head_of(document).append_child(create_element("style", {STYLE_MARK: ""}, "\n".join(rules)))


def css_variable_name(variable_id: str) -> str:
    """The custom property of a variable, as `var(--slug)` in a style sheet names it."""
    return f"--{_NOT_SLUG.sub('-', variable_id.lower()).strip('-') or 'node'}"


def _tables(scopes: Iterable[MountedScope], overrides: Mapping[str, Any]) -> str:
    by_composition = {scope.runtime_id: values for scope in scopes if (values := scope.values_with(overrides))}
    tables = {"__hfVariables": dict(overrides), "__hfVariablesByComp": by_composition}
    return "\n".join(
        f"window.{name} = Object.assign({{}}, window.{name}, {json_in_script(table)});"
        for name, table in tables.items()
        if table
    )


def _rules(document: Document, scopes: Iterable[MountedScope], overrides: Mapping[str, Any], page: str) -> list[str]:
    authored = {name for style in select(document, "style") for name in _DEFINITION.findall(text_of(style))}

    def absent(values: Mapping[str, Any]) -> dict[str, Any]:
        """What no authored style defines: such a definition is meant to win over a default."""
        return {name: value for name, value in values.items() if css_variable_name(name) not in authored}

    rules = []
    for scope in scopes:
        chosen = {name: value for name, value in scope.values_with(overrides).items() if name in overrides}
        rules.append(_rule(composition_selector(scope.runtime_id), {**absent(scope.values), **chosen}))
    marked = 0
    for element in _declarers(document):
        values = _declared_values(element, overrides, absent, page)
        if element is html_of(document):
            rules.append(_rule(":root", values))
        elif values:
            # By a mark of its own: compositions that are mounted twice share everything else.
            marked += 1
            element.attrs[SCOPE_MARK] = str(marked)
            rules.append(_rule(f'[{SCOPE_MARK}="{marked}"]', values))
    return [rule for rule in rules if rule]


def _declared_values(
    element: Element,
    overrides: Mapping[str, Any],
    absent: Callable[[Mapping[str, Any]], dict[str, Any]],
    page: str,
) -> dict[str, Any]:
    declarations = read_declarations(element, page)
    host = next((ancestor for ancestor in ancestors(element) if HOST_VALUES in ancestor.attrs), None)
    given = {**(read_host_values(host, page) if host else {}), **overrides}
    declared = {declaration.id for declaration in declarations}
    chosen = {name: value for name, value in given.items() if name in declared}
    return {**absent(defaults_of(declarations)), **chosen}


def _declarers(document: Document) -> list[Element]:
    return [element for element in select(document, f"[{DECLARATIONS}]") if attribute(element, DECLARATIONS)]


def _rule(selector: str, values: Mapping[str, Any]) -> str:
    lines = [f"  {css_variable_name(name)}: {text};" for name, value in values.items() if (text := _css_text(value))]
    return "\n".join([f"{selector} {{", *lines, "}"]) if lines else ""


def _css_text(value: Any) -> str:
    """A text or number as CSS, without what could end the declaration or the style sheet."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _UNSAFE.sub("", str(value))
