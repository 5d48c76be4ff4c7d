"""Invokes the built function with one event, in the Lambda stand-in, against a local S3.

    python -m infra.invoke infra/events/render-chunk.json

What the event needs is there: the project that infra/events/plan.json names is in the bucket, and for the other roles
it has been planned, and rendered for assemble. `${PlanHash}` in the event stands for the hash of that plan.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from string import Template
from typing import Any

from infra.artifact import BUILD
from infra.local_aws import LOCAL, LocalAws, invoke, local_aws, pack_project
from lambda_handler.toolchain import CHECKOUT

EVENTS = CHECKOUT / "infra" / "events"
PROJECT = CHECKOUT / "examples" / "quarterly-metrics"


def sample(stack: LocalAws, event: Path) -> dict[str, Any]:
    """The result of the event in the file `event`, after those that it follows."""
    asked = json.loads(event.read_text())
    plan_event = json.loads((EVENTS / "plan.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack_project(PROJECT, Path(scratch) / "project.tar.gz")
        key = plan_event["ProjectS3Uri"].partition(f"s3://{stack.bucket}/")[2]
        stack.client("s3").upload_file(str(packed), stack.bucket, key)
    if asked.get("Action") == "plan":
        return invoke(stack, asked)
    plan = invoke(stack, plan_event)

    def filled(file: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Template(file.read_text()).substitute(PlanHash=plan["PlanHash"]))
        return found

    if asked.get("Action") == "assemble":
        chunk = filled(EVENTS / "render-chunk.json")
        for index in range(plan["ChunkCount"]):
            invoke(stack, chunk | {"ChunkIndex": index})
    return invoke(stack, filled(event))


def main() -> None:
    """Invokes, and prints the result."""
    parser = argparse.ArgumentParser(prog="python -m infra.invoke", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("event", type=Path)
    parser.add_argument("--function", type=Path, default=LOCAL / "function.zip", help="the artifact")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="runs it")
    asked = parser.parse_args()
    with local_aws(asked.function, BUILD / "invoke", python=asked.python) as stack:
        try:
            print(json.dumps(sample(stack, asked.event), indent=2))
        except RuntimeError as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
