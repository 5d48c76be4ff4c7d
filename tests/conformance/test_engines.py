"""One suite for both engines: whichever asks the workers, a render leaves the same behind, and ends the same way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from engines import ENGINES, place
from simulated import Asked
from simulated_worker import FRAMES, Worker
from step_functions import throttled

from flows.prefect_server import PrefectApi
from flows.render import Engine
from lambda_handler import storage
from lambda_handler.errors import FontFetchFailed, RenderCancelled, StorageFull, from_wire
from lambda_handler.events import RenderChunkEvent
from tasks import throttle

both = pytest.mark.parametrize("engine", ENGINES)
first_and_second = pytest.mark.parametrize(("first", "second"), [ENGINES, ENGINES[::-1]])


def _failing(code: str, *, chunk: int = 1, times: int = 1_000) -> Callable[[Asked, int], None]:
    def before(event: Asked, attempt: int) -> None:
        if isinstance(event, RenderChunkEvent) and event.chunk_index == chunk and attempt <= times:
            raise from_wire(code, "It broke.\nMend it.")

    return before


def test_the_same_request_leaves_the_same_behind(api: PrefectApi, bucket: str) -> None:
    """Manifest, chunk keys, the video's bytes, request and report, to the byte."""
    worker = Worker(chunks=5)
    with place(bucket, worker) as made:
        outcomes = [made.render(engine, name=engine) for engine in ENGINES]
        assert made.left(ENGINES[0]) == made.left(ENGINES[1])
    facts = [(told.frames, told.chunks, told.chunks_found, told.fps, told.size_bytes) for told in outcomes]
    assert facts[0] == facts[1]
    assert facts[0][:3] == (5 * FRAMES, 5, 0)
    assert [told.engine for told in outcomes] == list(ENGINES)


@both
def test_a_chunk_that_fails_once_is_tried_again(api: PrefectApi, bucket: str, engine: Engine) -> None:
    """That chunk only, and the render succeeds."""
    worker = Worker(chunks=3, before=_failing("WORKER_LOST", times=1))
    with place(bucket, worker) as made:
        assert made.render(engine).frames == 3 * FRAMES
    assert [worker.attempts("renderChunk", index) for index in range(3)] == [1, 2, 1]


@both
def test_an_error_that_cannot_mend_itself_is_not_tried_again(api: PrefectApi, bucket: str, engine: Engine) -> None:
    """It reaches the caller as itself, with what to do; nothing is assembled."""
    worker = Worker(chunks=3, before=_failing("FONT_FETCH_FAILED"))
    with place(bucket, worker) as made, pytest.raises(FontFetchFailed, match=r"It broke\.") as caught:
        made.render(engine)
    assert caught.value.resolution == "Mend it."
    assert worker.attempts("renderChunk", 1) == 1
    assert worker.attempts("assemble") == 0


@both
def test_throttling_does_not_fail_a_render(
    api: PrefectApi, bucket: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More often than a task is retried: every role waits for its place, and is then played once."""
    for name in ("FIRST_SECONDS", "LONGEST_SECONDS"):
        monkeypatch.setattr(throttle, name, 0.02)
    refusals: dict[str, int] = {}

    def busy(event: Any) -> Any:
        which = f"{event['Action']} {event.get('ChunkIndex')}"
        refusals[which] = refusals.get(which, 0) + 1
        if refusals[which] <= 7:
            raise throttled()
        return worker(event)

    worker = Worker(chunks=2)
    with place(bucket, busy) as made:
        assert made.render(engine).frames == 2 * FRAMES
    assert [worker.attempts("plan"), worker.attempts("renderChunk", 0), worker.attempts("assemble")] == [1, 1, 1]


@both
def test_a_cancelled_render_stops_and_can_be_resumed(api: PrefectApi, bucket: str, engine: Engine) -> None:
    """Whoever puts the object there: workers stop between two frames, and resuming renders what is missing."""
    begun = threading.Event()

    def before(event: Asked, _attempt: int) -> None:
        if isinstance(event, RenderChunkEvent) and event.chunk_index == 1 and not begun.is_set():
            begun.set()
            storage.write(made.folder().cancel, b"")

    worker = Worker(chunks=4, before=before)
    with place(bucket, worker, concurrency=1) as made:
        with pytest.raises(RenderCancelled):
            made.render(engine, maxParallelChunks=1)
        assert storage.exists(made.folder().cancel)
        found = len(storage.listing(made.folder().chunks))
        assert worker.attempts("assemble") == 0
        outcome = made.resume(engine)
        assert (outcome.chunks_found, outcome.frames) == (found, 4 * FRAMES)
        assert found < 4
        assert not storage.exists(made.folder().cancel)
    assert sorted(worker.rendered) == [0, 1, 2, 3]


@first_and_second
def test_what_one_engine_began_the_other_finishes(api: PrefectApi, bucket: str, first: Engine, second: Engine) -> None:
    """From the folder alone: no chunk is rendered twice, and the video is made of all of them in their order."""
    worker = Worker(chunks=4, before=_failing("STORAGE_FULL", chunk=3))
    with place(bucket, worker) as made:
        with pytest.raises(StorageFull, match=r"It broke\."):
            made.render(first, maxParallelChunks=1)
        worker.before = lambda _event, _attempt: None
        assert made.resume(second).chunks_found == 3
        left = made.left()
        names = [name for name, _ in left["chunks"]]
        assert left["video"] == "".join(f"{name}\n" for name in names).encode()
    assert sorted(worker.rendered) == [0, 1, 2, 3]
