"""What orchestrating costs: renders of many chunks by the Prefect engine, on a Lambda that does nothing.

    python -m benchmarks.orchestration [--chunks 200,2000] [--concurrent 200] [--work FOLDER]

Prefect's server, S3 and the Lambda API are processes of their own, so that CPU and memory are those of the flow's
process alone. Prints a line for each case, and writes results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any
from urllib.request import urlopen

BUCKET = "benchmark-renders"
KEY, REGION = "nobody", "us-east-1"
CHECKOUT = Path(__file__).parent.parent
PATIENCE = 60.0


def run(chunks: int, seconds: float, concurrency: int, name: str) -> dict[str, Any]:
    """One render, after one of a single chunk that warms everything up; times in s, memory in MB.

    The overhead is all that the flow takes beyond the chunks' own time, plan, assembly and its end included.
    """
    from flows.render import render  # noqa: PLC0415 - Prefect's imports are not what is measured
    from flows.request import RenderRequest  # noqa: PLC0415 - see above
    from lambda_handler.events import parse_config  # noqa: PLC0415 - see above
    from tasks.stack import AwsStack  # noqa: PLC0415 - see above

    stack = AwsStack(bucket=BUCKET, function="render", concurrency=concurrency, hedge=False)

    def rendered(count: int, pause: float, called: str) -> tuple[float, float]:
        config = parse_config(
            {"maxParallelChunks": min(256, concurrency), "variables": {"chunks": count, "seconds": pause}}
        )
        where = f"s3://{BUCKET}"
        request = RenderRequest(
            project=f"{where}/project.tar.gz",
            output=f"{where}/output/{called}.mp4",
            config=config,
            render_folder=f"{where}/renders/{called}",
        )
        wall, cpu = time.monotonic(), time.process_time()
        assert render(request, stack).chunks == count  # noqa: S101 - else there is nothing to tell
        return time.monotonic() - wall, time.process_time() - cpu

    alone, alone_cpu = rendered(1, 0, f"{name}-warm")
    before = _memory()
    wall, cpu = rendered(chunks, seconds, name)
    return {
        "chunks": chunks,
        "chunkSeconds": seconds,
        "concurrency": concurrency,
        "oneChunkSeconds": round(alone, 2),
        "wallSeconds": round(wall, 2),
        "overheadMsPerChunk": round(1000 * (wall - seconds * ceil(chunks / concurrency)) / chunks, 1),
        "cpuSeconds": round(cpu, 2),
        "cpuMsPerChunk": round(1000 * (cpu - alone_cpu) / chunks, 1),
        "memoryBeforeMb": before,
        "memoryPeakMb": _memory(),
    }


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def serve() -> None:
    """The Lambda API, until standard input ends: a chunk takes as long as the request's variables say."""
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from lambda_endpoint import lambda_endpoint  # noqa: PLC0415 - of the tests
    from simulated_worker import FRAMES, Worker, finished  # noqa: PLC0415 - of the tests

    from lambda_handler.events import AssembleEvent, RenderChunkResult, to_wire, validated  # noqa: PLC0415 - see above
    from lambda_handler.manifest import load_checked  # noqa: PLC0415 - see above
    from lambda_handler.render_folder import RenderFolder  # noqa: PLC0415 - see above

    worker = Worker(chunks=1)
    pause = 0.0

    def function(event: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal pause
        if event["Action"] == "plan":
            worker.chunks = event["Config"]["variables"]["chunks"]
            pause = event["Config"]["variables"]["seconds"]
        if event["Action"] == "assemble":
            # The chunks are not there: nothing is joined.
            asked = validated(AssembleEvent, event)
            folder = RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri)
            manifest = load_checked(folder.manifest, asked.plan_hash)
            return to_wire(finished(asked, folder, manifest, [b""] * len(manifest.chunks)))
        if event["Action"] == "renderChunk":
            time.sleep(pause)
            return to_wire(
                RenderChunkResult(
                    chunk_s3_uri=f"s3://{BUCKET}/none",
                    chunk_index=event["ChunkIndex"],
                    sha256="0" * 64,
                    frames_encoded=FRAMES,
                    frames_captured=FRAMES,
                    duration_ms=round(pause * 1000),
                )
            )
        planned: Mapping[str, Any] = worker(event)
        return planned

    with lambda_endpoint(function) as endpoint:
        print(endpoint.url, flush=True)
        sys.stdin.read()


@contextmanager
def services(work: Path) -> Iterator[dict[str, str]]:
    """Prefect's server, S3 and the Lambda API; the environment that leads to them."""
    import boto3  # noqa: PLC0415 - the measured process does without

    from flows.prefect_server import ensure_api, stop_server  # noqa: PLC0415 - see above

    os.environ |= {"HYPERFRAMES_STATE": str(work / "state"), "PREFECT_HOME": str(work / "prefect")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    s3 = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": REGION,
        "PREFECT_API_URL": ensure_api().api_url,
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    function = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.orchestration", "--serve"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert function.stdout  # noqa: S101 - a pipe
        environment["AWS_ENDPOINT_URL_LAMBDA"] = function.stdout.readline().strip()
        _until_it_answers(s3)
        session = boto3.Session(KEY, KEY, region_name=REGION)
        session.client("s3", endpoint_url=s3).create_bucket(Bucket=BUCKET)
        yield environment
    finally:
        function.terminate()
        moto.terminate()
        stop_server()


def _until_it_answers(url: str) -> None:
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(f"{url}/moto-api/", timeout=5).close()  # noqa: S310 - http, of our own making
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)
        else:
            return


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.orchestration", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--chunks", default="200,2000", help="how many chunks, a render each")
    parser.add_argument("--concurrent", type=int, default=200, help="chunks at once that take three seconds each")
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "orchestration")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return
    if asked.run:
        print(json.dumps(run(**json.loads(asked.run))))
        return
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    cases = [{"chunks": int(count), "seconds": 0.0, "concurrency": 50} for count in asked.chunks.split(",")]
    cases.append({"chunks": asked.concurrent, "seconds": 3.0, "concurrency": asked.concurrent})
    results = []
    with services(work) as environment:
        for index, case in enumerate(cases):
            command = [
                sys.executable,
                "-m",
                "benchmarks.orchestration",
                "--run",
                json.dumps({**case, "name": str(index)}),
            ]
            told = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
            if told.returncode:
                raise SystemExit(told.stderr[-2000:])
            results.append(json.loads(told.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), flush=True)
    (work / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
