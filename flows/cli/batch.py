"""`batch`: many videos of a file of rows, through the batch flow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flows.cli.reporting import Json, plain, reported
from flows.cli.stacks import Root, StackName
from flows.cli.starting import prefect_api, ready_workers
from flows.console import lasting, size
from lambda_handler import storage
from lambda_handler.errors import InvalidConfig
from tasks.local_stack import LocalStack, default_root


def batch(
    rows: Annotated[Path, typer.Argument(help="A .jsonl or .csv file: project, output, variables, config.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="Of rows that name none, as out/{row}-{title}.mp4.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Project of rows that name none.")] = None,
    config: Annotated[str | None, typer.Option(help="How to render, as JSON; a row's own fields win.")] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, max=50, help="Renders at once; two.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; as many as there are cores.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, and render none.")] = False,
    root: Root = None,
    stack: StackName = None,
    as_json: Json = False,
) -> None:
    """Render many videos. Every row is checked before one is started, and one that fails does not stop the others."""
    with reported(as_json):
        common = _config(config)
        named = (rows.absolute().parent, *_folders(project, output))
        here = LocalStack(root=(root or default_root()).absolute(), allowed=(Path.cwd(), *named))
        here = here.model_copy(update={"processes": workers}) if workers else here
        console = Console(stderr=True, quiet=as_json, highlight=False)
        with nullcontext() if stack or dry_run else ready_workers(here), prefect_api(console):
            from flows.batch import render_batch  # noqa: PLC0415 - after the API is known
            from flows.rows import BatchRequest  # noqa: PLC0415 - see above

            request = BatchRequest(
                rows=str(rows.absolute()),
                project=project,
                output=output,
                config=common,
                dry_run=dry_run,
                **({"in_flight": in_flight} if in_flight else {}),
            )
            with storage.allowing([rows.absolute().parent]), console.status("Rendering…"):
                outcome = render_batch(request, stack or here)
    if as_json:
        typer.echo(outcome.model_dump_json())
        return
    table = Table("row", "state", "video", "frames", "size", "time", box=None)
    for row in outcome.rows:
        figures = (str(row.frames or ""), size(row.size_bytes) if row.size_bytes else "")
        table.add_row(str(row.row), row.state, plain(row.output), *figures, lasting(row.seconds) if row.seconds else "")
    Console(highlight=False).print(table)


def _folders(project: str | None, output: str | None) -> Iterator[Path]:
    """Where the command itself says that projects and videos lie: who types it may touch them."""
    if project:
        yield Path(project).resolve()
    if output:
        # Up to what differs from row to row.
        yield Path(output.partition("{")[0] + "_").absolute().parent


def _config(given: str | None) -> dict[str, object]:
    try:
        fields = json.loads(given or "{}")
    except ValueError as error:
        raise InvalidConfig(f"--config is not JSON: {error}.", resolution="""Give it as '{"fps": 25}'.""") from error
    if not isinstance(fields, dict):
        raise InvalidConfig("--config is not a JSON object.", resolution="""Give it as '{"fps": 25}'.""")
    return fields
