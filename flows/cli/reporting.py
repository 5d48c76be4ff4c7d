"""How commands tell what they found, for people or as JSON, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from lambda_handler.errors import RenderError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Ends the command with status 1 and the error's message when a RenderError gets here."""
    try:
        yield
    except RenderError as error:
        if as_json:
            typer.echo(json.dumps({"error": in_words(error)}))
        else:
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            console.print(f"[bold red]{error.code}[/bold red]  {plain(error.summary)}")
            console.print(f"[dim]→[/dim] {plain(error.resolution)}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Cancelled. Run the same command again to render what is missing.")
        raise typer.Exit(130) from None


def in_words(error: RenderError) -> dict[str, str]:
    """The error as JSON output has it."""
    return {"code": error.code, "message": error.summary, "resolution": error.resolution}


def plain(text: str) -> str:
    """`text` with nothing in it that rich would take for a style."""
    return text.replace("[", r"\[")
