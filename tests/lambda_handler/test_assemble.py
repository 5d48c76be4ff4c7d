"""Assemble: the chunks in their order become one verified video."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from rendering import Render, described, page, pixels

from lambda_handler import storage, toolchain
from lambda_handler.errors import RenderCancelled
from lambda_handler.handler import handler
from lambda_handler.media import video_stream
from lambda_handler.profile import STAGES
from lambda_handler.render_folder import RenderFolder
from lambda_handler.storage import local_path


def _uris(render: Render) -> list[str]:
    return [f"{render.folder}/chunks/{name}" for name in render.chunk_names]


def _refused(render: Render, code: str, uris: list[str]) -> str:
    """Expects the code, and that nothing was published."""
    with pytest.raises(RuntimeError) as caught:
        render.assemble(uris)
    assert type(caught.value).__name__ == code, str(caught.value)
    assert not storage.exists(render.output)
    assert not storage.exists(f"{render.folder}/report.json")
    return str(caught.value)


def test_the_video_has_every_frame_of_every_chunk_in_order(rendered: Render) -> None:
    """Joined by stream copy: what is decoded is what the chunks decode to."""
    told = rendered.assemble(_uris(rendered))
    video = local_path(rendered.output)
    assert told["FramesEncoded"] == 30
    assert told["FileSize"] == video.stat().st_size
    assert pixels(video) == [frame for uri in _uris(rendered) for frame in pixels(local_path(uri))]
    assert len(set(pixels(video))) == 30


def test_without_a_list_the_chunks_are_those_of_the_render_folder(rendered: Render) -> None:
    """In the plan's order: the same video."""
    rendered.assemble(_uris(rendered))
    listed = storage.read(rendered.output)
    told = handler(rendered.event("assemble", OutputS3Uri=rendered.output))
    assert told["FramesEncoded"] == 30
    assert storage.read(rendered.output) == listed


def test_the_report_says_what_was_verified(rendered: Render) -> None:
    """Digest and size are the published object's."""
    rendered.assemble(_uris(rendered))
    report = json.loads(storage.read(f"{rendered.folder}/report.json"))
    video = local_path(rendered.output)
    assert report["sha256"] == toolchain.sha256_of(video)
    assert report["sizeBytes"] == video.stat().st_size
    assert (report["frames"], report["fps"], report["durationSeconds"]) == (30, "30", 1.0)
    assert [(each["startFrame"], each["endFrame"]) for each in report["chunks"]] == [(0, 10), (10, 20), (20, 30)]
    assert (report["seamsChecked"], report["outputUri"]) == (2, rendered.output)
    assert report["planHash"] == rendered.planned["PlanHash"]


def test_the_report_says_where_the_time_went(rendered: Render) -> None:
    """All chunks together, those that tell it."""
    told = [json.loads(storage.read(f"{rendered.folder}/progress/{index}.json"))["profileMs"] for index in range(3)]
    rendered.assemble(_uris(rendered))
    spent = json.loads(storage.read(f"{rendered.folder}/report.json"))["profileMs"]
    assert spent == {stage: sum(each[stage] for each in told) for stage in STAGES}
    assert spent["draw"] > 0


def test_assembling_again_gives_the_same_bytes(rendered: Render) -> None:
    """Writing twice is harmless."""
    rendered.assemble(_uris(rendered))
    first = storage.read(rendered.output)
    rendered.assemble(_uris(rendered))
    assert storage.read(rendered.output) == first


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda uris: uris[::-1], "0002-"),
        (lambda uris: [uris[0], uris[2], uris[1]], "stands where"),
        (lambda uris: uris[:2], "2 of 3"),
        (lambda uris: [*uris, uris[2]], "4 of 3"),
        (lambda uris: [uris[0], uris[0], uris[2]], "0000-"),
        (lambda uris: [uris[0].replace("0000-", "0000-x"), *uris[1:]], "0000-x"),
    ],
    ids=["reversed", "swapped", "too few", "too many", "twice", "unknown"],
)
def test_other_chunks_than_the_plans_in_their_order_are_refused(
    rendered: Render, change: Callable[[list[str]], list[str]], told: str
) -> None:
    """Scenes in the wrong order would make a perfectly playable video."""
    assert told in _refused(rendered, "InvalidConfigError", change(_uris(rendered)))


def test_a_cancelled_render_has_no_video(rendered: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is cancelled while its chunks are joined."""
    folder = RenderFolder(rendered.folder)
    monkeypatch.setattr("lambda_handler.assemble._made", lambda *_: storage.write(folder.cancel, b""))
    with pytest.raises(RuntimeError) as caught:
        handler(rendered.event("assemble", OutputS3Uri=rendered.output))
    assert type(caught.value).__name__ == RenderCancelled.code
    assert not storage.exists(rendered.output)


def test_a_missing_chunk_is_named(rendered: Render) -> None:
    """Trying again may help: somebody may be rendering it."""
    uris = _uris(rendered)
    storage.delete(uris[1])
    assert uris[1] in _refused(rendered, "CHUNK_INVALID", uris)


def test_a_damaged_chunk_is_refused(rendered: Render) -> None:
    """One that cannot be read, and one of the wrong length under the right name."""
    uris = _uris(rendered)
    path, other = local_path(uris[1]), local_path(uris[2])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "Chunk 1" in _refused(rendered, "CHUNK_INVALID", uris)
    path.write_bytes(b"")
    assert "Chunk 1" in _refused(rendered, "CHUNK_INVALID", uris)
    path.write_bytes(whole)
    shorter = Render(rendered.project, f"{rendered.folder}-5", {"fps": 30, "chunkSize": 5})
    shorter.plan()
    other.write_bytes(local_path(shorter.chunk(0)["ChunkS3Uri"]).read_bytes())
    assert "has 5 frames, not 10" in _refused(rendered, "CHUNK_INVALID", uris)


def test_an_event_for_another_plan_is_refused(rendered: Render) -> None:
    """Its chunks are another video's."""
    with pytest.raises(RuntimeError) as caught:
        rendered.assemble(_uris(rendered), PlanHash="0" * 64)
    assert type(caught.value).__name__ == "PLAN_HASH_MISMATCH"


def test_a_video_may_not_be_put_outside_the_roots(rendered: Render) -> None:
    """Refused before the chunks are fetched."""
    with pytest.raises(RuntimeError, match=r"file:///etc/video\.mp4") as caught:
        rendered.assemble(_uris(rendered), OutputS3Uri="file:///etc/video.mp4")
    assert type(caught.value).__name__ == "S3_URI_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("rate", "duration", "frames"), [("30", "0.5", 15), ("30000/1001", "0.5", 15), ("24000/1001", "0.75", 18)]
)
def test_the_video_has_its_exact_rate_and_its_frames(
    render: Callable[..., Render], rate: str, duration: str, frames: int
) -> None:
    """Every frame stands at index / rate, also behind a seam, and NTSC rates are no approximations."""
    made = render(page(duration=duration), fps=rate, chunkSize=-(-frames // 2))
    made.whole()
    stream = video_stream(toolchain.ffmpeg(), local_path(made.output), decode=True)
    assert len(stream.packets) == frames
    assert stream.keeps_rate(Fraction(rate))
    assert sum(packet.key for packet in stream.packets) == 2


def test_the_video_starts_to_play_before_it_is_loaded(rendered: Render) -> None:
    """Its index stands before its pictures, and it is tagged BT.709, limited range."""
    rendered.assemble(_uris(rendered))
    video = local_path(rendered.output)
    data = video.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert "yuv420p(tv, bt709" in described(video)


def test_nothing_of_the_machine_gets_into_the_video(rendered: Render, tmp_path: Path) -> None:
    """No path, no time of making: the same render is the same file everywhere."""
    rendered.assemble(_uris(rendered))
    data = storage.read(rendered.output)
    assert str(tmp_path).encode() not in data
    assert b"Lavf" not in data
    assert "creation_time" not in described(local_path(rendered.output))
