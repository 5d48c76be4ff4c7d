"""What each invocation took, left in the render folder by itself, so that assemble can say what the render cost.

Only in Lambda, whose environment tells how much memory is paid for. Each invocation has an object of its own,
`attempts/<plan hash>/<chunk, or assemble>-<id>.json` or `attempts/plan/<digest of the event>-<id>.json`, written when
it begins, every few seconds while it runs, whatever it waits for, and when it ends: one that is killed has left how
long it took so far.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from lambda_handler import storage
from lambda_handler.errors import RenderError, WorkerLost
from lambda_handler.events import AssembleEvent, PlanEvent, RenderChunkEvent, to_wire
from lambda_handler.manifest import Manifest, digest
from lambda_handler.render_folder import RenderFolder

BEAT_SECONDS = 5.0
READS_AT_ONCE = 16
HASH_DIGITS = 16
_PLANS = "plan"


@dataclass(frozen=True)
class Attempt:
    """One invocation: when it began (seconds since the epoch), the milliseconds it took, the code it failed with.

    `plan` is what a successful attempt to plan came to: the plan's hash, and into how many chunks it is cut.
    """

    began: float
    ms: float
    error: str | None = None
    plan: tuple[str, int] | None = None


class Record:
    """The record of the invocation that runs now."""

    def __init__(self, asked: PlanEvent | RenderChunkEvent | AssembleEvent, since: float) -> None:
        match asked:
            case PlanEvent():
                folder = RenderFolder(asked.plan_output_s3_prefix)
                group, of = _PLANS, digest([to_wire(asked)])[:HASH_DIGITS]
            case RenderChunkEvent() | AssembleEvent():
                folder = RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri)
                group = asked.plan_hash[:HASH_DIGITS]
                of = str(asked.chunk_index) if isinstance(asked, RenderChunkEvent) else "assemble"
        self.name = f"{of}-{uuid4().hex}.json"
        self._uri = storage.join(folder.attempts, group, self.name)
        self.told: dict[str, Any] = {}
        self._since = since
        self._began = time.time() - (time.monotonic() - since)

    def write(self, *, running: bool = False) -> None:
        """Writes how long it took so far, and what there is to tell of its end. Raises what storage does."""
        ms = round((time.monotonic() - self._since) * 1000, 1)
        end = {"running": True} if running else self.told
        storage.write(self._uri, json.dumps({"began": self._began, "ms": ms, **end}).encode())


@contextmanager
def recorded(
    asked: PlanEvent | RenderChunkEvent | AssembleEvent, since: float, complain: Callable[[RenderError], None]
) -> Iterator[Record]:
    """Keeps the record of an invocation that began at `since` (time.monotonic) until it ends.

    A folder that cannot be written to has failed the role itself, or is no reason to fail it: `complain` hears of it.
    """
    record = Record(asked, since)
    over = threading.Event()

    def beat() -> None:
        while True:
            with suppress(RenderError):  # the last writing tells
                record.write(running=True)
            if over.wait(BEAT_SECONDS):
                return

    beating = threading.Thread(target=beat, name="attempt", daemon=True)
    beating.start()
    try:
        yield record
    except BaseException as error:
        record.told = {"error": error.code if isinstance(error, RenderError) else type(error).__name__}
        raise
    finally:
        over.set()
        beating.join()
        try:
            record.write()
        except RenderError as error:
            complain(error)


def of_plan(folder: RenderFolder, manifest: Manifest, *, but: str | None = None) -> tuple[list[Attempt], list[Attempt]]:
    """The attempts to make this very plan, and those at its chunks and its video, `but` the record of that name.

    Since it was made: what an earlier plan in the folder took, or the same pages cut otherwise, is not this one's.
    """
    names = sorted(storage.listing(folder.attempts))
    hashed = manifest.plan_hash[:HASH_DIGITS]
    plans = _read(folder, [name for name in names if name.startswith(f"{_PLANS}/")])
    others = _read(folder, [name for name in names if name.startswith(f"{hashed}/") and not name.endswith(but or "//")])
    mine = _latest(plans, (manifest.plan_hash, len(manifest.chunks)))
    since = min((attempt.began for attempt in mine), default=0.0)
    return mine, [attempt for _, attempt in others if attempt.began >= since]


def _latest(plans: Sequence[tuple[str, Attempt]], wanted: tuple[str, int]) -> list[Attempt]:
    """The attempts that led to the `wanted` plan since another was made; a failed one leads to the next that succeeds
    at the same event."""
    mine: list[Attempt] = []
    failed: dict[str, list[Attempt]] = {}
    for name, attempt in sorted(plans, key=lambda each: each[1].began):
        event = name.rpartition("-")[0]
        waiting = failed.setdefault(event, [])
        if attempt.plan is None:
            waiting.append(attempt)
        elif attempt.plan == wanted:
            mine += [*waiting, attempt]
            waiting.clear()
        else:
            mine = []
            waiting.clear()
    return mine


def _read(folder: RenderFolder, names: Sequence[str]) -> list[tuple[str, Attempt]]:
    def read(name: str) -> tuple[str, Attempt]:
        told = json.loads(storage.read(storage.join(folder.attempts, name)))
        error = WorkerLost.code if told.get("running") else told.get("error")
        return name, Attempt(told["began"], told["ms"], error, tuple(told["plan"]) if "plan" in told else None)

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return list(pool.map(read, names))
