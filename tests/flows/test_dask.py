"""The same flow on a Dask cluster: chunks are rendered by processes that the flow did not start."""

from __future__ import annotations

from pathlib import Path

import pytest
from rendering import Project, page

from flows.prefect_server import PrefectApi
from flows.render import render
from flows.request import RenderRequest
from lambda_handler.events import Config
from tasks import roles
from tasks.invoke import Invoker, invoker
from tasks.stack import LocalStack, Stack

prefect_dask = pytest.importorskip("prefect_dask")


def test_a_dask_cluster_renders_the_chunks(
    api: PrefectApi, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes of its own; plan and assemble stay with the flow."""
    farm = prefect_dask.DaskTaskRunner(
        cluster_kwargs={"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    )
    request = RenderRequest(
        project=str(project(page(duration="0.5"))),
        output=str(tmp_path / "film.mp4"),
        config=Config.model_validate({"chunkSize": 8}),
    )
    asked: list[Stack] = []

    def asking(stack: Stack) -> Invoker:
        asked.append(stack)
        return invoker(stack)

    monkeypatch.setattr(roles, "invoker", asking)
    outcome = render.with_options(task_runner=farm)(
        request, LocalStack(root=tmp_path / "root", processes=1, allowed=(tmp_path,))
    )
    assert (outcome.chunks, outcome.frames, outcome.frames_captured) == (2, 15, 15)
    assert len(asked) == 2, "for the plan and for the assembly"
