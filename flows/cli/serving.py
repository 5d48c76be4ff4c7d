"""`doctor`, and the Prefect server in the background."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.table import Table

from flows.cli.reporting import Json, reported

server = typer.Typer(help="The Prefect server that runs in the background when you have none.", no_args_is_help=True)


def doctor(as_json: Json = False) -> None:
    """Say what rendering needs, what was found, and what to do about what is missing."""
    from flows.doctor import examine  # noqa: PLC0415 - it starts a browser's worth of imports

    findings = examine()
    if as_json:
        typer.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        table = Table("", "what", "found", box=None)
        for finding in findings:
            told = finding.found if finding.ok else f"{finding.found}\n[bold]{finding.resolution}[/bold]"
            table.add_row("[green]ok[/green]" if finding.ok else "[red]missing[/red]", finding.name, told)
        Console(soft_wrap=False).print(table)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@server.command("stop")
def server_stop() -> None:
    """Stop the background Prefect server."""
    from flows.prefect_server import stop_server  # noqa: PLC0415 - see doctor

    typer.echo("Stopped." if stop_server() else "It is not running.")


@server.command("status")
def server_status() -> None:
    """Say where the background Prefect server answers."""
    from flows.prefect_server import server_status as status  # noqa: PLC0415 - see doctor

    running = status()
    typer.echo(f"It answers at {running.ui_url}." if running else "It is not running.")


@server.command("start")
def server_start() -> None:
    """Start the Prefect server in the background, unless one answers already."""
    from flows.prefect_server import ensure_api  # noqa: PLC0415 - see doctor

    with reported(as_json=False):
        typer.echo(f"It answers at {ensure_api().ui_url}.")


@server.command("url")
def server_url() -> None:
    """Print the address of the background server's API, started when needed: export PREFECT_API_URL=$(… server url)."""
    from flows.prefect_server import ensure_api  # noqa: PLC0415 - see doctor

    with reported(as_json=False):
        typer.echo(ensure_api().api_url)
