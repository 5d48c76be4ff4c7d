"""Writes what docs/aws.md says of the machine, the stack and the errors: `python -m infra.documentation`.

Each part stands between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; the rest of the page is written
by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from infra.state_machine import machine
from lambda_handler.errors import ERRORS, RenderError, Retry

PAGE: Final = Path(__file__).parents[1] / "docs" / "aws.md"
TEMPLATE: Final = Path(__file__).parent / "template.yaml"
RETRIED: Final = {Retry.NEVER: "no", Retry.TRANSIENT: "up to 4 times", Retry.THROTTLED: "for hours"}


def diagram() -> str:
    """The state machine as a mermaid flowchart."""
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {line}" for line in _drawn(machine())), "```"])


def _drawn(part: Mapping[str, Any]) -> Iterator[str]:
    for name, state in part["States"].items():
        match state["Type"]:
            case "Choice":
                yield f"{name}{{{name}}}"
                for choice in state["Choices"]:
                    yield f'{name} -->|"{_condition(choice)}"| {choice["Next"]}'
                yield f"{name} -->|else| {state['Default']}"
            case "Fail":
                yield f"{name}([{name}: {state['Error']}])"
            case "Map":
                processor = state["ItemProcessor"]
                mode = processor["ProcessorConfig"]["Mode"].lower()
                yield f'subgraph {name} ["{name}: {mode} map over the chunks"]'
                yield from (f"    {line}" for line in _drawn(processor))
                yield "end"
            case "Task":
                yield f"{name}[[{name}]]"
        if "Next" in state:
            yield f"{name} --> {state['Next']}"
        elif state.get("End") and part["StartAt"] != name:
            yield f"{name} --> done((done))"


def _condition(choice: Mapping[str, Any]) -> str:
    of = choice["Variable"].rpartition(".")[2]
    signs = {"NumericGreaterThan": "above", "NumericLessThan": "below"}
    return next((f"{of} {sign} {choice[test]}" for test, sign in signs.items() if test in choice), f"{of} is named")


def errors() -> str:
    """Every code: what it means, whether the machine tries again, what to do. Codes of whole families are left out."""
    leaves = [error for error in ERRORS.values() if not any(error in other.__bases__ for other in ERRORS.values())]
    rows = [f"| `{error.code}` | {_first(error)} | {RETRIED[error.retry]} | {error.advice} |" for error in leaves]
    return "\n".join(["| code | what is wrong | tried again | what to do |", "|---|---|---|---|", *rows])


def _first(error: type[RenderError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split())


def parameters() -> str:
    """The template's parameters with their defaults."""
    found = yaml_parse(TEMPLATE.read_text())["Parameters"]
    rows = []
    for name, each in found.items():
        default = f"`{each['Default']}`" if each["Default"] != "" else ""
        rows.append(f"| `{name}` | {default} | {each['Description'].strip()} |")
    return "\n".join(["| parameter | default | |", "|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with its generated parts as they are now."""
    for name, text in {"diagram": diagram(), "parameters": parameters(), "errors": errors()}.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE} has no part {name}.")
        page = f"{before}{begin}{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
