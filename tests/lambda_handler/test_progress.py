"""What is read of a render's progress, look after look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_handler import storage
from lambda_handler.progress import ProgressReader
from lambda_handler.render_folder import RenderFolder


@pytest.fixture
def folder(roots: Path) -> RenderFolder:
    """An empty render folder."""
    return RenderFolder(storage.file_uri(roots / "one"))


def _write(folder: RenderFolder, chunk: int, done: int, at: float) -> None:
    told = {"framesDone": done, "framesTotal": 10, "writtenAt": at}
    storage.write(folder.progress(chunk), json.dumps(told).encode())


def test_an_attempt_that_begins_anew_is_told_as_it_is_and_no_frame_is_taken_back(folder: RenderFolder) -> None:
    """When it wrote and how far it is belong together; what people are shown does not go backwards."""
    reader = ProgressReader(folder)
    _write(folder, 0, 7, 100)
    _write(folder, 1, 10, 100)
    reader.read()
    _write(folder, 0, 1, 160)
    told = reader.read()[0]
    assert (told.done, told.written) == (1, 160)
    assert (reader.frames_done, reader.chunks_done) == (17, 1)
    _write(folder, 0, 9, 170)
    reader.read()
    assert reader.frames_done == 19


def test_what_is_finished_is_read_again_only_when_it_was_written_again(
    folder: RenderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand chunks are read once each; one that is rendered again, since it was lost, is seen at work."""
    reader = ProgressReader(folder)
    _write(folder, 0, 10, 100)
    _write(folder, 1, 3, 100)
    reader.read()
    asked, read = [], storage.read
    monkeypatch.setattr(storage, "read", lambda uri: asked.append(uri) or read(uri))  # type: ignore[func-returns-value]
    reader.read()
    assert asked == [folder.progress(1)]
    _write(folder, 0, 0, 200)
    assert not reader.read()[0].finished


def test_progress_that_is_taken_away_meanwhile_is_no_error(
    folder: RenderFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the listing and the reading."""
    _write(folder, 0, 3, 100)
    _write(folder, 1, 3, 100)
    objects = storage.objects

    def listed(prefix: str) -> dict[str, storage.Stored]:
        found = objects(prefix)
        storage.delete(folder.progress(1))
        return found

    monkeypatch.setattr(storage, "objects", listed)
    assert list(ProgressReader(folder).read()) == [0]
