"""Whole renders of videos that burn their own frame numbers: what stands at each frame of the output is read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import Render, pixels
from synthetic_media import number, shown

from lambda_handler import storage

Videos = Callable[..., Render]
Box = tuple[int, int, int, int]
BOX = (80, 45)


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
        'src="v30.mp4" data-media-start="0.35"': list(range(10, 40)),
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


def test_a_video_that_a_script_moves_keeps_its_frame(videos: Videos) -> None:
    """Wherever it is moved to, in every frame, also while it holds its last one."""
    body, (box,) = _placed('id="moved" src="short.mp4" data-start="0" data-duration="1" muted')
    script = (
        "<div id='one'></div><div id='two'></div><script>addEventListener('hf-seek', ({detail}) => {"
        "const place = document.getElementById(Math.round(detail.time * 30) % 2 ? 'one' : 'two');"
        "place.appendChild(document.getElementById('moved')); });</script>"
    )
    assert _numbers(_pictures(videos(body + script, chunkSize=20)), box) == [min(n, 16) for n in range(30)]


def test_frames_of_a_video_travel_as_the_request_says(videos: Videos) -> None:
    """PNG loses nothing of them; JPEG would lose alpha, and is refused by name."""
    body, (box,) = _placed('src="v30.mp4" data-start="0" muted')
    asked = videos(body, seconds=0.1, videoFrameFormat="png")
    assert _numbers(_pictures(asked), box) == [0, 1, 2]
    (clip,) = asked.manifest.videos
    table = next(each for each in asked.manifest.artifacts if each.path == clip.table)
    assert json.loads(storage.read(f"{asked.folder}/plan/artifacts/{table.key}"))["alpha"] is True


def test_frames_with_alpha_are_not_made_jpeg(videos: Videos) -> None:
    """While planning."""
    body, _ = _placed('src="alpha9.webm" data-start="0" muted')
    with pytest.raises(RuntimeError, match=r"videoFrameFormat is jpg, and alpha9\.webm has alpha") as caught:
        videos(body, seconds=0.1, videoFrameFormat="jpg").plan()
    assert type(caught.value).__name__ == "InvalidConfigError"
