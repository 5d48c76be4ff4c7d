"""Plan: what it finds out, what it writes, and when it is made again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rendering import BOX, GSAP, Project, Render, page

from lambda_handler import storage, toolchain
from lambda_handler.cut import Speed
from lambda_handler.errors import RenderCancelled
from lambda_handler.handler import handler
from lambda_handler.render_folder import RenderFolder
from lambda_handler.storage import file_uri

SLIDING = (
    f'<script src="{GSAP}"></script>{BOX}<script>const tl = gsap.timeline({{paused: true, repeat: REPEAT}});'
    "tl.to('#box', {x: 100, duration: 0.5}); window.__timelines = {main: tl};</script>"
)


def test_a_plans_result_has_what_the_other_roles_need(planned: Render) -> None:
    """Sizes and counts are the composition's, the locators lead into the render folder."""
    found = planned.planned
    assert (found["Width"], found["Height"], found["Fps"], found["Format"]) == (320, 180, "30", "mp4")
    assert (found["TotalFrames"], found["ChunkCount"]) == (30, 3)
    assert (found["HasAudio"], found["AudioS3Uri"]) == (False, None)
    assert found["PlanV2ManifestS3Uri"] == f"{planned.folder}/plan/manifest.json"
    assert found["PlanV2ArtifactS3Prefix"] == f"{planned.folder}/plan/artifacts"
    assert found["PlanHash"] == planned.manifest.plan_hash
    assert found["FfmpegVersion"] == toolchain.ffmpeg().version
    assert (found["ChunkIndices"], found["MaxParallelChunks"]) == ([0, 1, 2], 3)


def test_a_place_for_the_video_that_is_not_allowed_fails_the_plan(planned: Render) -> None:
    """Before any frame is rendered, not after all of them."""
    event = {"ProjectS3Uri": planned.project, "PlanOutputS3Prefix": planned.folder, "Config": {"fps": 30}}
    with pytest.raises(RuntimeError, match="elsewhere") as caught:
        handler({"Action": "plan", **event, "OutputS3Uri": "file:///elsewhere/video.mp4"})
    assert type(caught.value).__name__ == "S3_URI_NOT_ALLOWED"


def test_a_plan_freezes_every_artifact_under_its_digest(planned: Render) -> None:
    """What lies in the folder is exactly what the manifest names, byte for byte."""
    stored = storage.listing(f"{planned.folder}/plan/artifacts")
    named = {artifact.key: artifact.size_bytes for artifact in planned.manifest.artifacts}
    assert stored == named
    for key in stored:
        data = storage.read(f"{planned.folder}/plan/artifacts/{key}")
        assert hashlib.sha256(data).hexdigest() == key.rpartition("/")[2]
    assert {"index.html", "_hf/runtime.js", "_hf/init.js"} <= {each.path for each in planned.manifest.artifacts}


def test_the_same_request_finds_its_plan(planned: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not made again: not a byte is written, and no browser is started."""
    path = storage.local_path(f"{planned.folder}/plan/manifest.json")
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    monkeypatch.setattr("lambda_handler.plan.launched", None)
    first, second = planned.planned, planned.plan()
    assert {**first, "DurationMs": 0} == {**second, "DurationMs": 0}
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, written)


@pytest.mark.parametrize(("lost", "cut"), [("index.html", False), ("_hf/init.js", False), ("index.html", True)])
def test_artifacts_that_have_expired_are_stored_again(planned: Render, lost: str, cut: bool) -> None:
    """A bucket's lifecycle takes objects one by one; and half of one is none. The manifest stays, the cut too."""
    manifest = storage.local_path(f"{planned.folder}/plan/manifest.json")
    told = json.loads(manifest.read_bytes()) | {"chunks": [[0, 12], [12, 30]]}
    manifest.write_text(planned.manifest.model_validate(told).model_dump_json(by_alias=True))
    before = manifest.read_bytes()
    (artifact,) = (each for each in planned.manifest.artifacts if each.path == lost)
    file = storage.local_path(f"{planned.folder}/plan/artifacts/{artifact.key}")
    content = file.read_bytes()
    if cut:
        file.write_bytes(content[:10])
    else:
        file.unlink()
    assert planned.plan()["ChunkCount"] == 2
    assert (file.read_bytes(), manifest.read_bytes()) == (content, before)
    assert planned.chunk(1)["FramesCaptured"] == 18


def test_another_request_is_planned_again(planned: Render, roots: Path) -> None:
    """A plan is taken for what it was made from, or not at all."""
    first = planned.manifest
    (roots / "project" / "more.txt").write_text("x")
    planned.plan()
    second = planned.manifest
    planned.config = {"fps": 30, "chunkSize": 15}
    planned.plan()
    third = planned.manifest
    assert len({first.request_digest, second.request_digest, third.request_digest}) == 3
    assert "more.txt" in {artifact.path for artifact in second.artifacts}
    assert third.chunks == ((0, 15), (15, 30))


@pytest.mark.parametrize("damaged", ["", "{}", '{"schemaVersion": "prefect-hyperframes-plan-0"}', None])
def test_an_unreadable_manifest_is_made_again(planned: Render, damaged: str | None) -> None:
    """Cut short, of another version, missing: the same plan as before takes its place."""
    path = storage.local_path(f"{planned.folder}/plan/manifest.json")
    before = planned.planned["PlanHash"]
    path.unlink()
    if damaged is not None:
        path.write_text(damaged)
    assert planned.plan()["PlanHash"] == before
    assert planned.manifest.plan_hash == before


def test_the_slicing_is_no_part_of_the_plan_hash(planned: Render) -> None:
    """So that the same frames are the same chunk, however the others are cut."""
    before, name = planned.planned["PlanHash"], planned.manifest.chunk_name(0)
    planned.config = {"fps": 30, "chunkSize": 10, "maxParallelChunks": 8}
    assert planned.plan()["PlanHash"] == before
    assert planned.manifest.chunk_name(0) == name
    planned.config = {"fps": 30, "chunkSize": 15}
    assert planned.plan()["PlanHash"] == before
    assert planned.manifest.chunk_name(0) != name


@pytest.mark.parametrize(
    ("html", "config"),
    [(page(BOX), {}), (page(), {"fps": 25}), (page(), {"crf": 30}), (page(), {"quality": "draft"})],
    ids=["page", "rate", "crf", "preset"],
)
def test_whatever_changes_the_picture_changes_the_plan_hash(
    planned: Render, render: Callable[..., Render], html: str, config: dict[str, Any]
) -> None:
    """Chunks of one are never taken for chunks of the other."""
    other = render(html, folder="other", **({"fps": 30, "chunkSize": 10} | config))
    assert other.plan()["PlanHash"] != planned.planned["PlanHash"]


@pytest.mark.parametrize(("repeat", "frames"), [("0", 15), ("2", 15), ("-1", 15)])
def test_without_a_written_duration_the_timeline_tells_it(
    render: Callable[..., Render], repeat: str, frames: int
) -> None:
    """One round of it, as the page runtime counts: 0.5 s at 30 frames a second."""
    body = SLIDING.replace("REPEAT", repeat)
    assert render(page(body, duration="", no_timeline="")).plan()["TotalFrames"] == frames


@pytest.mark.parametrize(
    ("written", "asked", "rate"),
    [("25", {}, "25"), ("25", {"fps": 50}, "50"), ("", {}, "30"), ("23", {}, "30"), ("30000/1001", {}, "30000/1001")],
)
def test_the_requests_rate_wins_over_the_pages(
    render: Callable[..., Render], written: str, asked: dict[str, int], rate: str
) -> None:
    """A page's rate counts when it is one that can be rendered, and 30 without either."""
    assert render(page(fps=written), **asked).plan()["Fps"] == rate


def test_a_page_that_asks_the_network_is_warned_about(render: Callable[..., Render]) -> None:
    """A refused request is the page's own business, and its author should know of it."""
    made = render(page(f"{BOX}<script>fetch('https://' + 'example.com/data').catch(() => 0)</script>"))
    made.plan()
    assert any("https://example.com/data" in warning for warning in made.manifest.warnings)


def test_a_composition_without_a_timeline_is_warned_about(render: Callable[..., Render]) -> None:
    """It is rendered all the same; data-no-timeline says that it is meant."""
    made = render(page(BOX, no_timeline=""))
    made.plan()
    assert made.manifest.capture.untimed == ("main",)
    assert made.manifest.warnings == ("Composition main registers no timeline.",)


def test_a_folder_and_its_archive_have_the_same_plan(planned: Render, roots: Path) -> None:
    """How a project travelled changes nothing."""
    with tarfile.open(roots / "p.tar.gz", "w:gz") as tar:
        tar.add(roots / "project", ".")
    packed = Render(file_uri(roots / "p.tar.gz"), planned.folder, planned.config)
    path = storage.local_path(f"{planned.folder}/plan/manifest.json")
    before = path.stat().st_mtime_ns
    assert packed.plan()["PlanHash"] == planned.planned["PlanHash"]
    assert path.stat().st_mtime_ns == before


def test_folders_that_are_never_part_of_a_picture_are_not_in_the_plan(
    roots: Path, project: Project, planned: Render
) -> None:
    """Otherwise node_modules would travel to every chunk, and its changes plan again."""
    (roots / "project" / "node_modules").mkdir()
    (roots / "project" / "node_modules" / "junk.js").write_text("x")
    before = planned.manifest
    planned.plan()
    assert planned.manifest == before


def test_the_manifest_is_written_last(planned: Render, roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding it means that the plan is whole: without its artifacts there is none."""
    shutil.rmtree(roots / "render")

    def broken(*given: object) -> None:
        raise ConnectionError("in the middle of it")

    monkeypatch.setattr("lambda_handler.plan.publish", broken)
    with pytest.raises(ConnectionError):
        planned.plan()
    assert [*storage.listing(planned.folder)] == ["request.json"]


def test_a_cancelled_render_is_not_planned(planned: Render, roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two steps, too: here it is cancelled while its page is open."""
    shutil.rmtree(roots / "render")
    folder = RenderFolder(planned.folder)

    def cancelling(*_: object) -> Speed:
        storage.write(folder.cancel, b"")
        return Speed(10.0, False)

    monkeypatch.setattr("lambda_handler.plan.measured", cancelling)
    with pytest.raises(RuntimeError) as caught:
        planned.plan()
    assert type(caught.value).__name__ == RenderCancelled.code
    assert not storage.exists(folder.manifest)


def test_the_manifest_is_plain_json(planned: Render) -> None:
    """Other programs read it: the state machine's, and people."""
    told = json.loads(storage.read(f"{planned.folder}/plan/manifest.json"))
    assert told["chunks"] == [[0, 10], [10, 20], [20, 30]]
    assert told["totalFrames"] == 30
    assert told["schemaVersion"] == "prefect-hyperframes-plan-1"


def test_the_request_says_how_strict_fonts_are(render: Callable[..., Render]) -> None:
    """By default another font than the one named is never drawn; else the plan tells of it."""
    html = page("<p style='font-family: Papyrus'>Text</p>")
    with pytest.raises(RuntimeError, match="Papyrus") as caught:
        render(html).plan()
    assert type(caught.value).__name__ == "SYSTEM_FONT_USED"
    lenient = render(html, rejectOnSystemFonts=False)
    lenient.plan()
    assert [warning for warning in lenient.manifest.warnings if "Papyrus" in warning]
