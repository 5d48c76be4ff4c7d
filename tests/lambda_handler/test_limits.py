"""What a worker does before the platform would stop it: tidies its disk, watches its time and its memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from rendering import BOX, Render, page

from lambda_handler import limits, memory, scratch, storage
from lambda_handler.errors import ChunkDeadline, StorageFull, WorkerDeadline
from lambda_handler.handler import handler

HOUR = 3600


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment's /tmp."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _left(folder: Path, name: str, age: float) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "frame").write_bytes(b"x" * 1000)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_what_a_killed_process_left_is_removed(disk: Path) -> None:
    """Its scratch, its browser's profile and a half-done unpacking; not this process's, not the tools, not others'."""
    gone = [_left(disk, name, HOUR) for name in ("hf-chunk-abc", "hf-plan-abc", "hf-browser-abc")]
    gone.append(_left(disk, "hyperframes-tools/unpacking-abc", HOUR))
    kept = [_left(disk, "hf-chunk-mine", 0), _left(disk, "hyperframes-tools/chromium-1", HOUR)]
    kept.append(_left(disk, "somebody-elses", HOUR))
    scratch.tidy(started=time.time() - HOUR / 2)
    assert [path.exists() for path in gone] == [False] * 4
    assert [path.exists() for path in kept] == [True] * 3


def test_what_this_process_left_goes_too_when_there_is_no_room(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first, and no more than is needed; the tools stay."""
    names = ("hf-chunk-new", "hf-plan-old", "hf-chunk-middle", "hyperframes-tools/chromium-1", "somebody-elses")
    paths = [_left(disk, name, age) for name, age in zip(names, (10, 90, 50, 99, 99), strict=True)]
    each = scratch.NEEDED_BYTES // 3

    def usage(_: object) -> SimpleNamespace:
        return SimpleNamespace(free=scratch.NEEDED_BYTES // 2 + each * [path.exists() for path in paths].count(False))

    monkeypatch.setattr("shutil.disk_usage", usage)
    scratch.tidy(started=time.time() - HOUR)
    assert [path.exists() for path in paths] == [True, False, False, True, True]


def test_a_disk_without_room_is_told_before_work_begins(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 * 1024**2))
    with pytest.raises(StorageFull, match="100 MiB left") as caught:
        scratch.tidy()
    assert "chunkSize" in caught.value.resolution


@dataclass(frozen=True)
class Left:
    """A context with so many seconds left, however often it is asked."""

    seconds: float = 900.0

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)


def _stopped(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(RuntimeError) as caught:
        act()
    return type(caught.value).__name__, str(caught.value)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function with less memory than this process has."""
    monkeypatch.setenv(memory.LIMIT_VARIABLE, "16")


def test_a_chunk_stops_by_itself_before_its_memory_is_up(planned: Render, no_memory: None) -> None:
    """The message says how far it came and which setting to change; nothing is left that looks done."""
    code, message = _stopped(lambda: planned.chunk(0, Left()))
    assert code == "CHUNK_MEMORY"
    assert "16 MiB" in message
    assert "LambdaMemoryMb" in message
    assert planned.chunk_names == []


def test_a_plan_stops_by_itself_while_its_page_is_loaded(render: Callable[..., Render]) -> None:
    """A script that does not end: the browser is ended, and the message says where it was and what to change."""
    made = render(page(BOX + "<script>while (true);</script>"))
    event = {"Action": "plan", "ProjectS3Uri": made.project, "PlanOutputS3Prefix": made.folder}
    began = time.monotonic()
    code, message = _stopped(lambda: handler(event, Left(limits.MARGIN_SECONDS + 2)))
    assert code == "WORKER_DEADLINE"
    assert "The page was being made ready 20 s before the time limit." in message
    assert "LambdaTimeoutSec" in message
    assert time.monotonic() - began < 2 + limits.LETTING_GO_SECONDS
    assert storage.listing(f"{made.folder}/plan") == {}


def test_an_assembly_stops_by_itself_while_it_verifies(rendered: Render) -> None:
    """What it waits for is ended; the next invocation is none the worse."""
    rendered.plan()
    event = rendered.event("assemble", OutputS3Uri=rendered.output)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lambda_handler.assemble.join", lambda *_: subprocess.run(["sleep", "60"], check=True))
        code, message = _stopped(lambda: handler(event, Left(limits.MARGIN_SECONDS + 0.5)))
    assert code == "WORKER_DEADLINE"
    assert "30 frames were being joined, and verified, 20 s before the time limit." in message
    assert not storage.exists(rendered.output)
    assert handler(event, Left())["FramesEncoded"] == 30


def test_a_chunk_stops_by_itself_after_its_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has more of the time then, since only the end of it is left."""
    monkeypatch.setattr(limits, "MARGIN_SECONDS", 8.0)
    monkeypatch.setattr(limits, "LAST_MARGIN_SECONDS", 7.0)
    watch = limits.Watch(Left(8.5), chunk=True)

    def role() -> None:
        watch.frames(10, 10)
        subprocess.run(["sleep", "60"], check=True)

    with pytest.raises(ChunkDeadline, match="10 of 10 frames were done 7 s before the time limit"):
        watch.run(role)


@pytest.fixture
def watch() -> limits.Watch:
    """Of a role that has half a second before it has to stop."""
    return limits.Watch(Left(limits.MARGIN_SECONDS + 0.5), chunk=False)


def test_a_role_that_waits_for_no_process_is_left_to_itself(
    watch: limits.Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is told all the same, and the next role is none the worse; when it wakes up, it ends."""
    monkeypatch.setattr(limits, "LETTING_GO_SECONDS", 0.1)
    woken, ended = threading.Event(), threading.Event()

    def role() -> None:
        woken.wait()
        try:
            watch.at("It went on")
        finally:
            ended.set()

    with pytest.raises(WorkerDeadline, match="Nothing was done yet"):
        watch.run(role)
    assert limits.Watch(Left(), chunk=False).run(lambda: "done") == "done"
    woken.set()
    assert ended.wait(5)


def test_what_is_done_just_in_time_counts(watch: limits.Watch) -> None:
    """As long as it does not have to be waited for."""

    def late() -> str:
        time.sleep(1)
        return "done"

    assert watch.run(late) == "done"


def test_a_roles_own_error_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        limits.Watch(Left(), chunk=False).run(lambda: 1 // 0)


def test_processes_that_were_there_before_are_let_alone(watch: limits.Watch) -> None:
    """Only what the role has started is ended."""
    with subprocess.Popen(["sleep", "60"]) as other:
        with pytest.raises(WorkerDeadline):
            watch.run(lambda: subprocess.run(["sleep", "60"], check=True))
        assert other.poll() is None
        other.kill()


def test_without_a_limit_nothing_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.LIMIT_VARIABLE, raising=False)
    assert not memory.is_scarce(0.0)
