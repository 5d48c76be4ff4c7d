"""The rows of a batch: how they are written, and that every wrong one is told before any is rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rendering import Project, page

from flows.request import render_folder
from flows.rows import BatchRequest, Row, read_rows
from lambda_handler.errors import BatchInvalid
from tasks.local_stack import LocalStack

DECLARED = [
    {"id": "title", "type": "string", "default": "Hello"},
    {"id": "count", "type": "number", "default": 1},
    {"id": "loud", "type": "boolean", "default": False},
]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    """This machine, which may touch the test's folder."""
    stack = LocalStack(root=tmp_path / "root", allowed=(tmp_path,))
    with stack.storage():
        yield stack


@pytest.fixture
def card(project: Project) -> str:
    """A project with a text, a number and a flag for variables."""
    html = page().replace("<html>", f"<html data-composition-variables='{json.dumps(DECLARED)}'>")
    return str(project(html, name="card"))


def _rows(
    stack: LocalStack,
    tmp_path: Path,
    rows: str | list[Mapping[str, Any]],
    output: str = "{row}-{title}.mp4",
    **more: Any,
) -> tuple[Row, ...]:
    batch = BatchRequest.model_validate({"rows": rows, "output": str(tmp_path / output), **more})
    return read_rows(batch, stack)


def test_rows_take_from_the_batch_what_they_do_not_name(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """Project, output and config; a row's own fields win."""
    config = {"fps": 24, "quality": "draft", "variables": {"title": "Sale", "count": 2}}
    own = {"output": str(tmp_path / "b.webm"), "config": {"fps": "25"}, "variables": {"count": 3}}
    first, second = _rows(stack, tmp_path, [{}, own], project=card, config=config)
    assert first.request.output == str(tmp_path / "1-Sale.mp4")
    assert (first.request.config.fps, first.request.config.variables) == ("24", {"title": "Sale", "count": 2})
    assert (second.request.config.fps, second.request.config.format) == ("25", "webm")
    assert (second.request.config.quality, second.request.config.variables["count"]) == ("draft", 3)


def test_csv_cells_become_what_the_project_declares(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """A number, a flag, and a text that looks like a number; an empty cell is none."""
    file = tmp_path / "cards.csv"
    file.write_text(
        "project,variables.title,variables.count,variables.loud,config.fps\n"
        f"{card},007,12,TRUE,25\n{card},Spring / sale,0.5,,\n"
    )
    first, second = _rows(stack, tmp_path, str(file))
    assert first.request.config.variables == {"title": "007", "count": 12, "loud": True}
    assert first.request.config.fps == "25"
    assert second.request.config.variables == {"title": "Spring / sale", "count": 0.5}
    assert second.request.output == str(tmp_path / "2-Spring-sale.mp4")


def test_json_lines_are_rows(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """Empty lines are none; rows are numbered with leading zeros, so that their videos stand in order."""
    file = tmp_path / "cards.jsonl"
    file.write_text("\n\n".join(json.dumps({"variables": {"title": f"T{n}"}}) for n in range(10)))
    rows = _rows(stack, tmp_path, str(file), project=card)
    assert [Path(row.request.output).name for row in rows][::9] == ["01-T0.mp4", "10-T9.mp4"]


def test_a_rows_folder_is_settled_when_it_is_read(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """What is edited while the batch runs does not move it: whoever cancels the row finds the folder it renders in."""
    (row,) = _rows(stack, tmp_path, [{"variables": {"title": "One"}}], project=card)
    settled = render_folder(row.request, stack)
    (Path(card) / "notes.txt").write_text("Edited")
    assert render_folder(row.request, stack) == row.request.render_folder == settled
    assert _rows(stack, tmp_path, [{"variables": {"title": "One"}}], project=card)[0].request.render_folder != settled


def test_every_bad_row_is_told_with_its_number_and_field(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """In one error; the good row between them is not rendered either."""
    rows: list[Mapping[str, Any]] = [
        {"project": card, "variables": {"title": "good"}},
        {"project": card, "variables": {"title": 3, "colour": "red"}},
        {"project": str(tmp_path / "nowhere"), "variables": {"title": "x"}},
        {"project": card, "config": {"fps": 31}, "variables": {"title": "y"}},
        {"project": card, "frames": 3},
        {"project": card, "variables": {"title": "good"}, "output": str(tmp_path / "1-good.mp4")},
        {"project": card, "output": "/etc/{title}.mp4", "variables": {"title": "z"}},
        {"project": card, "output": str(tmp_path / "{name}.mp4")},
        {"variables": {"title": "no project"}},
    ]
    with pytest.raises(BatchInvalid) as caught:
        _rows(stack, tmp_path, rows)
    told = caught.value.summary
    assert "8 of 9 rows cannot be rendered; none was started" in told
    for complaint in (
        "row 2, variables.title: type-mismatch, expected string, got number",
        "row 2, variables.colour: undeclared",
        f"row 3, project: There is no project at {tmp_path / 'nowhere'}",
        "row 4, config.fps:",
        "row 5, frames: unknown field",
        f"row 6, output: {tmp_path / '1-good.mp4'} is that of row 1 too",
        "row 7, output: file:///etc/z.mp4 lies outside the folders",
        "row 8, output: {name} stands for nothing in this row; {project}, {row} do",
        "row 9, project: there is none, neither here nor for the batch",
    ):
        assert f"- {complaint}" in told


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rows.csv", "project,size\n", "column 'size' means nothing"),
        ("rows.csv", "project\n", "has no rows"),
        ("rows.csv", "project\na,b\n", "row 1, row: it has more cells than there are columns"),
        ("rows.jsonl", "{", "row 1, row: it is not valid JSON"),
        ("rows.jsonl", "[]", "row 1, row: Input should be"),
        ("rows.txt", "x", "neither .jsonl nor .csv"),
        (None, "", "no file of rows"),
    ],
)
def test_a_file_that_holds_no_rows_is_refused(
    stack: LocalStack, tmp_path: Path, name: str | None, text: str, says: str
) -> None:
    """With what is wrong about it."""
    if name:
        (tmp_path / name).write_text(text)
    with pytest.raises(BatchInvalid, match=says):
        _rows(stack, tmp_path, str(tmp_path / (name or "rows.jsonl")), "{row}.mp4")


def test_no_value_leads_a_video_out_of_its_folder(stack: LocalStack, card: str, tmp_path: Path) -> None:
    """What a path is made of is made fit for a file's name."""
    row = {"project": card, "variables": {"title": "../../etc/passwd"}}
    assert _rows(stack, tmp_path, [row], "{title}.mp4")[0].request.output == str(tmp_path / "etc-passwd.mp4")
