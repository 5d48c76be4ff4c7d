"""Chunks of a render with videos: the same frames however they are cut, and only the sources that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rendering import Render, pixels
from synthetic_media import number

from lambda_handler import capture, storage, toolchain
from lambda_handler.browser import launched
from lambda_handler.errors import FeatureNotSupported, RenderError, VideoSourceUnrenderable
from lambda_handler.grid import FrameRange
from lambda_handler.page.session import CompositionPage, opened
from lambda_handler.site import INIT_SCRIPT, materialise
from lambda_handler.video.player import playing

Videos = Callable[..., Render]
FRAMES = 24
RAMP = '{"version": 1, "lanes": [{"target": "rate", "points": [{"t": 0, "v": 1}, {"t": 1, "v": 2}]}]}'
BODY = (
    '<video src="v30.mp4" data-media-start="0.5" style="position:absolute;left:0;top:0;width:160px"></video>'
    '<video src="short.mp4" loop data-duration="1" data-playback-rate="1.7"'
    ' style="position:absolute;left:160px;top:0;width:160px;transform:rotate(3deg)"></video>'
    '<video src="v60.webm" style="position:absolute;left:0;top:90px;width:160px;opacity:0.9"></video>'
    '<video src="alpha8.webm" data-duration="1" style="position:absolute;left:160px;top:90px;width:160px"></video>'
    '<img src="uneven.gif" style="position:absolute;left:110px;top:60px;width:100px;opacity:0.8">'
    '<div style="position:absolute;left:0;top:160px;width:40px;height:20px;background:url(endless.gif)"></div>'
)


@contextmanager
def _pages(render: Render, count: int) -> Iterator[list[CompositionPage]]:
    """Pages at the planned composition with its videos, each as a chunk's worker has it."""
    manifest, clips = render.manifest, render.manifest.videos
    size = {"width": manifest.width, "height": manifest.height, "scale": 1}
    with TemporaryDirectory() as scratch, launched(toolchain.chromium(), manifest.width, manifest.height) as browser:
        files = materialise(manifest.artifacts, f"{render.folder}/plan/artifacts", Path(scratch))
        script = files[INIT_SCRIPT].read_text("utf-8")

        @contextmanager
        def following(left: int) -> Iterator[list[CompositionPage]]:
            if not left:
                yield []
                return
            with (
                opened(browser, files, script, **size, fps=float(manifest.rate)) as page,
                playing(toolchain.ffmpeg(), clips, files, manifest.rate) as player,
            ):
                page.make_ready(())
                page.show(player)
                with following(left - 1) as others:
                    yield [page, *others]

        with following(count) as pages:
            yield pages


def _captured(pages: list[CompositionPage], render: Render) -> dict[int, bytes]:
    length = FRAMES // len(pages)
    pictures = {}
    for at, page in enumerate(pages):
        which = FrameRange(at * length, (at + 1) * length)
        for frame in capture.frames(page, which, render.manifest.rate, "bgra"):
            pictures[frame.index] = frame.picture
    return pictures


def test_every_cut_gives_the_same_frames(videos: Videos) -> None:
    """To the bit: 1, 2, 4 and 8 chunks, and the same page backwards."""
    render = videos(BODY, seconds=FRAMES / 30)
    render.plan()
    with _pages(render, 8) as pages:
        whole = _captured(pages[:1], render)
        assert len(whole) == len(set(whole.values())) == FRAMES
        for count in (2, 4, 8):
            cut = _captured(pages[-count:], render)
            assert [index for index in whole if whole[index] != cut[index]] == [], f"{count} chunks"
        backwards = {}
        for index in reversed(range(FRAMES)):
            pages[3].seek(index / 30)
            backwards[index] = pages[3].picture("bgra")
        assert backwards == whole


def test_a_chunk_fetches_only_the_sources_that_it_shows(videos: Videos) -> None:
    """The file that the other chunk shows may be gone; nothing but the page goes to all."""
    style = 'style="position:absolute;left:0;top:0;width:320px;height:180px"'
    body = (
        f'<video src="v30.mp4" data-start="0" data-duration="0.3" {style}></video>'
        f'<video src="short.mp4" data-start="0.5" data-duration="0.5" {style}></video>'
    )
    render = videos(body, chunkSize=12)
    render.plan()
    manifest = render.manifest
    needed = [{each.path for each in manifest.needed(FrameRange(*chunk))} for chunk in manifest.chunks]
    assert [{"v30.mp4", "short.mp4"} & paths for paths in needed] == [{"v30.mp4"}, {"short.mp4"}, {"short.mp4"}]
    (other,) = (each for each in manifest.artifacts if each.path == "short.mp4")
    storage.delete(f"{render.folder}/plan/artifacts/{other.key}")
    shown = pixels(storage.local_path(str(render.chunk(0)["ChunkS3Uri"])))
    assert [number(picture) for picture in shown] == [*range(9), None, None, None]
    with pytest.raises(RuntimeError, match=r"short\.mp4"):
        render.chunk(1)


def test_a_still_video_is_not_captured_again(videos: Videos) -> None:
    """And one that changes is: a frame held for a second, then the next clip."""
    style = 'style="position:absolute;left:0;top:0;width:320px;height:180px"'
    body = (
        f'<video src="alpha8.webm" data-duration="0.5" data-playback-rate="0.1" {style}></video>'
        f'<video src="v30.mp4" data-start="0.5" data-playback-rate="0.5" {style}></video>'
    )
    render = videos(body)
    render.plan()
    told = render.chunk(0)
    shown = [number(picture) for picture in pixels(storage.local_path(str(told["ChunkS3Uri"])))]
    assert shown[15:] == [n // 2 for n in range(15)]
    assert told["FramesCaptured"] < 30


@pytest.mark.parametrize(
    ("video", "error", "says"),
    [
        ('<video id="v" src="short.mp4" data-media-start="3"></video>', VideoSourceUnrenderable, ("v", "3 s", "0.567")),
        ('<video id="v" src="sound.wav"></video>', VideoSourceUnrenderable, ("v", "sound.wav", "no pictures")),
        ('<video id="v" src="broken.mp4"></video>', VideoSourceUnrenderable, ("broken.mp4",)),
        (f"<video id='v' src='short.mp4' data-automation='{RAMP}'></video>", FeatureNotSupported, ("v", "speed")),
    ],
    ids=["beyond the end", "sound only", "damaged", "changing speed"],
)
def test_a_video_that_cannot_be_shown_fails_the_plan(
    videos: Videos, media: Path, tmp_path: Path, video: str, error: type[RenderError], says: tuple[str, ...]
) -> None:
    """It is never left blank, and no chunk is started."""
    render = videos(video)
    whole = (media / "short.mp4").read_bytes()
    head = whole.index(b"mdat") + 4
    (tmp_path / "project" / "broken.mp4").write_bytes(
        whole[:head] + bytes(2000) + whole[head + 2000 :] if len(whole) > head + 2000 else whole[:head]
    )
    with pytest.raises(RuntimeError) as caught:
        render.plan()
    assert type(caught.value).__name__ == error.code
    assert all(part in str(caught.value) for part in says), str(caught.value)
    assert [*storage.listing(render.folder)] == ["request.json"]
