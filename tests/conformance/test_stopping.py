"""Stopping a flow: what Prefect does when a run is cancelled, and how soon everything has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from engines import ENGINES, Place, place
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling
from rendering import Project
from simulated import Asked
from simulated_worker import FRAMES, Worker

from flows.prefect_server import PrefectApi
from flows.render import Engine, render_native
from flows.stopping import stop_what_is_left
from lambda_handler import storage
from lambda_handler.errors import RenderCancelled
from lambda_handler.plan import record_request
from tasks.admission import RENDERS, admitted
from tasks.render_stack import RenderStack
from tasks.state_machine import StateMachine

SOON_SECONDS = 10.0
# A flow in a process of its own, as Prefect's workers run it. Its stack comes without credentials; the environment has
# some.
CHILD = """
import json, sys
from flows.render import render
from flows.request import RenderRequest
from tasks.stack import AwsStack
render(RenderRequest(**json.loads(sys.argv[1])), AwsStack(**json.loads(sys.argv[2])), sys.argv[3])
"""
BATCH_CHILD = """
import json, sys
from flows.batch import render_batch
from flows.rows import BatchRequest
from tasks.stack import AwsStack
render_batch(BatchRequest(**json.loads(sys.argv[1])), AwsStack(**json.loads(sys.argv[2])))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_terminated_flow_leaves_nothing_running(api: PrefectApi, bucket: str, engine: Engine, tmp_path: Path) -> None:
    """SIGTERM, as Prefect cancels: the process ends within seconds, though no invocation has; the folder says
    cancelled, its task runs or its execution too, and the render can be resumed."""
    hold = threading.Event()
    # moto's interpreter does not survive being stopped within a map, so the execution is stopped before it.
    held = "renderChunk" if engine == "prefect" else "plan"

    def before(event: Asked, _attempt: int) -> None:
        if event.action == held:
            hold.wait(60)

    worker = Worker(chunks=6, before=before)
    with place(bucket, worker, concurrency=3) as made:
        request = made.request(name := f"stopped-{engine}")
        command = [sys.executable, "-c", CHILD, request.model_dump_json(), made.stack.model_dump_json(), engine]
        log = (tmp_path / "log").open("w")
        flow = subprocess.Popen(command, env={**os.environ, "PREFECT_API_URL": api.api_url}, stdout=log, stderr=log)
        while worker.attempts(held, 0 if engine == "prefect" else None) == 0:
            assert flow.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        flow.send_signal(signal.SIGTERM)
        began = time.monotonic()
        flow.wait(30)
        took = time.monotonic() - began
        assert storage.exists(made.folder(name).cancel)
        if engine == "prefect":
            assert _chunk_states(f"render {name}.mp4") == {"CANCELLED"}
        hold.set()
        if engine == "step-functions":
            assert _execution_status(made.stack.state_machine or "") == "ABORTED"
        outcome = made.resume("prefect", name)
        assert (outcome.frames, outcome.chunks) == (6 * FRAMES, 6)
    assert took < SOON_SECONDS
    print(json.dumps({"engine": engine, "seconds": round(took, 1)}))


def test_a_terminated_batch_stops_the_rows_that_run_and_begins_no_other(
    api: PrefectApi, bucket: str, project: Project, tmp_path: Path
) -> None:
    """Every row that had begun says cancelled, in its folder and as a flow run."""
    hold = threading.Event()

    def before(event: Asked, _attempt: int) -> None:
        if event.action == "renderChunk":
            hold.wait(60)

    worker = Worker(chunks=2, before=before)
    with place(bucket, worker, concurrency=4) as made:
        stem = f"row-{uuid4().hex[:8]}"
        rows = [{"output": f"{stem}-{name}.mp4"} for name in ("one", "two", "three")]
        written = tmp_path / "rows.jsonl"
        written.write_text("\n".join(json.dumps(row) for row in rows))
        asked = {"rows": str(written), "project": str(project()), "in_flight": 2}
        command = [sys.executable, "-c", BATCH_CHILD, json.dumps(asked), made.stack.model_dump_json()]
        log = (tmp_path / "log").open("w")
        flow = subprocess.Popen(command, env={**os.environ, "PREFECT_API_URL": api.api_url}, stdout=log, stderr=log)
        while len(begun := _folders_with(made, "plan/manifest.json")) < 2:
            assert flow.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        while worker.attempts("renderChunk", 0) < 2:
            time.sleep(0.05)
        flow.send_signal(signal.SIGTERM)
        began = time.monotonic()
        flow.wait(30)
        took = time.monotonic() - began
        hold.set()
        assert _folders_with(made, "cancel") == begun
        assert worker.attempts("plan") == 2
    assert took < SOON_SECONDS
    assert _chunk_states(f"render {stem}-one.mp4") == {"CANCELLED"}


def test_a_render_that_waits_for_its_place_can_be_cancelled(api: PrefectApi, bucket: str) -> None:
    """The mark of an earlier run is taken away when it begins to wait; one that comes later ends it, with no plan."""
    worker = Worker(chunks=1)
    with place(bucket, worker) as made, get_client(sync_client=True) as client:
        folder = made.folder()
        storage.write(folder.cancel, b"")
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=RENDERS, limit=1, active=True))
        try:
            with admitted(), ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(copy_context().run, made.render, "prefect")
                while storage.exists(folder.cancel):
                    assert not waiting.done()
                    time.sleep(0.05)
                storage.write(folder.cancel, b"")
                with pytest.raises(RenderCancelled):
                    waiting.result(20)
        finally:
            client.delete_global_concurrency_limit_by_name(RENDERS)
    assert worker.attempts("plan") == 0


def _folders_with(made: Place, name: str) -> set[str]:
    """The stack's render folders that hold an object of that name."""
    return {path.partition("/")[0] for path in storage.listing(made.stack.renders) if path.endswith(f"/{name}")}


def test_a_cancelled_run_whose_process_is_gone_is_stopped_by_prefects_hook(api: PrefectApi, bucket: str) -> None:
    """Its execution went on without it: the folder says cancelled, and the execution is stopped."""
    hold = threading.Event()

    def before(event: Asked, _attempt: int) -> None:
        if event.action == "plan":
            record_request(event)
            hold.wait(60)

    worker = Worker(chunks=2, before=before)
    with place(bucket, worker) as made:
        name = f"stack-{uuid4().hex[:8]}"
        RenderStack(where=made.stack).save(name)
        request = made.request()
        parameters = {"request": request.model_dump(mode="json"), "stack": name}
        run = FlowRun(id=uuid4(), flow_id=uuid4(), name="gone", run_count=1, parameters=parameters)
        asked = {
            "ProjectS3Uri": request.project,
            "PlanOutputS3Prefix": request.render_folder,
            "OutputS3Uri": request.output,
        }
        StateMachine(arn=made.stack.state_machine or "", credentials=made.stack.credentials).trigger(
            asked, f"render-{run.id}"
        )
        while not storage.exists(made.folder().request):
            time.sleep(0.05)
        assert stop_what_is_left in render_native.on_cancellation_hooks
        for _ in range(2):
            stop_what_is_left(flow=render_native, flow_run=run, state=Cancelling())
        assert storage.exists(made.folder().cancel)
        hold.set()
        assert _execution_status(made.stack.state_machine or "") == "ABORTED"
    assert worker.attempts("assemble") == 0


def _execution_status(machine: str) -> str:
    """How the machine's only execution has ended; moto's interpreter ends it when its task has returned."""
    while True:
        (execution,) = boto3.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        if execution["status"] != "RUNNING":
            return str(execution["status"])
        time.sleep(0.1)


def _chunk_states(flow_run: str) -> set[str]:
    """How the flow run's chunk task runs have ended, once the server has heard of it."""
    limit = time.monotonic() + 20
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[flow_run])))
        while True:
            tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
            states = {task.state_type.value for task in tasks if task.state_type and task.name.startswith("render")}
            if (states and "RUNNING" not in states) or time.monotonic() > limit:
                return states
            time.sleep(0.5)
