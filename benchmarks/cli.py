"""The command line: `python -m benchmarks` renders every composition both ways, in turn, and prints the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compositions import written
from benchmarks.measure import Cost, run, ssim
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
) -> None:
    """Render every composition with this project and with the reference in turn, and print what both cost.

    The machine should have nothing else to do. Per composition the least of all rounds counts.
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
                ours.append(_ours(project, place / "ours.mp4", lossless, crf))
                theirs.append(_theirs(reference.where(online), project, place / "theirs.mp4", lossless, crf))
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


def _ours(project: Path, video: Path, lossless: Path, crf: int) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-") as root:
        cost = run([*_render(project, video, root), "--crf", str(crf)], os.environ, _server())
    return _sample(cost, video, lossless)


def _render(project: Path, output: Path, root: str) -> list[str | Path]:
    return [*OURS, "render", project, "-o", output, "--json", "--fresh", "--root", root]


def _server() -> list[int]:
    """The background server's processes: a render's task runs cost CPU there."""
    running = json.loads((state_folder() / "server.json").read_text())
    return memory.processes(running["pid"])


def _sample(cost: Cost, video: Path, lossless: Path) -> Sample:
    frames = len(video_stream(toolchain.ffmpeg(), video, decode=False).packets)
    return Sample(cost, frames, video.stat().st_size, ssim(video, lossless))


def _theirs(reference: Reference, project: Path, video: Path, lossless: Path, crf: int) -> Sample:
    command = reference.command(project, video, ("--crf", str(crf)))
    cost = run(command, reference.environment)
    return _sample(cost, video, lossless)
