"""Workers that are killed, run out of time, or of memory, in the middle of a chunk: real processes under the stand-in.

Each leaves a render folder from which a second execution renders only what is missing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from rendering import RESTLESS, page
from step_functions import Execution, definition, execute, throttled

from infra.local_aws import pack_project
from infra.standin import Function, Standin, running
from lambda_handler import memory, storage
from lambda_handler.events import PLACES_VARIABLE
from lambda_handler.toolchain import CHECKOUT

CHUNK = 1
# In the one frame of the second chunk that no plan looks at, it takes 1 GiB, and a while over it.
GREEDY = RESTLESS + (
    "<script>let held; addEventListener('hf-seek', ({detail}) => { const frame = Math.round(detail.time * 30);"
    "if (frame === 12) { held = new Uint8Array(1 << 30); for (let n = 0; n < 8; n++) held.fill(n + 1); }"
    "if (frame === 13) held = null; })</script>"
)


class Place:
    """A bucket with a project in it, and the function of this checkout under the stand-in."""

    def __init__(self, bucket: str, tmp: Path) -> None:
        self.bucket, self.tmp = bucket, tmp
        self.captured: dict[int, int] = {}
        self.failures: list[str] = []

    def project(self, html: str) -> None:
        folder = self.tmp / "project"
        folder.mkdir()
        (folder / "index.html").write_text(html)
        packed = pack_project(folder, self.tmp / "project.tar.gz")
        boto3.client("s3").upload_file(str(packed), self.bucket, "project.tar.gz")

    def function(self, **limits: Any) -> Function:
        passed = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "HYPERFRAMES_"))}
        return Function(
            task=CHECKOUT,
            runtime=Path(sysconfig.get_path("purelib")),
            python=Path(sys.executable),
            environment={
                **passed,
                storage.BUCKET_VARIABLE: self.bucket,
                PLACES_VARIABLE: "1",
                # More than it has: so that it is killed, and does not stop by itself.
                memory.LIMIT_VARIABLE: "10240",
            },
            isolated=False,
            **limits,
        )

    def execute(self, standin: Standin, fault: Callable[[int], None] | None = None) -> Execution:
        """One execution, without retries for what is lost: `fault` gets the pid of the worker at the chunk."""
        self.captured, self.failures = {}, []

        def invoke(event: Mapping[str, Any]) -> dict[str, Any]:
            if fault and event.get("ChunkIndex") == CHUNK:
                threading.Thread(target=self._at_work, args=(standin, fault), daemon=True).start()
            answer = standin.invoke(json.dumps(event).encode())
            if answer is None:
                raise throttled()
            told: dict[str, Any] = json.loads(answer.payload)
            if answer.error:
                self.failures.append(told["errorType"])
                raise type(told["errorType"], (RuntimeError,), {})(told["errorMessage"])
            if event["Action"] == "renderChunk":
                self.captured[told["ChunkIndex"]] = told["FramesCaptured"]
            return told

        where = f"s3://{self.bucket}"
        request = {"ProjectS3Uri": f"{where}/project.tar.gz", "PlanOutputS3Prefix": f"{where}/renders/one",
                   "OutputS3Uri": f"{where}/output.mp4", "Config": {"fps": 30, "chunkSize": 10}}  # fmt: skip
        return execute(request, invoke, _impatient())

    def _at_work(self, standin: Standin, fault: Callable[[int], None]) -> None:
        """Waits until frames of the chunk are drawn; then comes the fault."""
        while True:
            with suppress(FileNotFoundError):
                storage.read(f"s3://{self.bucket}/renders/one/progress/{CHUNK}.json")
                break
            time.sleep(0.05)
        for pid, event in standin.working.items():
            if json.loads(event).get("ChunkIndex") == CHUNK:
                fault(pid)

    def chunks(self) -> dict[str, str]:
        listed = boto3.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="renders/one/chunks/")
        return {item["Key"]: item["ETag"] for item in listed.get("Contents", ())}


def _impatient() -> dict[str, Any]:
    """The machine, with one attempt at everything: what it does with more is tested elsewhere."""

    def once(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: 0 if name == "MaxAttempts" else once(inner) for name, inner in value.items()}
        return [once(each) for each in value] if isinstance(value, list) else value

    machine: dict[str, Any] = once(definition())
    return machine


@pytest.fixture
def place(bucket: str, tmp_path: Path) -> Iterator[Place]:
    yield Place(bucket, tmp_path)


@pytest.mark.parametrize(
    ("body", "limits", "fault", "error"),
    [
        (RESTLESS, {}, lambda pid: os.kill(pid, signal.SIGKILL), "Runtime.ExitError"),
        # It hangs: nothing in it can notice that its time is up.
        (RESTLESS, {"timeout_seconds": 45.0}, lambda pid: os.kill(pid, signal.SIGSTOP), "Sandbox.Timedout"),
        (GREEDY, {"memory_mb": 900}, None, "Runtime.OutOfMemory"),
    ],
    ids=["killed", "timed out", "out of memory"],
)
def test_a_lost_worker_leaves_a_folder_to_go_on_from(
    place: Place, body: str, limits: dict[str, Any], fault: Callable[[int], None] | None, error: str
) -> None:
    """The execution fails by Lambda's name for it; the next one renders the other chunks only."""
    place.project(page(body))
    with running(place.function(**limits), place.tmp / "logs") as standin:
        first = place.execute(standin, fault)
        assert (first.status, place.failures) == ("FAILED", [error]), (first.cause, place.failures)
        assert error in (first.error or ""), first.error
        before = place.chunks()
        assert len(before) == 1
        assert place.captured == {0: 10}
    with running(place.function(memory_mb=4096), place.tmp / "logs") as standin:
        second = place.execute(standin)
        assert second.status == "SUCCEEDED", second.cause
    assert place.captured == {0: 0, 1: 10, 2: 10}
    after = place.chunks()
    assert len(after) == 3
    assert before.items() <= after.items(), "what was there is untouched"


def test_memory_counts_what_a_process_and_its_children_hold() -> None:
    """Not what they have read, and shared pages once."""
    import subprocess

    script = "import os, time; held = os.urandom(40 << 20); print(flush=True); time.sleep(60)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"
    with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = memory.used_bytes(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
    assert 40 << 20 < used < 100 << 20
