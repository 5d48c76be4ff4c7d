"""What README.md and docs/ say of the command line: its commands, their options, and the files they lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from flows.cli import app
from lambda_handler.toolchain import CHECKOUT

TEXTS = ["README.md", *sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "docs").glob("*.md"))]


def _commands(group: Any, name: str = "") -> dict[str, Any]:
    """Every command by the words that call it."""
    if not hasattr(group, "commands"):
        return {name: group}
    within = (_commands(each, f"{name} {word}".strip()) for word, each in group.commands.items())
    return {words: command for found in within for words, command in found.items()}


COMMANDS = _commands(typer.main.get_command(app))


def _read(name: str) -> str:
    return (CHECKOUT / name).read_text()


@pytest.mark.parametrize("name", TEXTS)
def test_a_command_that_is_named_is_there(name: str) -> None:
    """With its group, where it is in one."""
    words = re.findall(r"prefect-hyperframes ([a-z]+)(?: ([a-z]+))?", _read(name))
    groups = {command.partition(" ")[0] for command in COMMANDS if " " in command}
    called = {f"{first} {second}" if first in groups and second else first for first, second in words}
    assert {each for each in called if each not in COMMANDS} <= groups


def test_every_command_is_in_the_table() -> None:
    """And the table has no other."""
    table = _read("docs/prefect.md").partition("## The command line")[2]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = set()
    for cell in cells:
        group = ""
        for command in re.findall(r"`([a-z]+(?: [a-z]+)?)", cell):
            first = command.partition(" ")[0]
            group = first if " " in command else group
            listed.add(command if " " in command or not group else f"{group} {command}")
    assert listed == set(COMMANDS)


def test_the_options_of_render_are_those_in_the_readme() -> None:
    """Every one of them, and no other."""
    rows = [row for row in _read("README.md").splitlines() if row.startswith("| `--")]
    told = set(re.findall(r"`(--[a-z-]+)", " ".join(rows)))
    there = {option for each in COMMANDS["render"].params for option in each.opts if option.startswith("--")}
    assert told == there - {"--output"}


@pytest.mark.parametrize("name", [*TEXTS, "examples/README.md"])
def test_links_lead_to_files_that_are_there(name: str) -> None:
    """In the checkout, from where the text lies."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _read(name))
    folder = (CHECKOUT / name).parent
    assert [link for link in links if not (folder / Path(link)).exists()] == []
