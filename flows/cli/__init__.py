"""The command line, `prefect-hyperframes`: a module for each group of commands."""

from __future__ import annotations

import atexit
import gc
import os

import typer

from flows.cli import aws, batch, rendering, serving, watching

app = typer.Typer(
    help="Render HyperFrames compositions (HTML) to video with Prefect.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    rendering.render,
    rendering.resume,
    batch.batch,
    watching.progress,
    watching.report,
    watching.cost,
    watching.cancel,
    rendering.stills,
    aws.deploy,
    aws.destroy,
    serving.doctor,
):
    app.command()(command)
app.add_typer(aws.sites, name="sites")
app.add_typer(serving.server, name="server")


def main() -> None:
    """The entry point: a RenderError becomes its message and exit status 1, never a traceback."""
    # Before prefect is imported: rendering on one's own machine tells nobody.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # At the end Python would search all of Prefect's modules for what can be thrown away: 0.3 s.
    atexit.register(gc.freeze)
    app()
