"""Stills on demand: of a video, and of the folder of a finished render."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic_media import X264, counting, made

from flows.stills import make_stills
from lambda_handler.errors import InvalidConfig, OutputInvalid, ProjectNotFound, RenderError
from lambda_handler.storage import file_uri


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A second of video."""
    return made(tmp_path / "out" / "film.mp4", *counting(frames=30), *X264)


def _made(render: Path, at: float | None = None) -> tuple[Path, Path]:
    return make_stills(str(render), render.parent / "stills", at=at, frames=4, columns=2, width=160)


def test_a_video_gets_a_poster_and_a_sheet_beside_each_other(video: Path) -> None:
    """Named after it, JPEG, the same every time."""
    poster, sheet = _made(video)
    assert (poster.name, sheet.name) == ("film-poster.jpg", "film-contact-sheet.jpg")
    first = poster.read_bytes(), sheet.read_bytes()
    assert all(picture.startswith(b"\xff\xd8") for picture in first)
    _made(video)
    assert (poster.read_bytes(), sheet.read_bytes()) == first


def test_stills_keep_the_whole_name_of_their_video(video: Path) -> None:
    """Blanks as they are, and dots too: promo.v1 and promo.v2 do not overwrite each other's."""
    for name in ("promo.v1.mp4", "my film.mp4"):
        video = video.rename(video.with_name(name))
        assert _made(video)[0].name == f"{name.removesuffix('.mp4')}-poster.jpg"


def test_a_renders_folder_leads_to_its_video(video: Path, tmp_path: Path) -> None:
    """By its report, which also tells the rate: the poster of a moment is the same by either way."""
    folder = tmp_path / "render"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"outputUri": file_uri(video), "fps": "30"}))
    by_folder = make_stills(str(folder), tmp_path / "one", at=0.5, frames=4, columns=2, width=None)
    by_video = make_stills(str(video), tmp_path / "two", at=0.5, frames=4, columns=2, width=None)
    assert [path.read_bytes() for path in by_folder] == [path.read_bytes() for path in by_video]
    other = make_stills(str(video), tmp_path / "three", at=0.1, frames=4, columns=2, width=None)
    assert other[0].read_bytes() != by_video[0].read_bytes()


def test_what_has_no_stills_is_refused(video: Path, tmp_path: Path) -> None:
    """A missing file, a folder that is no finished render, what is no video, a moment behind the end."""
    (tmp_path / "notes.txt").write_text("no video")
    (tmp_path / "empty").mkdir()
    cases: list[tuple[Path, float | None, type[RenderError], str]] = [
        (tmp_path / "gone.mp4", None, ProjectNotFound, "There is no video"),
        (tmp_path / "empty", None, ProjectNotFound, "no report.json"),
        (tmp_path / "notes.txt", None, OutputInvalid, "is no video"),
        (video, 1.5, InvalidConfig, "lasts 1 s"),
    ]
    for place, at, error, told in cases:
        with pytest.raises(error, match=told):
            _made(place, at)
