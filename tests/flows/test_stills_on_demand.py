"""Stills on demand: of a video, and of a finished render, here or on a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from prefect_aws import AwsCredentials
from pydantic import SecretStr
from synthetic_media import X264, counting, made
from typer.testing import CliRunner

from flows.cli import app
from flows.stills import make_stills
from lambda_handler.storage import file_uri
from tasks.stack import AwsStack


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A second of video."""
    return made(tmp_path / "out" / "film.mp4", *counting(frames=30), *X264)


def _made(video: Path) -> tuple[Path, Path]:
    return make_stills(file_uri(video), video.parent / "stills", at=None, frames=4, columns=2, width=160)


def _told(render: str | Path, output: Path, *options: object) -> dict[str, Any]:
    """What `stills` says of four frames."""
    command = ["stills", render, "-o", output, "--frames", 4, "--columns", 2, *options, "--json"]
    told: dict[str, Any] = json.loads(CliRunner().invoke(app, [str(each) for each in command]).stdout)
    return told


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


@pytest.mark.parametrize("named", ["FOLDER", "promo-0123456789ab", "promo"])
def test_a_renders_folder_or_name_leads_to_its_video(video: Path, tmp_path: Path, named: str) -> None:
    """By its report, which also tells the rate: the poster of a moment is the same by either way."""
    folder = tmp_path / "root" / "renders" / "promo-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"outputUri": file_uri(video), "fps": "30"}))
    by_render = _told(named.replace("FOLDER", str(folder)), tmp_path / "one", "--root", tmp_path / "root", "--at", 0.5)
    by_video = _told(video, tmp_path / "two", "--at", 0.5)
    for picture in ("poster", "contact_sheet"):
        assert Path(by_render[picture]).read_bytes() == Path(by_video[picture]).read_bytes()
    other = _told(video, tmp_path / "three", "--at", 0.1)
    assert Path(other["poster"]).read_bytes() != Path(by_video["poster"]).read_bytes()


def test_a_render_of_a_stack_is_read_from_its_bucket(
    video: Path, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, and with the stack's credentials: the environment has none."""
    report = json.dumps({"outputUri": f"s3://{bucket}/output/film.mp4", "fps": "30"})
    boto3.client("s3").put_object(Bucket=bucket, Key="renders/promo-0123456789ab/report.json", Body=report)
    boto3.client("s3").upload_file(str(video), bucket, "output/film.mp4")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = AwsCredentials(aws_access_key_id="me", aws_secret_access_key=SecretStr("hush"), region_name="us-east-1")
    stack = AwsStack(bucket=bucket, function="render", credentials=keys)
    monkeypatch.setattr("flows.cli.stacks._saved", {"production": stack}.__getitem__)
    told = _told("promo", tmp_path / "one", "--stack", "production")
    assert Path(told["poster"]).name == "film-poster.jpg"
    assert Path(told["contact_sheet"]).is_file()


def test_what_has_no_stills_is_refused(video: Path, tmp_path: Path) -> None:
    """A missing file, a folder that is no render, a name of none, what is no video, a moment behind the end."""
    (tmp_path / "notes.txt").write_text("no video")
    (tmp_path / "empty").mkdir()
    cases: list[tuple[str | Path, list[object], str, str]] = [
        (tmp_path / "gone.mp4", [], "RENDER_NOT_FOUND", "There is no video"),
        (tmp_path / "empty", [], "RENDER_NOT_FOUND", "nothing in it"),
        ("promo", ["--root", tmp_path], "RENDER_NOT_FOUND", "no render named promo"),
        (tmp_path / "notes.txt", [], "OUTPUT_INVALID", "is no video"),
        (video, ["--at", 1.5], "InvalidConfigError", "lasts 1 s"),
    ]
    for place, options, code, says in cases:
        error = _told(place, tmp_path / "stills", *options)["error"]
        assert (error["code"], says in error["message"]) == (code, True), error
