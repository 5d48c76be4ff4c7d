"""The command line: `python -m parity FOLDER` renders what is in the folder both ways and prints a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.reporting import reported
from lambda_handler import toolchain
from lambda_handler.errors import ProjectNotFound
from parity import cdn
from parity.comparison import Row, compositions, render_both
from parity.measure import Limits
from parity.reference import VERSION, installed

HEAD = (
    "| composition | frames | mean dB | 5 % dB | worst | sound | wall s | CPU s | verdict |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Holds compositions, at any depth.")],
    work: Annotated[Path, typer.Option(help="Where videos, sheets and results go.")] = Path("out/parity"),
    crf: Annotated[int, typer.Option(help="Constant rate factor of both encoders, 0 to 51.")] = 16,
    only: Annotated[list[str] | None, typer.Option(help="Names of compositions; all of them.")] = None,
) -> None:
    """Render every composition below FOLDER with this project and with the reference, and compare.

    Exit status 1 when one is not the same.
    """
    with reported(as_json=False):
        reference = installed(toolchain.tools_folder() / f"reference-{VERSION}")
        projects = {_name(path, folder): path for path in compositions(folder)}
        chosen = {name: path for name, path in projects.items() if not only or name in only}
        if not chosen:
            raise ProjectNotFound(f"There is no composition in {folder}: no folder in it has an index.html.")
    limits = Limits()
    rows = []
    typer.echo(HEAD)
    with cdn.serving(toolchain.node_modules()) as online:
        for name, project in chosen.items():
            row = render_both(project, name, reference.where(online), work / name.replace("/", "-"), crf)
            rows.append(row)
            typer.echo(line(row, limits))
            results = [asdict(row) | {"verdict": row.verdict(limits)} for row in rows]
            (work / "results.json").write_text(json.dumps(results, indent=1, default=str))
    same = sum(row.verdict(limits) == "same" for row in rows)
    typer.echo(f"\n{same} of {len(rows)} are the same; sheets and videos are in {work}.")
    raise typer.Exit(0 if same == len(rows) else 1)


def line(row: Row, limits: Limits) -> str:
    """The row as a line of the Markdown table; where two numbers stand, ours is the first."""
    times = f"{row.ours.wall:.0f} / {row.theirs.wall:.0f} | {row.ours.cpu:.0f} / {row.theirs.cpu:.0f}"
    verdict = row.verdict(limits).replace("|", "\\|").replace("\n", " ")
    like = row.likeness
    if like is None:
        return f"| {row.name} | | | | | | {times} | {verdict} |"
    frames = str(like.frames[0]) if like.frames[0] == like.frames[1] else f"{like.frames[0]} / {like.frames[1]}"
    heard = f"{like.sound.correlation:.3f}" if like.sound else "silent" if all(like.audible) else "–"
    worst = f"{min(like.psnr, default=0.0):.1f}"
    return (
        f"| {row.name} | {frames} | {like.mean_db:.1f} | {like.low_db:.1f} | {worst} | {heard} | {times} | {verdict} |"
    )


def _name(project: Path, folder: Path) -> str:
    return project.resolve().name if project == folder else project.relative_to(folder).as_posix()
