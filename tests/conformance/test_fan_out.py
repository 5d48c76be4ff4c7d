"""The Prefect engine's fan-out: how many at once, in how many task runs, and what it does about stragglers."""

from __future__ import annotations

import threading
import time

import pytest
from engines import place
from simulated import Asked
from simulated_worker import FRAMES, Worker

from flows import chunks, following
from flows.prefect_server import PrefectApi
from lambda_handler.events import RenderChunkEvent
from lambda_handler.progress import Heartbeat
from lambda_handler.render_folder import RenderFolder
from tasks import lambda_function, roles
from tasks.stragglers import Patience, Stragglers


def test_groups_of_chunks_keep_every_place_busy(api: PrefectApi, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two task runs render twelve chunks, five at a time: as many as the stack allows, never more."""
    monkeypatch.setattr(chunks, "groups", lambda events: roles.groups(events, 2))
    running, peak, lock = 0, 0, threading.Lock()

    def before(event: Asked, _attempt: int) -> None:
        nonlocal running, peak
        if not isinstance(event, RenderChunkEvent):
            return
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.3)
        with lock:
            running -= 1

    worker = Worker(chunks=12, before=before)
    with place(bucket, worker, concurrency=5) as made:
        outcome = made.render("prefect", maxParallelChunks=12)
    assert (outcome.chunks, outcome.frames) == (12, 12 * FRAMES)
    assert peak == 5


def test_a_chunk_that_stands_still_is_rendered_a_second_time(
    api: PrefectApi, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker has shown a first sign of life and none since: the render does not wait for it."""
    monkeypatch.setattr(following, "Stragglers", lambda count: Stragglers(count, Patience(still_seconds=0.5)))
    monkeypatch.setattr(chunks, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(lambda_function, "HEDGE_SECONDS", 0.0)
    hang = threading.Event()

    def before(event: Asked, attempt: int) -> None:
        if isinstance(event, RenderChunkEvent) and event.chunk_index == 1 and attempt == 1:
            Heartbeat(RenderFolder.of_manifest(event.plan_v2_manifest_s3_uri), 1, FRAMES).beat(0)
            hang.wait(60)

    worker = Worker(chunks=3, before=before)
    with place(bucket, worker, hedge=True) as made:
        began = time.monotonic()
        assert made.render("prefect").frames == 3 * FRAMES
        assert time.monotonic() - began < 30
        hang.set()
    assert [worker.attempts("renderChunk", index) for index in range(3)] == [1, 2, 1]
