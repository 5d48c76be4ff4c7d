"""What a worker does before the platform would stop it: tidies its disk, watches its memory."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rendering import Render

from lambda_handler import handler, memory, scratch
from lambda_handler.errors import StorageFull

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
    gone = [_left(disk, name, HOUR) for name in ("hf-chunk-abc", "hf-plan-abc", "playwright_chromiumdev_profile-x")]
    gone.append(_left(disk, "hyperframes-tools/unpacking-abc", HOUR))
    kept = [_left(disk, "hf-chunk-mine", 0), _left(disk, "hyperframes-tools/chromium-1", HOUR)]
    kept.append(_left(disk, "somebody-elses", HOUR))
    scratch.tidy(started=time.time() - HOUR / 2)
    assert [path.exists() for path in gone] == [False] * 4
    assert [path.exists() for path in kept] == [True] * 3


def test_a_disk_without_room_is_told_before_work_begins(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 * 1024**2))
    with pytest.raises(StorageFull, match="100 MiB left") as caught:
        scratch.tidy()
    assert "EphemeralStorage" in caught.value.resolution


class Generous:
    """A context with all the time there is."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def test_a_chunk_stops_by_itself_before_its_memory_is_up(planned: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how far it came and which setting to change; nothing is left that looks done."""
    monkeypatch.setattr(handler, "MEMORY_LOOK_SECONDS", 0.0)
    monkeypatch.setenv(memory.LIMIT_VARIABLE, "64")
    with pytest.raises(RuntimeError) as caught:
        planned.chunk(0, Generous())
    assert type(caught.value).__name__ == "CHUNK_MEMORY"
    assert "of 10 frames" in str(caught.value)
    assert "64 MiB" in str(caught.value)
    assert "LambdaMemoryMb" in str(caught.value)
    assert planned.chunk_names == []


def test_without_a_limit_nothing_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.LIMIT_VARIABLE, raising=False)
    assert not memory.is_scarce(0.0)
