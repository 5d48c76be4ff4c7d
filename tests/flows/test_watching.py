"""Progress, report, cost and cancel from a render's folder alone."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from io import StringIO
from itertools import count
from pathlib import Path

import boto3
import pytest
from rendering import Render
from rich.console import Console
from simulated_worker import Worker
from typer.testing import CliRunner

from flows import console
from flows.cli import app, watching
from flows.console import RenderBar
from flows.prefect_server import PrefectApi
from flows.status import State, status
from lambda_handler import storage
from lambda_handler.errors import StorageUnavailable
from lambda_handler.events import PlanEvent, parse, parse_config, to_wire
from lambda_handler.plan import record_request
from lambda_handler.render_folder import RenderFolder


def _told(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    told: dict[str, object] = json.loads(done.stdout)
    return told


def _progress(folder: RenderFolder, chunk: int, done: int, *, ago: float = 0) -> None:
    told = {"framesDone": done, "framesTotal": 10, "writtenAt": time.time() - ago}
    storage.write(folder.progress(chunk), json.dumps(told).encode())


def test_frames_of_chunks_that_are_there_and_that_are_at_work_count(rendered: Render) -> None:
    """Two chunks of ten frames are there, and four frames of the third are done."""
    folder = RenderFolder(rendered.folder)
    storage.delete(f"{folder.chunks}/{rendered.chunk_names[2]}")
    _progress(folder, 2, 4)
    told = _told("progress", rendered.folder)
    assert (told["state"], told["frames_done"], told["frames"]) == ("rendering", 24, 30)
    assert (told["chunks_done"], told["chunks"], told["chunks_running"]) == (2, 3, [2])


def test_a_render_that_nobody_works_at_is_stopped(rendered: Render) -> None:
    """No worker has written for a minute."""
    folder = RenderFolder(rendered.folder)
    storage.delete(f"{folder.chunks}/{rendered.chunk_names[2]}")
    for chunk in range(3):
        _progress(folder, chunk, 10 if chunk < 2 else 4, ago=90)
    assert status(folder).state is State.STOPPED


def test_a_finished_render_is_told_with_what_was_verified(rendered: Render) -> None:
    """The report, as assemble left it; on a machine it cost nothing."""
    rendered.assemble([f"{rendered.folder}/chunks/{name}" for name in rendered.chunk_names])
    assert _told("progress", rendered.folder)["state"] == "finished"
    assert _told("report", rendered.folder)["frames"] == 30
    assert _told("cost", rendered.folder) == {"cost": None}
    people = CliRunner().invoke(app, ["report", rendered.folder]).stdout
    assert "320 × 180 px, 30 frames/s, mp4" in people
    assert "3, 2 seams checked" in people


def test_cancel_stops_a_render_once(planned: Render) -> None:
    """The folder says so, and what was before is told; a finished render is not cancelled."""
    folder = RenderFolder(planned.folder)
    assert _told("cancel", planned.folder) == {"folder": planned.folder, "before": "rendering"}
    assert storage.exists(folder.cancel)
    assert _told("progress", planned.folder)["state"] == "cancelled"
    storage.delete(folder.cancel)
    planned.assemble(planned.chunks())
    assert _told("cancel", planned.folder)["before"] == "finished"
    assert not storage.exists(folder.cancel)


def test_watching_ends_when_the_render_is_over(planned: Render) -> None:
    """An object of JSON for each look; the last one says how it ended."""
    folder = RenderFolder(planned.folder)
    threading.Timer(1.5, lambda: storage.write(folder.cancel, b"")).start()
    looks = CliRunner().invoke(app, ["progress", planned.folder, "--watch", "--json"]).stdout.splitlines()
    assert [json.loads(looks[0])["state"], json.loads(looks[-1])["state"]] == ["rendering", "cancelled"]


def _at_work(roots: Path, monkeypatch: pytest.MonkeyPatch, refused: int) -> RenderFolder:
    """A render of three chunks, of which one is finished, in a store that does not answer that often in a row."""
    folder = RenderFolder(storage.file_uri(roots / "one"))
    plan = to_wire(parse({"Action": "plan", "ProjectS3Uri": folder.prefix, "PlanOutputS3Prefix": folder.prefix}))
    Worker(chunks=3)(plan)
    _progress(folder, 0, 10)
    _progress(folder, 1, 4)
    objects, looks = storage.objects, count()

    def listed(prefix: str) -> dict[str, storage.Stored]:
        if prefix.endswith("/progress") and 1 <= next(looks) <= refused:
            raise StorageUnavailable(f"{prefix}: just now")
        return objects(prefix)

    monkeypatch.setattr(storage, "objects", listed)
    return folder


def test_a_store_that_does_not_answer_for_a_moment_does_not_end_watching(
    roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in place of the look; the next one finds the render again. What is finished is read once."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    folder = _at_work(roots, monkeypatch, refused=2)
    read, asked = storage.read, Counter[str]()

    def counted(uri: str) -> bytes:
        asked[uri] += 1
        if uri == folder.progress(1) and asked[uri] == 3:
            storage.write(folder.cancel, b"")
        return read(uri)

    monkeypatch.setattr(storage, "read", counted)
    done = CliRunner().invoke(app, ["progress", folder.prefix, "--watch", "--json"])
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [look["error"]["code"] if "error" in look else look["state"] for look in looks] == [
        "rendering", "STORAGE_UNAVAILABLE", "STORAGE_UNAVAILABLE", "rendering", "rendering", "cancelled",
    ]  # fmt: skip
    assert done.exit_code == 0
    assert (asked[folder.progress(0)], asked[folder.progress(1)]) == (1, 4)


def test_a_bar_goes_on_when_the_folder_can_be_read_again(roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so meanwhile, and ends with the frames that are done."""
    monkeypatch.setattr(console, "LOOK_SECONDS", 0.1)
    folder = _at_work(roots, monkeypatch, refused=3)
    drawn = Console(file=StringIO(), force_terminal=True, width=200)
    with RenderBar(folder, drawn):
        time.sleep(1)
    told = drawn.file.getvalue()  # type: ignore[attr-defined]
    assert "not readable just now" in told
    assert "14/30 frames" in told.rpartition("not readable just now")[2]


@pytest.mark.parametrize("name", ["promo-0123456789ab", "promo"])
def test_a_render_is_found_by_its_name(rendered: Render, tmp_path: Path, name: str) -> None:
    """Below the root, with its digest or without."""
    (tmp_path / "root" / "renders").mkdir(parents=True)
    storage.path_of(rendered.folder).rename(tmp_path / "root" / "renders" / "promo-0123456789ab")
    assert _told("progress", name, "--root", str(tmp_path / "root"))["chunks_done"] == 3


def test_two_renders_of_one_name_are_told_apart_by_their_digests(tmp_path: Path) -> None:
    """Both are named, and neither is chosen."""
    for digest in ("0123456789ab", "ba9876543210"):
        (tmp_path / "renders" / f"promo-{digest}" / "plan").mkdir(parents=True)
        (tmp_path / "renders" / f"promo-{digest}" / "plan" / "x").touch()
    error = _told("progress", "promo", "--root", str(tmp_path))["error"]
    assert "promo-0123456789ab, promo-ba9876543210" in str(error)


@pytest.mark.parametrize(("inside", "says"), [([], "nothing in it"), (["notes.txt"], "no plan")])
def test_another_folder_is_refused(tmp_path: Path, inside: list[str], says: str) -> None:
    """By a typed error, and cancel writes nothing into it."""
    for name in inside:
        (tmp_path / name).touch()
    for command in ("progress", "report", "cost", "cancel"):
        done = CliRunner().invoke(app, [command, str(tmp_path), "--json"])
        error = json.loads(done.stdout)["error"]
        assert (done.exit_code, error["code"]) == (1, "RENDER_NOT_FOUND")
        assert says in error["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == inside


def test_a_render_in_s3_that_nobody_here_started_is_told_too(rendered: Render, bucket: str) -> None:
    """The same folder in a bucket."""
    source = storage.path_of(rendered.folder)
    for path in source.rglob("*"):
        if path.is_file():
            key = f"renders/promo/{path.relative_to(source)}"
            boto3.client("s3").upload_file(str(path), bucket, key)
    told = _told("progress", f"s3://{bucket}/renders/promo/")
    assert (told["folder"], told["frames_done"]) == (f"s3://{bucket}/renders/promo", 30)


def test_a_render_is_resumed_from_its_folder(api: PrefectApi, planned: Render) -> None:
    """Of three chunks one is there: the other two are rendered, and the video goes where it was asked for."""
    planned.chunk(1)
    output = f"{planned.folder}/out/video.mp4"
    event = PlanEvent(
        action="plan",
        project_s3_uri=planned.project,
        plan_output_s3_prefix=planned.folder,
        output_s3_uri=output,
        config=parse_config(planned.config),
    )
    record_request(event)
    told = _told("resume", planned.folder)
    assert (told["output"], told["chunks_found"], told["chunks"]) == (output, 1, 3)
    assert storage.exists(output)
