"""The window that is read is the page's: what a screenshot shows, to the bit, or no window at all."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compositions import MOVING, SHADER_TRANSITION
from rendering import Render, page
from showing import Shows

from lambda_handler import storage, toolchain
from lambda_handler.browser import launched
from lambda_handler.errors import BrowserFailed
from lambda_handler.page import session, tab, window

MOVED = (
    '<div style="position:absolute;left:20px;top:20px;width:80px;height:60px;background:linear-gradient(#f40,#04f);'
    'animation:go 1s linear both"></div><style>@keyframes go{to{transform:translate(90px,70px) rotate(50deg)}}</style>'
)


def _decoded(png: bytes) -> bytes:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "png_pipe", "-i", "pipe:0"]
    command += ["-f", "rawvideo", "-pix_fmt", "bgra", "pipe:1"]
    return subprocess.run(command, input=png, capture_output=True, check=True).stdout


def _opaque(pixels: bytes) -> bytes:
    blank = bytearray(pixels)
    blank[3::4] = b"\xff" * (len(pixels) // 4)
    return bytes(blank)


@pytest.mark.parametrize("name", [*MOVING, "shader transition"])
def test_the_window_has_the_pixels_of_a_screenshot(shows: Shows, name: str) -> None:
    """Whatever moves in it, in any order."""
    moving = {**MOVING, "shader transition": SHADER_TRANSITION}[name]
    with shows(moving.html, moving.files) as shown:
        pictures = set()
        for seconds in (0, 0.5, 0.1, 0.3):
            shown.page.seek(seconds)
            pictures.add(pixels := _opaque(shown.page.picture("bgra")))
            assert pixels == _opaque(_decoded(shown.png(seconds)))
    assert len(pictures) > 1, "a picture in which nothing moves proves nothing"


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(64, 64, 1), (322, 182, 1), (180, 320, 3), (1080, 1920, 1), (3840, 2160, 1)]
)
def test_a_window_of_any_size_is_found(width: int, height: int, scale: int) -> None:
    """Small ones lie among other blocks of memory; and again for a second page of the same browser."""
    size = {"width": width, "height": height, "scale": scale}
    with launched(toolchain.chromium(), width, height, scale) as browser:
        for _ in range(2):
            with tab.opened(browser, **size) as blank, window.reading(blank, width * scale, height * scale) as found:
                assert found
                assert len(found.pixels()) == width * height * scale**2 * 4


def test_a_window_that_lies_elsewhere_is_noticed(shows: Shows) -> None:
    """After the chunk's last picture: had it moved, they would be of something else."""
    with shows(MOVING["css"].html, MOVING["css"].files) as shown:
        shown.page.picture("bgra")
        shown.page.check_window()
    with shows(MOVING["css"].html, MOVING["css"].files) as shown:
        assert shown.page._window
        shown.page._window._address += 4096
        with pytest.raises(BrowserFailed, match="not where it was"):
            shown.page.check_window()


def test_a_window_whose_process_has_died_is_a_failure_of_the_browser(tmp_path: Path) -> None:
    """Not a picture of nothing; the chunk is rendered again by another one."""
    with (
        launched(toolchain.chromium(), 320, 180) as browser,
        tab.opened(browser, width=320, height=180) as blank,
        window.reading(blank, 320, 180) as found,
    ):
        assert found
        for process in browser.call("SystemInfo.getProcessInfo")["processInfo"]:
            if process["type"] == "GPU":
                os.kill(process["id"], signal.SIGKILL)
        browser.hear_until(lambda: False, 0.2)
        with pytest.raises(BrowserFailed, match="cannot be read"):
            found.pixels()


@pytest.mark.parametrize("output", ["webm", "png-sequence"])
def test_no_window_is_looked_for_where_pictures_are_screenshots_anyway(
    render: Callable[..., Render], monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """It would cost each page 40 ms, and four times that in 4K."""

    def looked(*_: object) -> None:
        raise AssertionError("A window was looked for.")

    monkeypatch.setattr(session, "reading", looked)
    made = render(page(MOVED, no_timeline=""), format=output)
    made.plan()
    assert made.manifest.capture.pictures == "png"
    assert made.chunk(0)["FramesEncoded"] == made.manifest.chunks[0][1]


@contextmanager
def _unread(_: object, width: int, height: int) -> Iterator[None]:
    yield


def test_a_worker_that_may_not_read_the_window_renders_the_same_chunk(
    render: Callable[..., Render], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a plan by one that may: with lossless screenshots."""
    chunks: list[bytes] = []
    made = render(page(MOVED, no_timeline=""))
    made.plan()
    assert made.manifest.capture.pictures == "bgra"
    for reading in (window.reading, _unread):
        monkeypatch.setattr(session, "reading", reading)
        made.chunk(0, ChunkOutputS3Prefix=f"{made.folder}/{len(chunks)}")
        chunks.append(storage.read(f"{made.folder}/{len(chunks)}/{made.manifest.chunk_name(0)}"))
    assert chunks[0] == chunks[1]


@pytest.mark.parametrize(("output", "pictures"), [("mp4", "jpeg"), ("gif", "png")])
def test_a_plan_where_no_window_can_be_read_asks_for_screenshots(
    render: Callable[..., Render], monkeypatch: pytest.MonkeyPatch, output: str, pictures: str
) -> None:
    """Lossless ones for what loses nothing."""
    monkeypatch.setattr(session, "reading", _unread)
    made = render(page(MOVED, no_timeline=""), format=output)
    made.plan()
    assert made.manifest.capture.pictures == pictures
    assert made.chunk(0)["FramesEncoded"] == made.manifest.chunks[0][1]
