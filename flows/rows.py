"""The rows of a batch: read from a file or given as they are, and all of them checked before one is rendered."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from flows.request import RenderRequest, check, content_of, format_for, output_uri, pinned, uri_of
from lambda_handler import storage
from lambda_handler.compile.page import declared_by
from lambda_handler.compile.variables import Declaration, find_issues
from lambda_handler.errors import BatchInvalid, InvalidConfig, ProjectError, RenderError
from lambda_handler.events import parse_config
from lambda_handler.plan import fetch_project

if TYPE_CHECKING:
    from tasks.stack import Stack

MOST_ROWS = 1000
"""Each row is a flow run and about ten task runs, and a server keeps up with some forty of these a second."""
MOST_TOLD = 50
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class BatchRow(BaseModel):
    """One video of a batch, as somebody writes it; what is left out is as the batch says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str | None = Field(None, title="Project", description="Folder or .tar.gz of the project, path or URI.")
    output: str | None = Field(None, title="Output", description="Where the video goes; may hold {placeholders}.")
    variables: dict[str, JsonValue] = Field(default_factory=dict, title="Variables", description="Values by name.")
    config: dict[str, JsonValue] = Field(default_factory=dict, title="Config", description="Fields of the config.")


class BatchRequest(BaseModel):
    """Many videos: their rows, and what those have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: str | tuple[dict[str, JsonValue], ...] = Field(
        title="Rows",
        description="A .jsonl or .csv file, path or URI; or the rows themselves: project, output, variables, config.",
    )
    project: str | None = Field(None, title="Project", description="Project of the rows that name none.")
    output: str | None = Field(
        None,
        title="Output",
        description="Where the videos of rows go that name no output: {row}, {project} and the names of variables in "
        "braces stand for the row's own, as in cards/{title}.mp4.",
    )
    config: dict[str, JsonValue] = Field(
        default_factory=dict, title="Config", description="How to render; the fields of a row's own config win."
    )
    in_flight: int = Field(
        2, ge=1, le=50, title="In flight", description="Renders of this batch at once, within what the account admits."
    )
    dry_run: bool = Field(False, title="Dry run", description="Check every row, and render none.")

    @property
    def name(self) -> str:
        """What the UI calls the batch: its file's name, or how many rows it has."""
        return self.rows.rpartition("/")[2] if isinstance(self.rows, str) else f"of {len(self.rows)} rows"


class Row(BaseModel):
    """A row that can be rendered; `number` counts from 1."""

    model_config = ConfigDict(frozen=True)

    number: int
    request: RenderRequest


def read_rows(batch: BatchRequest, stack: Stack) -> tuple[Row, ...]:
    """Every row of the batch, checked: its fields, its config, its project, its variables, where its video goes.

    Raises BatchInvalid naming everything that is wrong, row by row.
    """
    written = _written(batch.rows, stack)
    if not written:
        raise BatchInvalid(f"The batch {batch.name} has no rows.", resolution="Give it one row for each video.")
    if len(written) > MOST_ROWS:
        raise BatchInvalid(f"The batch has {len(written)} rows, and may have {MOST_ROWS}.", resolution="Split it.")
    with TemporaryDirectory(prefix="hf-batch-") as scratch:
        checking = _Checking(batch, stack, Path(scratch), len(written))
        rows = [row for number, each in enumerate(written, 1) if (row := checking.row(number, each))]
    if checking.complaints:
        told = checking.complaints[:MOST_TOLD]
        more = len(checking.complaints) - len(told)
        raise BatchInvalid(
            "\n".join(
                [
                    f"{checking.bad_rows} of {len(written)} rows cannot be rendered; none was started:",
                    *(f"- {complaint}" for complaint in told),
                    *([f"- and {more} more"] if more else []),
                ]
            )
        )
    return tuple(rows)


class _Checking:
    """What has been found wrong so far, and what has been looked up."""

    def __init__(self, batch: BatchRequest, stack: Stack, scratch: Path, count: int) -> None:
        self._batch, self._stack, self._scratch = batch, stack, scratch
        self._digits = len(str(count))
        self._declared: dict[tuple[str, str], tuple[Declaration, ...] | RenderError] = {}
        self._contents: dict[str, str] = {}
        self._outputs: dict[str, int] = {}
        self.complaints: list[str] = []
        self.bad_rows = 0

    def row(self, number: int, written: object) -> Row | None:
        """The row, or None when something about it is wrong."""
        found = list(self._made(number, written))
        wrong = [each for each in found if isinstance(each, str)]
        self.complaints += [f"row {number}, {complaint}" for complaint in wrong]
        self.bad_rows += bool(wrong)
        return next((each for each in found if isinstance(each, Row)), None) if not wrong else None

    def _made(self, number: int, written: object) -> Iterator[str | Row]:
        if isinstance(written, _Unreadable):
            yield str(written)
            return
        try:
            row = BatchRow.model_validate(written)
        except ValidationError as error:
            for item in error.errors():
                message = "unknown field" if item["type"] == "extra_forbidden" else item["msg"]
                yield f"{'.'.join(map(str, item['loc'])) or 'row'}: {message}"
            return
        project, template = row.project or self._batch.project, row.output or self._batch.output
        if not project:
            yield "project: there is none, neither here nor for the batch"
        if not template:
            yield "output: there is none, neither here nor for the batch"
        if not project or not template:
            return
        common = self._batch.config.get("variables")
        variables = {**(common if isinstance(common, dict) else {}), **row.variables}
        if isinstance(written, _FromCsv):
            variables = self._typed(project, variables)
        try:
            output = _filled(template, {**variables, "project": _stem(project), "row": f"{number:0{self._digits}d}"})
            request = self._request(project, output, {**self._batch.config, **row.config, "variables": variables})
            request = pinned(request, self._stack, self._content(request.project))
            check(request, self._stack)
            place = output_uri(request, self._stack)
            storage.locate(place)
        except RenderError as error:
            yield _field(error)
            return
        if place in self._outputs:
            yield f"output: {output} is that of row {self._outputs[place]} too"
        self._outputs.setdefault(place, number)
        yield from self._misfits(request)
        yield Row(number=number, request=request)

    def _request(self, project: str, output: str, config: Mapping[str, Any]) -> RenderRequest:
        try:
            given = config if "format" in config else {**config, "format": format_for(output)}
        except InvalidConfig as error:
            raise InvalidConfig(f"output: {error.summary}", resolution=error.resolution) from error
        try:
            return RenderRequest(project=project, output=output, config=parse_config(given))
        except RenderError as error:
            raise type(error)(f"config.{error.summary}", resolution=error.resolution) from error

    def _misfits(self, request: RenderRequest) -> Iterator[str]:
        declared = self._declarations(request.project, request.config.entry_file)
        if isinstance(declared, RenderError):
            yield f"project: {declared.summary}"
            return
        for issue in find_issues(declared, request.config.variables):
            yield f"variables.{issue}"

    def _declarations(self, project: str, entry: str) -> tuple[Declaration, ...] | RenderError:
        """What the project declares; looked up once for all its rows."""
        key = (uri_of(project), entry)
        if key not in self._declared:
            folder = self._scratch / str(len(self._declared))
            try:
                with _reading(key[0], self._stack):
                    fetch_project(key[0], folder)
                self._declared[key] = declared_by(folder, entry)
            except RenderError as error:
                self._declared[key] = error
        return self._declared[key]

    def _content(self, project: str) -> str:
        """Looked up once for all its rows."""
        uri = uri_of(project)
        if uri not in self._contents:
            self._contents[uri] = content_of(uri)
        return self._contents[uri]

    def _typed(self, project: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """A CSV cell is text: numbers and flags become what the project declares them to be."""
        entry = str(self._batch.config.get("entryFile", "index.html"))
        declared = self._declarations(project, entry)
        types = {} if isinstance(declared, RenderError) else {each.id: each.type for each in declared}
        return {name: _cell(value, types.get(name, "")) for name, value in variables.items()}


def _cell(value: Any, kind: str) -> Any:
    if not isinstance(value, str):
        return value
    if kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "number" and NUMBER.fullmatch(value.strip()):
        return json.loads(value) if value.strip().isdecimal() and not value.startswith("0") else float(value)
    return value


def _field(error: RenderError) -> str:
    """The error with the name of a field before it."""
    if re.match(r"(config|output)\b[^ ]*:", error.summary):
        return error.summary
    return f"{'project' if isinstance(error, ProjectError) else 'output'}: {error.summary}"


def _stem(project: str) -> str:
    return project.rstrip("/").rpartition("/")[2].removesuffix(".tar.gz")


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """`template` with the row's values in place of {names}, made fit for a file's name. Raises InvalidConfig."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in values:
            known = ", ".join(f"{{{each}}}" for each in values)
            raise InvalidConfig(f"output: {{{name}}} stands for nothing in this row; {known} do.")
        text = re.sub(r"[^\w.-]+", "-", str(values[name])).strip("-.")
        if not text:
            raise InvalidConfig(f"output: {{{name}}} is {values[name]!r}, which makes no file name.")
        return text

    return PLACEHOLDER.sub(value, template)


class _Unreadable(str):
    """Why a line of a file is no row."""

    __slots__ = ()


class _FromCsv(dict[str, Any]):
    """A row whose values are all text."""


def _reading(uri: str, stack: Stack) -> AbstractContextManager[None]:
    """Lets what is on this machine be read for a stack on AWS too, whose workers never touch it."""
    return storage.allowing([storage.path_of(uri)] if stack.kind == "aws" and uri.startswith("file:") else [])


def _written(rows: str | Sequence[Mapping[str, Any]], stack: Stack) -> Sequence[object]:
    if not isinstance(rows, str):
        return rows
    uri = uri_of(rows)
    try:
        with _reading(uri, stack):
            text = storage.read(uri).decode("utf-8-sig")
    except FileNotFoundError as error:
        there = storage.path_of(uri) if uri.startswith("file:") else uri
        raise BatchInvalid(f"There is no file of rows at {there}.", resolution="Check the path.") from error
    except UnicodeDecodeError as error:
        raise BatchInvalid(f"{rows} is not UTF-8 text.", resolution="Save it as UTF-8.") from error
    if rows.lower().endswith(".csv"):
        return list(_csv_rows(text))
    if rows.lower().endswith((".jsonl", ".ndjson")):
        return list(_json_rows(text))
    raise BatchInvalid(f"{rows} is neither .jsonl nor .csv.", resolution="Name the file as what it is.")


def _json_rows(text: str) -> Iterable[object]:
    for line in text.splitlines():
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                yield _Unreadable(f"row: it is not valid JSON: {error}")


def _csv_rows(text: str) -> Iterable[object]:
    """Columns project, output, variables.NAME and config.FIELD; an empty cell is as good as none."""
    reader = csv.DictReader(io.StringIO(text))
    for name in reader.fieldnames or ():
        if not re.fullmatch(r"project|output|(variables|config)\..+", name or ""):
            raise BatchInvalid(
                f"The column {name!r} means nothing.",
                resolution="Columns are project, output, variables.NAME and config.FIELD.",
            )
    for cells in reader:
        if None in cells:
            yield _Unreadable("row: it has more cells than there are columns")
            continue
        row = _FromCsv()
        for column, cell in cells.items():
            if cell:
                group, _, name = column.partition(".")
                if name:
                    row.setdefault(group, {})[name] = cell
                else:
                    row[group] = cell
        yield row
