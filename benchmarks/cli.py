"""The command line: `python -m benchmarks` renders every composition both ways, in turn, and prints the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compositions import written
from benchmarks.measure import Cost, run, ssim, together
from benchmarks.table import Line, Sample, tabled
from flows.prefect_server import state_folder
from lambda_handler import memory, storage, toolchain
from lambda_handler.handler import handler
from lambda_handler.media import video_stream
from lambda_handler.storage import file_uri
from parity import cdn
from parity.reference import VERSION, Reference, installed

OURS = [sys.executable, "-c", "from flows.cli import main; main()"]


def main(
    work: Annotated[Path, typer.Option(help="Where projects, videos and results go.")] = Path("out/benchmarks"),
    rounds: Annotated[int, typer.Option(help="How often each is rendered by each.")] = 2,
    crf: Annotated[int, typer.Option(help="Constant rate factor of both encoders.")] = 18,
    only: Annotated[list[str] | None, typer.Option(help="Names of compositions; all of them.")] = None,
    videos: Annotated[int, typer.Option(min=1, help="Videos of each: several are a batch of ours.")] = 1,
) -> None:
    """Render every composition with this project and with the reference in turn, and print what both cost.

    The machine should have nothing else to do. Per composition the least of all rounds counts. Of several videos of a
    composition, ours are rows of one batch, and theirs so many commands.
    """
    reference = installed(toolchain.tools_folder() / f"reference-{VERSION}")
    # Starts the background server, if there is none: it would be measured with the first render.
    subprocess.run([*OURS, "server", "start"], stdout=subprocess.DEVNULL, check=True)
    lines = []
    with cdn.serving(toolchain.node_modules()) as online:
        for name, project, still in written(work / "projects"):
            if only and name not in only:
                continue
            place = work / name
            place.mkdir(parents=True, exist_ok=True)
            lossless = _lossless(project.resolve(), place.resolve() / "lossless")
            ours, theirs = [], []
            for _ in range(rounds):
                ours.append(_ours(project, videos, place, lossless, crf))
                theirs.append(_theirs(reference.where(online), project, videos, place, lossless, crf))
            shutil.rmtree(lossless.parent)
            lines.append(Line(name, still, tuple(ours), tuple(theirs)))
            typer.echo(tabled(lines[-1:]).splitlines()[2])
            (work / "results.json").write_text(json.dumps([asdict(line) for line in lines], indent=1))
    typer.echo("\n" + tabled(lines))


def _lossless(project: Path, folder: Path) -> Path:
    """The list, for ffmpeg, of videos of the very pictures: what a GIF is made from loses nothing."""
    with storage.allowing([project, folder]):
        asked = {"ProjectS3Uri": file_uri(project), "PlanOutputS3Prefix": file_uri(folder), "Config": {"format": "gif"}}
        made = handler({"Action": "plan", **asked})
        plan = {name: made[name] for name in ("PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix")}
        chunks = [
            handler({"Action": "renderChunk", **plan, "ChunkIndex": index})["ChunkS3Uri"]
            for index in range(made["ChunkCount"])
        ]
        listed = folder / "chunks.txt"
        listed.write_text("".join(f"file '{storage.path_of(uri)}'\n" for uri in chunks))
    return listed


def _ours(project: Path, videos: int, place: Path, lossless: Path, crf: int) -> Sample:
    rendering = _render(project, place, crf) if videos == 1 else _batch(project, videos, place, crf)
    with tempfile.TemporaryDirectory(prefix="bench-") as root:
        cost = run([*OURS, *rendering, "--json", "--root", root], os.environ, _server())
    return _sample(cost, [place / f"ours-{row}.mp4" for row in range(1, videos + 1)], lossless)


def _render(project: Path, place: Path, crf: int) -> list[str | Path]:
    return ["render", project, "-o", place / "ours-1.mp4", "--crf", str(crf)]


def _batch(project: Path, videos: int, place: Path, crf: int) -> list[str | Path]:
    rows = place / "rows.jsonl"
    rows.write_text("{}\n" * videos)
    return ["batch", rows, "--project", project, "-o", place / "ours-{row}.mp4", "--config", json.dumps({"crf": crf})]


def _server() -> list[int]:
    """The background server's processes: a render's task runs cost CPU there."""
    running = json.loads((state_folder() / "server.json").read_text())
    return memory.processes(running["pid"])


def _sample(cost: Cost, videos: Sequence[Path], lossless: Path) -> Sample:
    frames = sum(len(video_stream(toolchain.ffmpeg(), video, decode=False).packets) for video in videos)
    return Sample(cost, frames, sum(video.stat().st_size for video in videos), ssim(videos[0], lossless))


def _theirs(reference: Reference, project: Path, videos: int, place: Path, lossless: Path, crf: int) -> Sample:
    made = [place / f"theirs-{row}.mp4" for row in range(1, videos + 1)]
    costs = [run(reference.command(project, video, ("--crf", str(crf))), reference.environment) for video in made]
    return _sample(together(costs), made, lossless)
