"""A whole Prefect on this machine: `python -m deployments.local start`, and `stop`. Starting twice changes nothing.

The API that is configured, or the background server; block types, limit and automations; a process work pool; all
deployments of prefect.yaml; a worker in the background.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from deployments.register import register
from flows.background import recorded, start
from flows.prefect_server import PrefectApi, connected, ensure_api, state_folder
from lambda_handler.errors import PrefectServerFailed, RenderError
from lambda_handler.toolchain import CHECKOUT

POOL_VARIABLE = "HYPERFRAMES_WORK_POOL"
POOL = "hyperframes"
TAG = "hyperframes"
RUNS_AT_ONCE = 8
WORKER_SECONDS = 60.0


def deploy() -> PrefectApi:
    """Brings everything up; returns the API. Raises PrefectServerFailed."""
    api = ensure_api()
    print(f"Prefect      {api.ui_url}" + ("  (started in the background)" if api.started else ""))
    with connected(api.api_url, quiet=True):
        for line in register():
            print(f"registered   {line}")
        _pool()
        _deployments(api.api_url)
        _worker(api.api_url)
    return api


def stop() -> bool:
    """Ends the worker; says whether there was one. Runs that it was at are stopped; what they rendered is kept."""
    running = recorded(_record_file())
    if running:
        running.end()
    _record_file().unlink(missing_ok=True)
    return running is not None


def _pool() -> None:
    """A pool whose runs start in this checkout, where relative paths of requests mean what they do in a shell."""
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["working_dir"]["default"] = str(CHECKOUT)
    pool = WorkPoolCreate(
        name=POOL, type=ProcessWorker.type, base_job_template=template, concurrency_limit=RUNS_AT_ONCE
    )
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(pool)
    print(f"work pool    {POOL}, process, runs start in {CHECKOUT}")


def _deployments(api_url: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=CHECKOUT,
        env=_environment(api_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        last = " ".join((told.stdout + told.stderr).split())[-400:]
        raise PrefectServerFailed(f"The deployments of prefect.yaml were refused: {last}")
    with get_client(sync_client=True) as client:
        ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
        for deployment in client.read_deployments(deployment_filter=ours):
            print(f"deployment   {client.read_flow(deployment.flow_id).name}/{deployment.name}")


def _worker(api_url: str) -> None:
    running = recorded(_record_file())
    if running and running.api_url == api_url:
        print(f"worker       at work, process {running.pid}")
        return
    if running:
        running.end()
    log = state_folder() / "worker.log"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "this-machine"]
    running, process = start(command, _environment(api_url), CHECKOUT, log, api_url)
    running.record(_record_file())
    limit = time.monotonic() + WORKER_SECONDS
    while not _heard_of():
        if process.poll() is not None or time.monotonic() > limit:
            running.end()
            last = " ".join(log.read_text(errors="replace").split())[-300:]
            raise PrefectServerFailed(f"The worker did not start. Its log, {log}, ends: {last}")
        time.sleep(0.5)
    print(f"worker       started in the background, process {running.pid}; its log: {log}")


def _heard_of() -> bool:
    with get_client(sync_client=True) as client:
        return any(worker.status == "ONLINE" for worker in client.read_workers_for_work_pool(POOL))


def _environment(api_url: str) -> Mapping[str, str]:
    # The background server's own home: the user's profile may name another API.
    return {**os.environ, "PREFECT_API_URL": api_url, "DO_NOT_TRACK": "1", POOL_VARIABLE: POOL}


def _record_file() -> Path:
    return state_folder() / "worker.json"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m deployments.local", description=__doc__)
    parser.add_argument("what", choices=["start", "stop"])
    try:
        if parser.parse_args().what == "stop":
            print("The worker is stopped." if stop() else "No worker was running.")
            return 0
        api = deploy()
    except RenderError as error:
        print(f"{error.code}  {error.summary}\n→ {error.resolution}", file=sys.stderr)
        return 1
    print(
        "\nTell your shell where Prefect is, and render:\n"
        f"  export PREFECT_API_URL={api.api_url}\n"
        "  .venv/bin/prefect deployment run render/local --watch \\\n"
        """      --param 'request={"project": "examples/orbit", "output": "out/orbit.mp4"}'"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
