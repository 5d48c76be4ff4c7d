"""Local workers: processes that play the roles, that may die, and that leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rendering import BOX, Project, page

from lambda_handler.errors import (
    ChunkIndexOutOfRange,
    InvalidConfig,
    ProjectNotFound,
    RenderError,
    UriNotAllowed,
    WorkerLost,
)
from lambda_handler.storage import file_uri
from tasks.invoke import invoker, invoking
from tasks.local_stack import LocalStack
from tasks.local_workers import LocalWorkers, _Worker
from tasks.worker_process import is_alone

Event = dict[str, Any]
PATIENCE = 60.0


def _children() -> dict[int, str]:
    """All processes below this one: pid -> command line."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if state != "Z":
                parents[int(entry.name)] = (int(parent), command)

    def descends(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid][0]
            if pid == os.getpid():
                return True
        return False

    return {pid: command for pid, (_, command) in parents.items() if descends(pid)}


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return None


def _ended(pids: set[int]) -> bool:
    """Whether none of the processes runs any more, wherever it hangs in the tree by now."""
    for pid in pids:
        try:
            if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return False
        except OSError:
            continue
    return True


def _until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that has to come true."""
    for _ in range(int(PATIENCE * 50)):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[LocalWorkers]:
    """One worker process."""
    made = LocalWorkers(LocalStack(root=tmp_path, processes=1))
    yield made
    made.close()


@pytest.fixture
def plan(tmp_path: Path, project: Project) -> Callable[..., Event]:
    """The event that plans a page."""

    def event(html: str | None = None, **config: Any) -> Event:
        folder = project(html)
        prefix = file_uri(tmp_path / "render")
        return {
            "Action": "plan",
            "ProjectS3Uri": file_uri(folder),
            "PlanOutputS3Prefix": prefix,
            "Config": config,
        }

    return event


def _chunk(planned: Event, index: int) -> Event:
    names = ("PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix")
    where = planned["PlanV2ManifestS3Uri"].removesuffix("plan/manifest.json") + "chunks"
    told = {name: planned[name] for name in names}
    return {"Action": "renderChunk", **told, "ChunkIndex": index, "ChunkOutputS3Prefix": where}


SLOW = f"{BOX}<script>addEventListener('hf-seek', e => e.detail.waitUntil(__hfClock.pause(100)))</script>"


def test_events_one_after_another_are_played_by_one_worker(tmp_path: Path, plan: Callable[..., Event]) -> None:
    """Its browser is warm by then. Another is ready for what happens at the same time, and no third."""
    workers = LocalWorkers(LocalStack(root=tmp_path, processes=3))
    try:
        assert not _workers()
        workers.make_ready()
        began = _workers()
        assert len(began) == 2
        planned = workers.invoke(plan(chunkSize=15))
        results = [workers.invoke(_chunk(planned, index)) for index in range(2)]
        assert [result["FramesCaptured"] for result in results] == [15, 15]
        assert _workers() == began
        assert sum("--type=gpu-process" in command for command in _children().values()) == 1
    finally:
        workers.close()


def _workers() -> set[int]:
    return {pid for pid, command in _children().items() if "lambda_handler.worker" in command}


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"ProjectS3Uri": "file://{root}/nothing"}, ProjectNotFound, "nothing"),
        ({"ProjectS3Uri": "file:///etc"}, UriNotAllowed, "file:///etc"),
        ({"Config": {"fps": 31}}, InvalidConfig, "Config.fps"),
    ],
)
def test_an_error_keeps_its_type_across_the_process_boundary(
    workers: LocalWorkers,
    plan: Callable[..., Event],
    tmp_path: Path,
    change: Event,
    error: type[RenderError],
    told: str,
) -> None:
    """And its summary and its advice; the worker goes on."""
    change = {name: value.format(root=tmp_path) if isinstance(value, str) else value for name, value in change.items()}
    with pytest.raises(error) as caught:
        workers.invoke({**plan(), **change})
    assert told in caught.value.summary
    assert caught.value.resolution == error.advice
    planned = workers.invoke(plan())
    with pytest.raises(ChunkIndexOutOfRange):
        workers.invoke(_chunk(planned, 99))


def test_a_worker_that_is_killed_is_lost_and_the_next_one_works(
    workers: LocalWorkers, plan: Callable[..., Event]
) -> None:
    """In the middle of a chunk: the error may be retried, and the retry finds a new worker."""
    before = set(_children())
    planned = workers.invoke(plan(page(SLOW), chunkSize=30))
    (worker,) = _workers()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(workers.invoke, _chunk(planned, 0))
        _until(lambda: any("ffmpeg" in command for command in _children().values()))
        running = {pid: command for pid, command in _children().items() if pid not in before}
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(WorkerLost, match=r"status -9 over renderChunk"):
            answer.result(PATIENCE)
    assert any("chromium" in command for command in running.values())
    _until(lambda: _ended(set(running)))
    assert workers.invoke(_chunk(planned, 0))["FramesEncoded"] == 30


def test_closing_leaves_no_process_and_no_scratch_behind(plan: Callable[..., Event], tmp_path: Path) -> None:
    """Neither worker nor browser nor encoder, though it was in the middle of a chunk."""
    before = set(_children())

    def mine() -> dict[int, str]:
        return {pid: command for pid, command in _children().items() if pid not in before}

    workers = LocalWorkers(LocalStack(root=tmp_path, processes=2))
    planned = workers.invoke(plan(page(SLOW, duration="20"), chunkSize=600))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(workers.invoke, _chunk(planned, 0))
        _until(lambda: any("ffmpeg" in command for command in mine().values()))
        running = mine()
        assert any("chromium" in command for command in running.values())
        scratch = Path(workers._scratch.name)
        assert list(scratch.glob("hf-chunk-*"))
        workers.close()
        with pytest.raises(WorkerLost):
            answer.result(PATIENCE)
    _until(lambda: _ended(set(running)))
    assert mine() == {}
    assert not scratch.exists()


def test_at_most_as_many_events_are_played_at_once_as_there_are_processes(
    plan: Callable[..., Event], tmp_path: Path
) -> None:
    """The others wait for their turn; none is lost."""
    workers = LocalWorkers(LocalStack(root=tmp_path, processes=2))
    planned = workers.invoke(plan(chunkSize=10))
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            # A process that a worker has just forked still bears its name.
            running = {pid for pid, command in _children().items() if "lambda_handler.worker" in command}
            seen.update(pid for pid in running if _parent(pid) == os.getpid())
            done.wait(0.05)

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(workers.invoke, [_chunk(planned, index) for index in range(3)]))
    done.set()
    watching.join()
    workers.close()
    assert [result["ChunkIndex"] for result in results] == [0, 1, 2]
    assert len(seen) == 2


def test_a_role_that_was_begun_is_not_played_twice(
    workers: LocalWorkers, plan: Callable[..., Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who invokes it gets its answer, or its error. Who invokes it again has it played again."""
    played: list[Event] = []
    ask = _Worker.ask

    def asked(worker: _Worker, event: Event) -> Event:
        played.append(event)
        return ask(worker, event)

    monkeypatch.setattr(_Worker, "ask", asked)
    good, bad = plan(), {**plan(), "Config": {"fps": 31}}
    for event in (good, bad):
        workers.begin(event)
    assert workers.invoke(dict(good))["TotalFrames"] == 30
    with pytest.raises(InvalidConfig):
        workers.invoke(bad)
    assert played == [good, bad]
    workers.invoke(good)
    assert played == [good, bad, good]


ALONE = """
import json, sys
from pathlib import Path
from tasks.local_stack import LocalStack
from tasks.local_workers import LocalWorkers, _Worker

workers = LocalWorkers(LocalStack(root=Path(sys.argv[1]), processes=2))
workers.make_ready()
print(json.dumps(workers.invoke(json.loads(sys.stdin.readline()))), flush=True)
sys.stdin.readline()
workers.close()
"""


@contextmanager
def _alone(root: Path, event: Event) -> Iterator[subprocess.Popen[str]]:
    """A process without other threads, which has its workers ready and has asked them."""
    command = [sys.executable, "-c", ALONE, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(event) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["TotalFrames"]
        yield process


def test_a_process_without_threads_has_copies_of_itself_for_workers(plan: Callable[..., Event], tmp_path: Path) -> None:
    """Nothing is imported again; they play the roles, and end when they are told to."""
    before = set(_children())
    with _alone(tmp_path, plan()) as process:
        mine = {pid: command for pid, command in _children().items() if pid not in before and pid != process.pid}
        copies = {pid for pid in mine if _parent(pid) == process.pid}
        assert len(copies) == 2
        assert not [command for pid, command in mine.items() if "-m lambda_handler.worker" in command]
        process.communicate("\n", PATIENCE)
        assert process.returncode == 0
        _until(lambda: _ended(set(mine)))


def test_copies_end_with_the_process_that_made_them(plan: Callable[..., Event], tmp_path: Path) -> None:
    """However it ends: each hears it by its own pipe, which no other copy holds open."""
    before = set(_children())
    with _alone(tmp_path, plan()) as process:
        mine = {pid for pid in _children() if pid not in before}
        assert len(mine) > 3
        process.kill()
    _until(lambda: _ended(mine))


def test_a_process_with_threads_is_not_copied() -> None:
    """What a thread holds at that moment, a lock or half a write, would stay so in the copy."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    assert not is_alone()
    over.set()
    thread.join()


def test_tasks_of_a_stack_share_its_workers_until_the_flow_is_over(tmp_path: Path) -> None:
    """Another stack has its own; after the flow new ones are made."""
    one, other = LocalStack(root=tmp_path, processes=1), LocalStack(root=tmp_path, processes=2)
    with invoking(one), invoking(other):
        first = invoker(one)
        assert invoker(LocalStack(root=tmp_path, processes=1)) is first
        assert invoker(other) is not first
    with invoking(one):
        assert invoker(one) is not first
