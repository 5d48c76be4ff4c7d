"""What renders take and cost: several projects, several times each, by the built artifact on this machine.

    python -m infra.eval --iterations 3 examples/orbit examples/quarterly-metrics

Each iteration renders afresh, into a folder of its own. Compared are the whole state machine (moto's interpreter, the
artifact in the Lambda stand-in) and the same handler called in this process, both on this machine and in the same cut.
The cost is the price list's for what the invocations took here: a Lambda's processors are others, so it says how
projects compare, and what a bill is made of, not what the bill will be.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from infra.artifact import BUILD
from infra.local_aws import LOCAL, pack_project
from infra.smoke import StageFailed, baseline, rendered
from infra.stacks import Stack, local_stack
from lambda_handler.toolchain import CHECKOUT

EXAMPLES = [CHECKOUT / "examples" / name for name in ("orbit", "product-teaser", "quarterly-metrics")]
HEADING = f"{'project':22} {'frames':>6} {'chunks':>6} {'wall s':>8} {'in process':>10} {'CPU s':>7} {'cost USD':>9}"


def measured(stack: Stack, project: Path, iterations: int, chunks: int, work: Path) -> dict[str, Any]:
    """The medians of `iterations` renders. Raises StageFailed."""
    rounds: list[dict[str, Any]] = []
    for number in range(iterations):
        folder = work / f"{project.name}-{number}"
        folder.mkdir()
        began = time.monotonic()
        _, frames = baseline(project, folder)
        alone = time.monotonic() - began
        uri = stack.put(pack_project(project, folder / "project.tar.gz"), f"projects/{folder.name}.tar.gz")
        _, told = rendered(stack, uri, frames, chunks, folder, name=folder.name)
        rounds.append({
            "wall": told["seconds"],
            "inProcess": alone,
            "cpu": sum(call["cpu"] for call in told["invocations"]),
            "cold": told["cold"],
            "usd": told["report"]["cost"]["usd"],
            "frames": frames,
        })  # fmt: skip
    medians = {key: median(each[key] for each in rounds) for key in ("wall", "inProcess", "cpu", "usd")}
    return {"project": project.name, "frames": rounds[0]["frames"], "chunks": chunks, **medians, "rounds": rounds}


def row(told: dict[str, Any]) -> str:
    """One project as a line of the table."""
    return (
        f"{told['project']:22} {told['frames']:6} {told['chunks']:6} {told['wall']:8.1f} {told['inProcess']:10.1f} "
        f"{told['cpu']:7.1f} {told['usd']:9.5f}"
    )


def main() -> None:
    """Runs, prints the table, writes results.json."""
    parser = argparse.ArgumentParser(prog="python -m infra.eval", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("projects", type=Path, nargs="*", default=EXAMPLES)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--chunks", type=int, default=4, help="of each render")
    parser.add_argument("--function", type=Path, default=LOCAL / "function.zip", help="the artifact")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="runs it")
    parser.add_argument("--work", type=Path, default=BUILD / "eval")
    asked = parser.parse_args()
    work = (asked.work / time.strftime("%Y%m%d-%H%M%S")).resolve()
    work.mkdir(parents=True)
    results = []
    try:
        with local_stack(asked.function, work, python=asked.python, concurrency=2) as stack:
            print(HEADING, flush=True)
            for project in asked.projects:
                results.append(measured(stack, project.resolve(), asked.iterations, asked.chunks, work))
                print(row(results[-1]), flush=True)
    except StageFailed as error:
        raise SystemExit(str(error)) from error
    (work / "results.json").write_text(json.dumps(results, indent=1))
    print(f"Medians of {asked.iterations}, on this machine. {work / 'results.json'}")


if __name__ == "__main__":
    main()
