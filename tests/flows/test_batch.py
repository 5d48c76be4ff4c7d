"""Batches of renders, with a real Prefect server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.sorting import ArtifactSort
from rendering import Project, page

from flows import batch
from flows.batch import render_batch
from flows.prefect_server import PrefectApi
from flows.request import RenderRequest
from flows.rows import BatchRequest, Row
from lambda_handler import storage
from lambda_handler.errors import BatchIncomplete, StorageUnavailable
from lambda_handler.render_folder import RenderFolder
from tasks.local_stack import LocalStack


def test_a_bad_row_does_not_sink_the_others(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Each row is a flow run of its own; what failed is told at the end, and in the table."""
    good = project(page(duration="0.2"), name="good")
    bad = project(page("<script>throw new Error('no luck')</script>"), name="bad")
    rows = [{"project": str(good), "output": str(tmp_path / f"{name}.mp4")} for name in ("first", "third")]
    rows.insert(1, {"project": str(bad), "output": str(tmp_path / "second.mp4")})
    stack = LocalStack(root=tmp_path / "root", processes=1, allowed=(tmp_path,))
    with pytest.raises(
        BatchIncomplete, match=r"1 of 3 rows were not rendered:\n- row 2, .*PAGE_SCRIPT_FAILED.*no luck"
    ):
        render_batch(BatchRequest.model_validate({"rows": rows}), stack)
    assert (tmp_path / "first.mp4").exists()
    assert (tmp_path / "third.mp4").exists()
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(like_="render second.mp4")))
        tables = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["batch-rows"])), sort=ArtifactSort.CREATED_DESC
        )
    assert [run.state_name for run in runs] == ["Failed"]
    assert str(tables[0].data).count('"state": "rendered"') == 2


def test_a_dry_run_renders_nothing(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Every row is checked, and told where its video would go."""
    request = BatchRequest.model_validate(
        {"rows": [{}, {}], "project": str(project()), "output": str(tmp_path / "{row}.mp4"), "dry_run": True}
    )
    outcome = render_batch(request, LocalStack(root=tmp_path / "root", allowed=(tmp_path,)))
    assert [(row.state, Path(row.output).name) for row in outcome.rows] == [("checked", "1.mp4"), ("checked", "2.mp4")]
    assert not (tmp_path / "root").exists()


def test_a_stopped_batch_ends_though_a_row_does_not(roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row that had begun is marked, also when its folder could not be written to at first; no other begins, and
    nobody waits for ever."""
    hang, begun, failed = threading.Event(), [], []

    def render(request: RenderRequest, *_: object) -> Any:
        begun.append(request.output)
        hang.wait(60)

    def write(uri: str, data: bytes) -> None:
        if uri not in failed:
            failed.append(uri)
            raise StorageUnavailable(f"{uri}: just now")
        storage_write(uri, data)

    def follow(_futures: object) -> None:
        while len(begun) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt

    storage_write = storage.write
    monkeypatch.setattr(storage, "write", write)
    monkeypatch.setattr(batch, "render", render)
    monkeypatch.setattr(batch, "_follow", follow)
    monkeypatch.setattr(batch, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(batch, "CANCEL_SECONDS", 0.5)
    folders = [RenderFolder(storage.file_uri(roots / str(number))) for number in range(3)]
    rows = [
        Row(number=number, request=RenderRequest(project="p", output=f"{number}.mp4", render_folder=folder.prefix))
        for number, folder in enumerate(folders)
    ]
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        batch._rendered(rows, LocalStack(root=roots, processes=1), "prefect", 2)
    assert time.monotonic() - started < 10
    assert [storage.exists(folder.cancel) for folder in folders] == [True, True, False]
    hang.set()
    time.sleep(0.1)
    assert len(begun) == 2
