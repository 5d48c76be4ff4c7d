"""Animated images: which frame stands when, read back from the output; and that they stay images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rendering import WIDTH, Render, pixels
from synthetic_media import number

from lambda_handler import storage
from lambda_handler.compile.animated import animated_images

Videos = Callable[..., Render]
FRAMES = 40
BOX = (80, 45)


def test_each_output_frame_shows_the_image_of_its_moment(videos: Videos) -> None:
    """Loops for ever, a number of times or not at all, as the file or data-loop says; uneven frames; a late start."""
    once = [min(n // 3, 4) for n in range(FRAMES)]
    endless = [n // 3 % 5 for n in range(FRAMES)]
    twice = [4 if n >= 30 else n // 3 % 5 for n in range(FRAMES)]
    # 0.1, 0.1, 0.3 and 0.1 s.
    uneven = [0] * 3 + [1] * 3 + [2] * 9 + [3] * 3
    cases: dict[str, list[int | None]] = {
        'src="endless.gif"': [*endless],
        'src="endless.gif" data-loop="false"': [*once],
        'src="twice.gif"': [*twice],
        'src="once.gif"': [*once],
        'src="once.gif" data-loop': [*endless],
        'src="uneven.gif"': [uneven[n % 18] for n in range(FRAMES)],
        'src="endless.gif" data-start="0.2"': [None] * 6 + endless[: FRAMES - 6],
        'src="endless.gif" data-start="0.2" data-duration="0.5"': [None] * 6 + endless[:15] + [None] * (FRAMES - 21),
        'src="endless.png"': [*endless],
        'src="twice.png"': [*twice],
        'src="endless.webp"': [*endless],
        'src="endless.avif"': [*endless],
    }
    boxes = [((at % 4) * BOX[0], (at // 4) * BOX[1], *BOX) for at in range(len(cases) + 3)]
    place = 'style="position:absolute;left:{0}px;top:{1}px"'.format
    # What selects them selects them still, by whatever they are.
    selected = ", ".join(f'img[src$=".{kind}"]' for kind in ("gif", "png", "webp", "avif"))
    style = f"<style>{selected} {{ width: {BOX[0]}px }}</style>"
    images = [f"<img {case} {place(*box)}>" for case, box in zip(cases, boxes, strict=False)]
    kinds = zip(("webp", "avif"), boxes[-3:-1], strict=True)
    stills = [f'<img src="still.{kind}" {place(*box)}>' for kind, box in kinds]
    behind = place(*boxes[-1]).replace('px"', 'px;width:80px;height:45px;background:url(endless.gif) 0 0 / 80px 45px"')
    render = videos(style + "".join(images + stills) + f"<div {behind}></div>", seconds=FRAMES / 30, chunkSize=28)
    render.whole()
    pictures = pixels(storage.local_path(render.output))
    found = {case: [number(picture, box) for picture in pictures] for case, box in zip(cases, boxes, strict=False)}
    assert found == cases
    for left, top, *_ in boxes[-3:-1]:
        middle = ((top + 20) * WIDTH + left + 40) * 3
        assert all(picture[middle] > 240 and picture[middle + 1] < 15 for picture in pictures), "a still image"
    assert {number(picture, boxes[-1]) for picture in pictures} == {0}, "a background stands still"


def test_moving_images_are_told_from_still_ones(media: Path) -> None:
    """By what is in the file; a GIF may move."""
    files: dict[str, Path | bytes] = {path.name: path for path in media.iterdir()}
    files |= {"a.gif": b"GIF89a", "b.PNG": b"\x89PNG..IHDR..IDAT", "c.txt": b"acTL"}
    found = set(animated_images(files))
    assert {"endless.gif", "once.gif", "endless.png", "twice.png", "endless.webp", "endless.avif", "a.gif"} <= found
    assert not {"still.webp", "still.avif", "b.PNG", "c.txt", "v30.mp4"} & found
