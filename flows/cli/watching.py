"""`progress`, `report`, `cost` and `cancel`: everything from the render's folder, so for whoever began it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from flows.cli.reporting import Json, in_words, plain, reported
from flows.cli.stacks import Root, StackName, chosen, folder_of
from flows.console import UNREADABLE, lasting, size
from flows.status import State, Status, finished_report, status
from flows.status import cancel as stop
from lambda_handler.errors import StorageUnavailable
from lambda_handler.progress import Pace, ProgressReader, Speedometer
from lambda_handler.render_folder import RenderFolder

LOOK_SECONDS = 1.0

Render = Annotated[
    str, typer.Argument(metavar="RENDER", help="A render folder, path or URI, or the name of a render below the root.")
]


def progress(
    render: Render,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every second until it is over.")] = False,
    root: Root = None,
    stack: StackName = None,
    as_json: Json = False,
) -> None:
    """Say how far a render is: with --json, a JSON object for each look."""
    with reported(as_json), _folder(render, root, stack) as folder:
        looks = _Looks(folder)
        now, pace = looks.look()
        if as_json:
            _tell_json(now, pace)
            while watch and not now.over:
                time.sleep(LOOK_SECONDS)
                try:
                    now, pace = looks.look()
                except StorageUnavailable as error:
                    typer.echo(json.dumps({"folder": folder.prefix, "error": in_words(error)}))
                else:
                    _tell_json(now, pace)
            return
        console = Console(highlight=False)
        if not watch:
            console.print(_told(now, pace))
            return
        with Live(_told(now, pace), console=console) as live:
            while not now.over:
                time.sleep(LOOK_SECONDS)
                try:
                    now, pace = looks.look()
                except StorageUnavailable:
                    live.update(_told(now, pace, readable=False))
                else:
                    live.update(_told(now, pace))


def report(render: Render, root: Root = None, stack: StackName = None, as_json: Json = False) -> None:
    """Say what was verified about a finished render's video."""
    with reported(as_json), _folder(render, root, stack) as folder:
        told = finished_report(folder)
    if as_json:
        typer.echo(json.dumps(told))
        return
    table = _table()
    for name, value in _facts(told):
        table.add_row(name, plain(value))
    Console(highlight=False).print(table)


def cost(render: Render, root: Root = None, stack: StackName = None, as_json: Json = False) -> None:
    """Say what a finished render cost on AWS, and what that leaves out."""
    with reported(as_json), _folder(render, root, stack) as folder:
        told = finished_report(folder).get("cost")
    if as_json:
        typer.echo(json.dumps({"cost": told}))
    elif told is None:
        typer.echo("Nothing: it was rendered on a machine, not in Lambda.")
    else:
        table = _table()
        for name, value in _costs(told):
            table.add_row(name, value)
        Console(highlight=False).print(table)


def cancel(render: Render, root: Root = None, stack: StackName = None, as_json: Json = False) -> None:
    """Have a render's workers stop between two frames. What is rendered is kept; resume it to go on."""
    with reported(as_json), _folder(render, root, stack) as folder:
        before = stop(folder)
    if as_json:
        typer.echo(json.dumps({"folder": folder.prefix, "before": before.state}))
    elif before.state is State.FINISHED:
        typer.echo("It is finished already; nothing was cancelled.")
    else:
        typer.echo(f"Cancelled. {before.frames_done} of {before.frames} frames are kept in {folder.prefix}.")


@contextmanager
def _folder(render: str, root: Path | None, stack: str | None) -> Iterator[RenderFolder]:
    """The render's folder, and leave to look into it."""
    with chosen(stack, root) as place, folder_of(render, place) as folder:
        yield folder


class _Looks:
    """Looks at a render again and again: what is finished is read once, and the speed is that since the first."""

    def __init__(self, folder: RenderFolder) -> None:
        self._folder = folder
        self._reader = ProgressReader(folder)
        self._speedometer: Speedometer | None = None

    def look(self) -> tuple[Status, Pace | None]:
        """How far it is, and how fast, from the second look at its frames on."""
        now = status(self._folder, self._reader)
        if not now.frames:
            return now, None
        if self._speedometer is None:
            self._speedometer = Speedometer(now.frames)
            self._speedometer.pace(now.frames_done)
            return now, None
        return now, self._speedometer.pace(now.frames_done)


def _tell_json(now: Status, pace: Pace | None) -> None:
    told = {name: value for name, value in asdict(now).items() if name != "report"}
    speed = {"per_second": round(pace.per_second, 2), "seconds_left": pace.seconds_left} if pace else {}
    typer.echo(json.dumps({**told, **speed, "output": (now.report or {}).get("outputUri")}))


def _told(now: Status, pace: Pace | None, *, readable: bool = True) -> Table:
    table = _table()
    table.add_row("render", plain(now.folder))
    table.add_row("state", _state_in_words(now) + ("" if readable else f" ({UNREADABLE})"))
    if now.chunks:
        table.add_row("frames", f"{now.frames_done} of {now.frames} ({now.frames_done / now.frames:.0%})")
        table.add_row("chunks", f"{now.chunks_done} of {now.chunks}")
    if now.chunks_running and not now.over:
        table.add_row("at work on", ", ".join(map(str, now.chunks_running)))
    if pace and pace.per_second and not now.over:
        table.add_row("speed", f"{pace.per_second:.1f} frames/s, about {lasting(pace.seconds_left or 0)} left")
    if now.report:
        table.add_row("video", plain(now.report["outputUri"]))
    return table


def _state_in_words(now: Status) -> str:
    return {
        State.PLANNING: "planning",
        State.RENDERING: "rendering",
        State.STOPPED: "stopped: no worker has written for a minute; resume it to go on",
        State.CANCELLED: "cancelled; resume it to go on",
        State.RENDERED: "every chunk is there; the video is being made of them",
        State.FINISHED: "[green]finished[/green]",
    }[now.state]


def _facts(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "video", told["outputUri"]
    yield "size", size(told["sizeBytes"])
    yield "picture", f"{told['width']} × {told['height']} px, {told['fps']} frames/s, {told['format']}"
    yield "length", f"{told['durationSeconds']:g} s, {told['frames']} frames, {_sound(told)}"
    yield "chunks", f"{len(told['chunks'])}, {told['seamsChecked']} seams checked"
    yield "finished", told["finishedAt"]
    yield "sha256", told["sha256"]
    if told.get("cost"):
        yield "cost", f"{told['cost']['usd']:.4f} USD"
    for warning in told["warnings"]:
        yield "warning", warning


def _sound(told: dict[str, Any]) -> str:
    return "with sound" if told["hasAudio"] else "without sound"


def _costs(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "total", f"{told['usd']:.6f} USD (estimated by the plan: {told['estimatedUsd']:.6f})"
    for name in ("duration", "requests", "storage", "transitions"):
        yield name, f"{told[f'{name}Usd']:.6f} USD"
    yield (
        "failed attempts",
        f"{told['failedAttemptsUsd']:.6f} USD of it, {told['failedAttempts']} of {told['attempts']}",
    )
    yield "billed", f"{told['billedSeconds']:.1f} s of {told['memoryMb']} MB, {told['architecture']}"
    yield "prices", f"{told['pricesOf']}, {told['pricesAsOf']}; {told['source']}"
    yield "left out", "; ".join(told["leavesOut"])


def _table() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    return table
