"""The render flow against a real Prefect server and real worker processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from base64 import b64decode
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from rendering import MOVING, RESTLESS, Project, page

from flows.prefect_server import PrefectApi
from flows.render import render
from flows.request import RenderRequest
from lambda_handler.errors import PageScriptFailed, ProjectNotFound
from lambda_handler.events import Config
from lambda_handler.render_folder import RenderFolder
from lambda_handler.storage import allowing, delete, exists, join, listing, path_of, write
from tasks.stack import LocalStack

TWO_SECONDS = page(MOVING, duration="2")


def _request(folder: Path, tmp_path: Path, **config: object) -> tuple[RenderRequest, LocalStack]:
    asked = Config.model_validate({"chunkSize": 15, **config})
    request = RenderRequest(project=str(folder), output=str(tmp_path / "out" / "film.mp4"), config=asked)
    return request, LocalStack(root=tmp_path / "root", processes=2, allowed=(tmp_path,))


def _workers() -> list[int]:
    """The worker processes that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"lambda_handler.worker" in command:
            found.append(int(folder.name))
    return found


def _newest(key: str) -> Artifact:
    with get_client(sync_client=True) as client:
        asked = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return client.read_artifacts(artifact_filter=asked, sort=ArtifactSort.CREATED_DESC)[0]


def test_a_render_runs_as_plan_chunks_and_assemble(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Two seconds at 30 frames/s in chunks of 15 give 60 frames in 4 chunks, and the video where it was asked for."""
    request, stack = _request(project(TWO_SECONDS), tmp_path)
    outcome = render(request, stack)
    assert (outcome.frames, outcome.chunks, outcome.chunks_found) == (60, 4, 0)
    assert Path(tmp_path / "out" / "film.mp4").stat().st_size == outcome.size_bytes
    assert _workers() == []


def test_the_same_request_again_renders_nothing(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Every chunk is found in the render folder, and the video comes out the same to the byte."""
    request, stack = _request(project(TWO_SECONDS), tmp_path)
    render(request, stack)
    before = (tmp_path / "out" / "film.mp4").read_bytes()
    again = render(request, stack)
    assert (again.frames_captured, again.chunks_found) == (0, 4)
    assert (tmp_path / "out" / "film.mp4").read_bytes() == before


def test_only_the_missing_chunk_is_rendered(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Of four chunks one was lost: three are found, fifteen frames are captured."""
    request, stack = _request(project(TWO_SECONDS), tmp_path)
    folder = RenderFolder(render(request, stack).render_folder)
    with allowing(stack.roots):
        delete(join(folder.chunks, sorted(listing(folder.chunks))[2]))
    again = render(request, stack)
    assert (again.frames_captured, again.chunks_found) == (15, 3)


def test_a_changed_project_is_another_render(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """The render folder follows from the project's bytes: nothing stale is ever found."""
    request, stack = _request(project(TWO_SECONDS), tmp_path)
    first = render(request, stack)
    project(TWO_SECONDS.replace("#e33", "#3e3"))
    second = render(request, stack)
    assert second.render_folder != first.render_folder
    assert second.chunks_found == 0


def test_a_worker_killed_in_mid_chunk_is_replaced(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """SIGKILL to a worker that is capturing: its chunk is tried again, and the render finishes. The table says so."""
    request, stack = _request(project(page(RESTLESS, duration="6")), tmp_path, chunkSize=90)
    killed: list[int] = []

    def kill() -> None:
        progress = tmp_path / "root" / "renders"
        while not list(progress.glob("*/progress/*.json")):
            time.sleep(0.01)
        killed.append(_workers()[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = render(request, stack)
    killer.join()
    assert len(killed) == 1
    assert (outcome.frames, outcome.chunks) == (180, 2)
    assert sorted(row["attempts"] for row in json.loads(str(_newest("chunks").data))) == [1, 2]


def test_a_cancel_left_from_before_does_not_stop_a_new_run(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Running a cancelled request again resumes it."""
    request, stack = _request(project(), tmp_path)
    folder = RenderFolder((tmp_path / "root" / "renders" / "given").as_uri())
    request = request.model_copy(update={"render_folder": folder.prefix})
    with allowing(stack.roots):
        write(folder.cancel, b"")
        render(request, stack)
        assert not exists(folder.cancel)


def test_a_project_error_reaches_the_caller_as_itself(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """A script that throws fails the plan with its type, once, and no chunk is begun."""
    request, stack = _request(project(page("<script>throw new Error('no luck')</script>")), tmp_path)
    with pytest.raises(PageScriptFailed, match="no luck"):
        render(request, stack)
    assert not list((tmp_path / "root").glob("renders/*/chunks/*"))


def test_a_missing_project_is_told_before_anything_starts(api: PrefectApi, tmp_path: Path) -> None:
    """No worker, no folder: the path is wrong."""
    request, stack = _request(tmp_path / "nowhere", tmp_path)
    with pytest.raises(ProjectNotFound, match="nowhere"):
        render(request, stack)
    assert not (tmp_path / "root").exists()


def test_the_ui_has_progress_chunks_and_a_report(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Progress ends at 100 %, the table has a row for each chunk, the report names the video, and stills show it."""
    request, stack = _request(project(TWO_SECONDS), tmp_path)
    outcome = render(request, stack)
    newest = {key: _newest(key) for key in ("render-progress", "chunks", "render-report", "poster", "contact-sheet")}
    assert newest["render-progress"].data == 100
    assert str(newest["chunks"].data).count("captured") == outcome.chunks
    assert path_of(outcome.output).name in str(newest["render-report"].data)
    for key in ("poster", "contact-sheet"):
        assert b64decode(str(newest[key].data).removeprefix("data:image/jpeg;base64,")).startswith(b"\xff\xd8")
