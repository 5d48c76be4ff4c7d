"""Whole renders of videos that burn their own frame numbers: what stands at each frame of the output is read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import Render, page, pixels
from synthetic_media import counting, made, number, shown

from lambda_handler import storage
from lambda_handler.storage import file_uri

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "20", "-b:v", "0"]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M", "-auto-alt-ref", "0"]
UNEVEN = "setpts=(N+floor(N/7)*3+mod(N\\,3)*0.4)/30/TB"
# Transparent in its left half.
HALF = "format=yuva444p,geq=lum=lum(X\\,Y):cb=128:cr=128:a=if(lt(X\\,W/2)\\,0\\,255)"
Videos = Callable[..., Render]
Box = tuple[int, int, int, int]
BOX = (80, 45)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counting videos of many kinds."""
    folder = tmp_path_factory.mktemp("media")
    size = (160, 90)
    made(folder / "v30.mp4", *counting(frames=75, size=size), *X264)
    made(folder / "v24.mp4", *counting(frames=30, fps="24", size=size), *X264)
    made(folder / "v60.webm", *counting(frames=60, fps="60", size=size), *VP9, "-g", "25")
    made(folder / "ntsc.mp4", *counting(frames=60, fps="30000/1001", size=size), *X264)
    made(folder / "vfr.mp4", *counting(frames=40, filters=UNEVEN, size=size), "-fps_mode", "vfr", *X264)
    made(folder / "short.mp4", *counting(frames=17, size=size), *X264)
    made(folder / "odd.webm", *counting(frames=5, size=(161, 91)), *VP8)
    made(folder / "yuv444.mp4", *counting(frames=60, size=(161, 91), filters="format=yuv444p"), *X264)
    made(folder / "ten.mov", *counting(frames=30, size=size), "-c:v", "prores_ks", "-pix_fmt", "yuv422p10le")
    made(folder / "late.mp4", "-ss", "0.27", "-i", str(folder / "v30.mp4"), "-c", "copy")
    for name, arguments in {"alpha9.webm": VP9, "alpha8.webm": VP8}.items():
        made(folder / name, *counting(frames=10, size=size, filters=HALF), "-pix_fmt", "yuva420p", *arguments)
    prores = ["-pix_fmt", "yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"]
    made(folder / "alpha.mov", *counting(frames=10, size=size, filters=HALF), *prores)
    return folder


@pytest.fixture
def videos(roots: Path, media: Path) -> Videos:
    """A render of a page beside the media it names."""

    def rendered(body: str, *, seconds: float = 1, files: dict[str, str] | None = None, **config: object) -> Render:
        project = roots / "project"
        project.mkdir()
        for name, text in {"index.html": page(body, duration=str(seconds)), **(files or {})}.items():
            (project / name).write_text(text)
        for file in media.iterdir():
            (project / file.name).write_bytes(file.read_bytes())
        return Render(file_uri(project), file_uri(roots / "render"), config)

    return rendered


def _placed(*videos: str) -> tuple[str, list[Box]]:
    """Videos of 80 x 45 px in rows of four, from the attributes of each; and their boxes."""
    boxes = [((at % 4) * BOX[0], (at // 4) * BOX[1], *BOX) for at in range(len(videos))]
    style = "position:absolute;object-fit:fill;left:{0}px;top:{1}px;width:{2}px;height:{3}px"
    pairs = zip(videos, boxes, strict=True)
    return "".join(f'<video {each} style="{style.format(*box)}"></video>' for each, box in pairs), boxes


def _pictures(render: Render) -> list[bytes]:
    render.whole()
    return pixels(storage.local_path(render.output))


def _numbers(pictures: list[bytes], box: Box) -> list[int | None]:
    return [number(picture, box) for picture in pictures]


def test_each_output_frame_shows_the_source_frame_of_its_moment(videos: Videos, media: Path) -> None:
    """Starts, media starts, rates, loops, the last frame held, other rates, and every kind of source at once."""
    cases: dict[str, list[int | None]] = {
        'src="v30.mp4" data-start="0.3" data-duration="0.4"': [None] * 9 + list(range(12)) + [None] * 9,
        'src="v30.mp4" data-media-start="0.35"': [11, *range(11, 40)],
        'src="v60.webm" data-playback-rate="0.5"': [shown(media / "v60.webm", fps="30")[n // 2] for n in range(30)],
        'src="v30.mp4" data-playback-rate="3" data-duration="1"': [min(3 * n, 74) for n in range(30)],
        'src="short.mp4" data-duration="1" loop data-media-start="0.2" data-playback-rate="1.5"': [
            6 + int(n * 1.5) % 11 for n in range(30)
        ],
        'src="short.mp4" data-duration="1"': [min(n, 16) for n in range(30)],
        'src="v24.mp4"': [*shown(media / "v24.mp4", fps="30")],
        'src="v60.webm"': [*shown(media / "v60.webm", fps="30")],
        'src="ntsc.mp4" data-media-start="0.1"': [*shown(media / "ntsc.mp4", fps="30", start=0.1)],
        'src="vfr.mp4"': [*shown(media / "vfr.mp4", fps="30")],
        'src="yuv444.mp4" data-media-start="1.5" data-duration="1"': [min(45 + n, 59) for n in range(30)],
        'src="ten.mov"': list(range(30)),
    }
    body, boxes = _placed(*cases)
    pictures = _pictures(videos(body))
    found = {name: _numbers(pictures, box) for name, box in zip(cases, boxes, strict=True)}
    assert found == cases
