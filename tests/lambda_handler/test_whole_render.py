"""Whole renders through the handler: pictures as they were drawn, the same bytes wherever they are made."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from compositions import WEBGPU
from rendering import BOX, GSAP, MOVING, WIDTH, Render, page, pixels

from lambda_handler import storage
from lambda_handler.storage import file_uri, local_path

COLOURS = {
    "#ff0000": (255, 0, 0),
    "#00ff00": (0, 255, 0),
    "#0000ff": (0, 0, 255),
    "#ffffff": (255, 255, 255),
    "#808080": (128, 128, 128),
    "#000000": (0, 0, 0),
    "#ffcc00": (255, 204, 0),
    "#123456": (18, 52, 86),
}
JUMPING = (
    f"{BOX}<script>addEventListener('hf-seek', ({{detail}}) => {{"
    "document.getElementById('box').style.left = detail.time < 0.5 ? '0px' : '200px'; });</script>"
)
CANVAS = (
    '<canvas id="box" width="320" height="180"></canvas>'
    "<script>addEventListener('hf-seek', ({detail}) => {"
    "const context = document.getElementById('box').getContext('2d');"
    "context.fillStyle = detail.time < 0.5 ? '#f00' : '#00f'; context.fillRect(0, 0, 320, 180); });</script>"
)
WEBGL = (
    '<canvas id="box" width="320" height="180"></canvas>'
    "<script>const gl = document.getElementById('box').getContext('webgl');"
    "addEventListener('hf-seek', ({detail}) => { gl.clearColor(detail.time < 0.5 ? 1 : 0, 0, "
    "detail.time < 0.5 ? 0 : 1, 1); gl.clear(gl.COLOR_BUFFER_BIT); });</script>"
)


def _apart(one: bytes, other: bytes) -> int:
    """The largest difference between two pictures, in levels."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_colours_survive(render: Callable[..., Render]) -> None:
    """Flat blocks decode to what the page says, within the rounding of 8-bit BT.709."""
    blocks = "".join(
        f'<div style="position:absolute;width:80px;height:90px;left:{80 * (index % 4)}px;'
        f'top:{90 * (index // 4)}px;background:{colour}"></div>'
        for index, colour in enumerate(COLOURS)
    )
    made = render(page(blocks, duration="0.2"))
    made.whole()
    frame = pixels(local_path(made.output))[0]
    for index, (colour, wanted) in enumerate(COLOURS.items()):
        x, y = 80 * (index % 4) + 40, 90 * (index // 4) + 45
        found = tuple(frame[(y * 320 + x) * 3 :][:3])
        assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 2, f"{colour} became {found}"


def test_a_still_composition_is_captured_a_few_times_only(render: Callable[..., Render]) -> None:
    """And every frame of the video shows it: the encoder may refine it by a few levels."""
    made = render(page(BOX), chunkSize=30)
    made.plan()
    told = made.chunk(0)
    frames = pixels(local_path(told["ChunkS3Uri"]))
    assert told["FramesEncoded"] == len(frames) == 30
    assert 1 <= told["FramesCaptured"] <= 3
    assert all(_apart(frames[0], frame) <= 6 for frame in frames)


@pytest.mark.parametrize("body", [JUMPING, CANVAS, WEBGL], ids=["element", "canvas", "webgl"])
def test_a_change_after_a_still_stretch_is_seen(render: Callable[..., Render], body: str) -> None:
    """Fifteen frames of the one, fifteen of the other; what draws anew each time is captured each time."""
    made = render(page(body), chunkSize=30)
    made.plan()
    told = made.chunk(0)
    frames = pixels(local_path(told["ChunkS3Uri"]))
    assert told["FramesCaptured"] == 30 if "canvas" in body else told["FramesCaptured"] <= 6
    assert all(_apart(frames[0], frame) <= 8 for frame in frames[:15])
    assert all(_apart(frames[15], frame) <= 8 for frame in frames[15:])
    assert _apart(frames[14], frames[15]) > 100


def test_each_frame_shows_its_own_moment(render: Callable[..., Render]) -> None:
    """The box stands 200 px further each second: its left edge tells the frame's time."""
    made = render(page(MOVING, duration="0.5"))
    made.whole()
    for index, frame in enumerate(pixels(local_path(made.output))):
        row = frame[90 * 320 * 3 : 91 * 320 * 3]
        red = [x for x in range(320) if row[3 * x] > 180 and row[3 * x + 1] < 120]
        assert abs(red[0] - round(index / 30 * 200)) <= 1


def test_a_gsap_timeline_drives_the_picture(render: Callable[..., Render]) -> None:
    """The bundled library, with no network: half of the way at half of the time."""
    script = "const tl = gsap.timeline({paused: true}); tl.to('#box', {x: 240, duration: 1, ease: 'none'});"
    body = f'<script src="{GSAP}"></script>{BOX}<script>{script} window.__timelines = {{main: tl}};</script>'
    made = render(page(body, no_timeline=""))
    made.whole()
    row = pixels(local_path(made.output))[15][90 * 320 * 3 : 91 * 320 * 3]
    red = [x for x in range(320) if row[3 * x] > 180 and row[3 * x + 1] < 120]
    assert abs(red[0] - 120) <= 1
    assert abs(len(red) - 40) <= 2


def test_two_renders_of_the_same_have_the_same_bytes(rendered: Render, roots: Path) -> None:
    """Elsewhere, under another name, from a copy: the same plan, the same chunks, the same video."""
    shutil.copytree(roots / "project", roots / "a copy of it")
    other = Render(file_uri(roots / "a copy of it"), file_uri(roots / "elsewhere" / "ü"), rendered.config)
    assert other.whole() == rendered.whole()
    assert other.planned["PlanHash"] == rendered.planned["PlanHash"]
    assert other.chunk_names == rendered.chunk_names


def test_a_render_in_s3_is_the_same_as_on_disk(rendered: Render, roots: Path, bucket: str) -> None:
    """The project's archive, the render folder and the video in a bucket: same plan hash, same bytes."""
    with tarfile.open(roots / "p.tar.gz", "w:gz") as tar:
        tar.add(roots / "project", ".")
    storage.upload(roots / "p.tar.gz", f"s3://{bucket}/projects/p.tar.gz")
    remote = Render(f"s3://{bucket}/projects/p.tar.gz", f"s3://{bucket}/renders/1", rendered.config)
    video = remote.whole()
    assert remote.planned["PlanHash"] == rendered.planned["PlanHash"]
    assert hashlib.sha256(video).hexdigest() == hashlib.sha256(rendered.whole()).hexdigest()
    assert remote.chunk_names == rendered.chunk_names
    assert remote.plan()["PlanHash"] == rendered.planned["PlanHash"]
    assert remote.chunk(0)["FramesCaptured"] == 0


def test_a_lost_chunk_is_the_only_one_rendered_again(rendered: Render) -> None:
    """Resuming is asking for everything again: what is there is found."""
    whole = rendered.whole()
    names = rendered.chunk_names
    storage.delete(f"{rendered.folder}/chunks/{names[1]}")
    assert [rendered.chunk(index)["FramesCaptured"] for index in range(3)] == [0, 10, 0]
    assert rendered.chunk_names == names
    assert rendered.whole() == whole


@pytest.mark.parametrize("config", [{"quality": "draft"}, {"quality": "high"}, {"crf": 35}, {"bitrate": "300k"}])
def test_every_way_to_choose_the_quality_gives_a_whole_video(
    render: Callable[..., Render], config: dict[str, object]
) -> None:
    """Presets, a constant rate factor, a bitrate."""
    made = render(page(duration="0.4"), **config)
    made.whole()
    assert len(pixels(local_path(made.output))) == 12


def test_webgpu_is_drawn_by_swiftshader(render: Callable[..., Render], tmp_path: Path) -> None:
    """In every chunk: what a page marks with data-requires-webgpu gets another browser."""
    job = render(WEBGPU.html, fps=30, chunkSize=6)
    (tmp_path / "video.mp4").write_bytes(job.whole())
    assert job.manifest.capture.webgpu
    frames = pixels(tmp_path / "video.mp4")
    assert len(frames) == 12
    for index in (3, 9):
        row = frames[index][90 * WIDTH * 3 : 91 * WIDTH * 3]
        red = [x for x in range(WIDTH) if row[x * 3] > 200 and row[x * 3 + 1] < 100]
        assert red[0] == pytest.approx(200 * index / 30, abs=2)
        assert len(red) == pytest.approx(40, abs=2)
