"""A composition's variables: what is declared, what a request may set, and how a page gets the values.

The page runtime reads them (`getVariables`, `data-var-text`, `data-var-src`, `--id`); this module gives it
the tables, and a style sheet with the `--slug` form, which must be there before the first script runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handler.compile.dom import Element, attribute, describe
from lambda_handler.errors import VariablesInvalid

DECLARATIONS = "data-composition-variables"
HOST_VALUES = "data-variable-values"


@dataclass(frozen=True)
class Declaration:
    """One declared variable. `has_default` tells a default of null from none."""

    id: str
    type: str
    default: Any = None
    has_default: bool = False
    options: tuple[Any, ...] = ()


@dataclass(frozen=True)
class MountedScope:
    """A mounted composition: the id it has on the page, the one its author wrote, and its variables."""

    runtime_id: str
    authored_id: str
    source: str
    declarations: tuple[Declaration, ...]
    values: Mapping[str, Any]

    def values_with(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The scope's values; `overrides` replace those that it knows."""
        known = {declaration.id for declaration in self.declarations} | self.values.keys()
        return {**self.values, **{name: value for name, value in overrides.items() if name in known}}


@dataclass(frozen=True)
class Issue:
    """What is wrong with one value. `kind` is undeclared, type-mismatch or enum-out-of-range."""

    kind: str
    variable_id: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.variable_id}: {self.kind}, expected {self.expected}, got {self.actual}"


def read_declarations(element: Element | None, file: str) -> tuple[Declaration, ...]:
    """The variables that `element`, of `file`, declares."""
    written = attribute(element, DECLARATIONS) if element is not None else None
    if element is None or written is None or not written.strip():
        return ()
    where = f"{DECLARATIONS} of {describe(element)} in {file}"
    entries = _parsed(written, where)
    if isinstance(entries, dict):  # the same by id, as some published blocks write it
        entries = [{"id": name, **entry} for name, entry in entries.items() if isinstance(entry, dict)]
    if not isinstance(entries, list):
        raise VariablesInvalid(f"{where} is {_type_name(entries)}; it must be an array of declarations.")
    return tuple(_declaration(entry, where) for entry in entries)


def read_host_values(host: Element, file: str) -> dict[str, Any]:
    """The values that a host, in `file`, gives to what is mounted in it."""
    written = attribute(host, HOST_VALUES)
    if written is None or not written.strip():
        return {}
    where = f"{HOST_VALUES} of {describe(host)} in {file}"
    values = _parsed(written, where)
    if not isinstance(values, dict):
        raise VariablesInvalid(f"{where} is {_type_name(values)}; it must be an object of values by variable id.")
    return values


def defaults_of(declarations: Iterable[Declaration]) -> dict[str, Any]:
    """The declared defaults; of two declarations of one id the later wins."""
    return {declaration.id: declaration.default for declaration in declarations if declaration.has_default}


def validate_overrides(declarations: Iterable[Declaration], overrides: Mapping[str, Any]) -> None:
    """Refuse overrides that are not declared or do not fit, naming every one of them."""
    declared = list(declarations)
    issues = find_issues(declared, overrides)
    if not issues:
        return
    known = ", ".join(dict.fromkeys(declaration.id for declaration in declared)) or "none"
    raise VariablesInvalid(
        "\n".join([f"{len(issues)} of the variables given cannot be used:", *(f"- {issue}" for issue in issues)]),
        resolution=f"Compare with {DECLARATIONS} in the project; it declares: {known}.",
    )


def find_issues(declarations: Iterable[Declaration], overrides: Mapping[str, Any]) -> tuple[Issue, ...]:
    """All that is wrong with `overrides`, in order. A value must fit every declaration of its id."""
    declared = list(declarations)
    issues: list[Issue] = []
    for name, value in overrides.items():
        matching = [declaration for declaration in declared if declaration.id == name]
        if not matching:
            issues.append(Issue("undeclared", name, "a declared variable", _type_name(value)))
        found = (issue for declaration in matching if (issue := _misfit(declaration, value)))
        issues += dict.fromkeys(found)
    return tuple(issues)


def _misfit(declaration: Declaration, value: Any) -> Issue | None:
    if declaration.type == "enum":
        return _not_an_option(declaration, value)
    expected, fits = _TYPES.get(declaration.type, ("anything", lambda _: True))
    return None if fits(value) else Issue("type-mismatch", declaration.id, expected, _type_name(value))


def _not_an_option(declaration: Declaration, value: Any) -> Issue | None:
    if not declaration.options or value in declaration.options:
        return None
    if not isinstance(value, str):
        return Issue("type-mismatch", declaration.id, "enum (string)", _type_name(value))
    allowed = ", ".join(json.dumps(option, ensure_ascii=False) for option in declaration.options)
    actual = json.dumps(value, ensure_ascii=False)
    return Issue("enum-out-of-range", declaration.id, f"one of {allowed}", actual)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text_or_object(value: Any, *fields: str) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(value.get(field), str) for field in fields)
    return isinstance(value, str)


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("string", _is_text),
    "color": ("color (string)", _is_text),
    "boolean": ("boolean", _is_flag),
    "number": ("number", _is_number),
    "font": (
        "font (string, or object with strings name and source)",
        lambda value: _is_text_or_object(value, "name", "source"),
    ),
    "image": ("image (string, or object with string url)", lambda value: _is_text_or_object(value, "url")),
}


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), type(value).__name__)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise VariablesInvalid(
            f"{where} is not valid JSON: {error}.",
            resolution="Correct the JSON; within an HTML attribute, write its own kind of quote as &quot;.",
        ) from error


def _declaration(entry: Any, where: str) -> Declaration:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise VariablesInvalid(f"{where} holds an entry without an id: {json.dumps(entry)[:200]}.")
    options = entry.get("options")
    return Declaration(
        id=entry["id"],
        type=str(entry.get("type", "")),
        default=entry.get("default"),
        has_default="default" in entry,
        options=tuple(
            option.get("value") if isinstance(option, dict) else option
            for option in (options if isinstance(options, list) else ())
        ),
    )
