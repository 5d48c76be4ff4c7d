"""The same by either engine with the real handler: real pages, a real browser, real video."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engines import ENGINES, Place, place
from rendering import Project, pixels

from flows.prefect_server import PrefectApi
from flows.render import render
from flows.request import RenderRequest
from lambda_handler import storage
from lambda_handler.errors import RenderError
from lambda_handler.events import parse_config
from lambda_handler.handler import on_the_wire
from tasks.local_stack import LocalStack
from tasks.local_workers import LocalWorkers

FRAMES, CHUNK = 24, 12


class Workers:
    """The handler in worker processes, answering as Lambda would; counts which roles it played."""

    def __init__(self, root: Path) -> None:
        self._workers = LocalWorkers(LocalStack(root=root, processes=2))
        self.captured: Counter[int] = Counter()

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            told = self._workers.invoke(event)
        except RenderError as error:
            raise on_the_wire(error) from error
        if event["Action"] == "renderChunk":
            self.captured[event["ChunkIndex"]] += told["FramesCaptured"]
        return told

    def close(self) -> None:
        self._workers.close()


@pytest.fixture
def workers(bucket: str, tmp_path: Path) -> Iterator[Workers]:
    """Two worker processes that reach the bucket, and no file of this machine but their own."""
    made = Workers(tmp_path / "root")
    yield made
    made.close()


def _facts(made: Place, name: str) -> dict[str, Any]:
    """All that has to be the same; how fast frames were when they were measured may differ."""
    left = made.left(name)
    manifest = json.loads(left["manifest"])
    del manifest["measuredMsPerFrame"]
    return {**left, "manifest": manifest}


def test_real_renders_are_the_same_to_the_byte_by_either_engine(
    api: PrefectApi, bucket: str, workers: Workers, project: Project, tmp_path: Path
) -> None:
    """A project of this machine, uploaded once: manifest, chunk keys, video; and the same without AWS. What one engine
    began the other finishes, and renders the missing chunk only."""
    folder = project()
    with place(bucket, workers, concurrency=2) as made:
        for engine in ENGINES:
            request = RenderRequest(
                project=str(folder),
                output=f"{engine}.mp4",
                config=parse_config({"fps": 24, "chunkSize": CHUNK}),
                render_folder=made.folder(engine).prefix,
            )
            outcome = render(request, made.stack, engine)
            assert (outcome.frames, outcome.chunks) == (FRAMES, 2)
        first, second = (_facts(made, engine) for engine in ENGINES)
        assert first == second
        assert len(storage.listing(made.stack.sites)) == 1

        video = storage.read(f"{made.stack.outputs}/prefect.mp4")
        (tmp_path / "film.mp4").write_bytes(video)
        assert len(set(pixels(tmp_path / "film.mp4"))) > FRAMES / 2

        here = render(
            RenderRequest(project=str(folder), output=str(tmp_path / "here.mp4"), config=request.config),
            LocalStack(root=tmp_path / "here", processes=2, allowed=(tmp_path,)),
        )
        assert (tmp_path / "here.mp4").read_bytes() == video
        names = [name for name, _ in first["chunks"]]
        assert sorted(path.name for path in storage.path_of(here.render_folder).glob("chunks/*")) == names

        lost = sorted(storage.listing(made.folder("prefect").chunks))[1]
        storage.delete(storage.join(made.folder("prefect").chunks, lost))
        workers.captured.clear()
        assert made.resume("step-functions", "prefect").chunks_found == 1
        assert workers.captured == {0: 0, 1: CHUNK}
        assert _facts(made, "prefect") == first
