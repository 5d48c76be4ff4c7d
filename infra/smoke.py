"""Renders one project through the state machine, cut differently each time, and compares with one piece made here.

    python -m infra.smoke --local            the built artifact on this machine, no account
    python -m infra.smoke                    a stack in the account that the AWS credentials name

Rendered losslessly (crf 0), so that the frames themselves are compared and not two encodings of them. The exit status
says which stage failed: 2 the arguments, 3 deployment, 4 the baseline, 5 a render, 6 the comparison, 7 what is left
of the stack. results.json is written in any case, and says what failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from math import ceil
from pathlib import Path
from typing import Any

from infra.artifact import BUILD
from infra.compare import compare
from infra.local_aws import LOCAL, pack_project
from infra.stacks import NotTornDown, Stack, deployed_stack, local_stack
from lambda_handler.handler import handler
from lambda_handler.storage import ROOTS_VARIABLE, file_uri
from lambda_handler.toolchain import CHECKOUT

FIXTURE = CHECKOUT / "infra" / "fixtures" / "moving"
CONFIG: Mapping[str, Any] = {"fps": 30, "format": "mp4", "crf": 0, "runtimeCap": "lambda"}
DEPLOY, BASELINE, RENDER, COMPARE, TEAR_DOWN = 3, 4, 5, 6, 7


class StageFailed(Exception):
    """A stage of the smoke test failed; `code` is the exit status."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


def baseline(fixture: Path, work: Path) -> tuple[Path, int]:
    """The video of `fixture` in one piece, made by the handler in this process, and how many frames it has."""
    os.environ[ROOTS_VARIABLE] = os.pathsep.join([str(work), str(fixture)])
    video = work / "baseline.mp4"
    place = {"ProjectS3Uri": file_uri(fixture), "PlanOutputS3Prefix": file_uri(work / "baseline")}
    try:
        plan = handler({"Action": "plan", **place, "Config": {**CONFIG, "chunkSize": 3600}})
        located = {name: plan[name] for name in ("PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix")}
        for index in range(plan["ChunkCount"]):
            handler({"Action": "renderChunk", **located, "ChunkIndex": index})
        handler({"Action": "assemble", **located, "OutputS3Uri": file_uri(video)})
    except RuntimeError as error:
        raise StageFailed(BASELINE, f"{type(error).__name__}: {error}") from error
    return video, plan["TotalFrames"]


def rendered(
    stack: Stack, project: str, frames: int, chunks: int, work: Path, *, name: str | None = None
) -> tuple[Path, dict[str, Any]]:
    """The video that the state machine makes in so many chunks, and what there is to say about it."""
    name = name or f"smoke-{chunks}-chunks"
    prefix, output = f"s3://{stack.bucket}/renders/{name}", f"s3://{stack.bucket}/output/{name}.mp4"
    config = {**CONFIG, "chunkSize": ceil(frames / chunks), "maxParallelChunks": chunks}
    before = len(stack.local.standin.invocations) if stack.local else 0
    execution = stack.execute(
        {"ProjectS3Uri": project, "PlanOutputS3Prefix": prefix, "OutputS3Uri": output, "Config": config}
    )
    (work / f"history-{chunks}.json").write_text(json.dumps(execution.history, indent=1, default=str))
    if execution.status != "SUCCEEDED":
        raise StageFailed(RENDER, f"{chunks} chunks: {execution.status}, {execution.error}: {execution.cause}")
    made = [key for key in stack.keys(f"renders/{name}/chunks/") if key.endswith(".mp4")]
    told = {
        "chunks": len(made),
        "seconds": round(execution.seconds, 2),
        "events": len(execution.history),
        "report": json.loads(stack.get(f"{prefix}/report.json", work / f"report-{chunks}.json").read_text()),
    }
    if stack.local:
        calls = stack.local.standin.invocations[before:]
        told["invocations"] = calls
        told["cold"] = sum(call["cold"] for call in calls)
    if len(made) != chunks:
        raise StageFailed(RENDER, f"{chunks} chunks were asked for, and {len(made)} are in the render folder")
    return stack.get(output, work / f"{name}.mp4"), told


def smoke(
    stack: Stack, fixture: Path, chunk_counts: list[int], threshold: float, work: Path, results: list[dict[str, Any]]
) -> None:
    """Puts a result for each chunk count into `results`. Raises StageFailed."""
    whole, frames = baseline(fixture, work)
    project = stack.put(pack_project(fixture, work / "project.tar.gz"), "projects/smoke.tar.gz")
    for count in chunk_counts:
        video, told = rendered(stack, project, frames, count, work)
        likeness = compare(video, whole)
        told |= {"psnr": likeness.psnr, "identicalFrames": likeness.identical, "frames": likeness.frames}
        results.append(told)
        print(row(told), flush=True)
        if likeness.psnr < threshold or not likeness.same_frames:
            raise StageFailed(COMPARE, f"{count} chunks: {likeness} is not the baseline, threshold {threshold} dB")


HEADING = f"{'chunks':>6} {'seconds':>8} {'cold':>5} {'events':>6} {'PSNR dB':>8} {'same frames':>12}"


def row(told: Mapping[str, Any]) -> str:
    """One result as a line of the table."""
    same = f"{told['identicalFrames']}/{told['frames']}"
    cold = told.get("cold", "")
    return f"{told['chunks']:6} {told['seconds']:8.1f} {cold!s:>5} {told['events']:6} {told['psnr']:8.1f} {same:>12}"


def ran(place: AbstractContextManager[Stack], work: Callable[[Stack], None]) -> list[StageFailed]:
    """Deploys, does the `work`, and takes everything down again; returns what failed, in this order."""
    deployed = False

    def failure(error: BaseException) -> StageFailed:
        if isinstance(error, StageFailed):
            return error
        return StageFailed(RENDER if deployed else DEPLOY, f"{'' if deployed else 'not deployed: '}{error!r}")

    try:
        with place as stack:
            deployed = True
            work(stack)
    except NotTornDown as error:
        left = StageFailed(TEAR_DOWN, f"{error} Delete by hand what is left of it.")
        return [*([failure(error.__context__)] if error.__context__ else []), left]
    except Exception as error:
        return [failure(error)]
    return []


def main() -> None:
    """Runs, prints the table, writes results.json."""
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--local", action="store_true", help="on this machine, without an account")
    parser.add_argument("--fixture", type=Path, default=FIXTURE, help="the project to render")
    parser.add_argument("--chunk-counts", default="2,4,8", help="how to cut it, one render each")
    parser.add_argument("--psnr-threshold", type=float, default=40.0, help="dB")
    parser.add_argument("--reserved-concurrency", type=int, help="most invocations at a time; locally 2")
    parser.add_argument("--keep-stack", action="store_true", help="do not delete the stack")
    parser.add_argument("--stack-name", default="hyperframes-smoke")
    parser.add_argument("--function", type=Path, default=LOCAL / "function.zip", help="the artifact, for --local")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="runs it, for --local")
    parser.add_argument("--tmp-mb", type=int, help="size of each worker's /tmp, in memory, for --local with bubblewrap")
    parser.add_argument("--work", type=Path, default=BUILD / "smoke", help="for results, histories and videos")
    asked = parser.parse_args()
    try:
        counts = [int(count) for count in asked.chunk_counts.split(",")]
    except ValueError:
        parser.error(f"--chunk-counts: {asked.chunk_counts} is not a list of numbers")
    work = (asked.work / time.strftime("%Y%m%d-%H%M%S")).resolve()
    work.mkdir(parents=True)
    place: AbstractContextManager[Stack] = (
        local_stack(
            asked.function,
            work,
            python=asked.python,
            concurrency=asked.reserved_concurrency or 2,
            tmp_mb=asked.tmp_mb,
        )
        if asked.local
        else deployed_stack(asked.stack_name, reserved=asked.reserved_concurrency, keep=asked.keep_stack)
    )
    results: list[dict[str, Any]] = []
    print(HEADING, flush=True)
    failures = ran(
        place, lambda stack: smoke(stack, asked.fixture.resolve(), counts, asked.psnr_threshold, work, results)
    )
    told = {
        "fixture": str(asked.fixture),
        "local": asked.local,
        "config": dict(CONFIG),
        "renders": results,
        "failures": [{"code": failure.code, "message": str(failure)} for failure in failures],
    }
    (work / "results.json").write_text(json.dumps(told, indent=1))
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        sys.exit(failures[0].code)
    print(f"Every frame is the baseline's. {work / 'results.json'}")


if __name__ == "__main__":
    main()
