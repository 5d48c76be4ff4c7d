"""Stills that chunks put aside: of the right frames, for nothing, and never needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from rendering import GSAP, Render, page, pixels

from lambda_handler import chunk_stills, stills, storage, toolchain
from lambda_handler.render_folder import RenderFolder

STEP = 8
BRIGHTENING = (
    f'<script src="{GSAP}"></script><div id="b" style="position:absolute;inset:0"></div>'
    "<script>const state = {level: 0}, tl = gsap.timeline({paused: true});"
    "const show = () => { const l = Math.round(state.level);"
    "document.getElementById('b').style.background = `rgb(${l},${l},${l})` };"
    f"tl.to(state, {{level: {STEP * 30}, duration: 1, ease: 'none', onUpdate: show}}, 0); show();"
    "window.__timelines = {main: tl};</script>"
)


def _level(jpeg: bytes) -> int:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "mjpeg", "-i", "pipe:0"]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
    return subprocess.run(command, input=jpeg, capture_output=True, check=True).stdout[0]


@pytest.fixture
def brightening(render: Callable[..., Render]) -> Render:
    """Thirty frames in three chunks, each brighter than the one before it."""
    made = render(page(BRIGHTENING, duration="1", no_timeline=""), chunkSize=10)
    made.plan()
    made.chunks()
    return made


STEPWISE = BRIGHTENING.replace("Math.round(state.level)", f"{10 * STEP} * Math.floor(state.level / {10 * STEP} + 1e-6)")


def test_stills_of_a_standstill_are_those_that_it_stands_for(render: Callable[..., Render]) -> None:
    """The encoder is not told of most of its frames, and the chunk has them all the same."""
    made = render(page(STEPWISE, duration="1", no_timeline=""), chunkSize=15)
    made.plan()
    made.chunks()
    folder = RenderFolder(made.folder)
    wanted = [10 * STEP * (index // 10) for index in range(30)]
    stored = [_level(picture) for picture in chunk_stills.stored(made.manifest, folder)]
    assert max(abs(level - wanted[at]) for level, at in zip(stored, stills.sheet_frames(30), strict=True)) <= STEP / 2
    video = made.assemble([*folder.chunk_uris(made.manifest)])
    shown = [frame[0] for frame in pixels(storage.path_of(video["OutputS3Uri"]))]
    assert max(abs(level - want) for level, want in zip(shown, wanted, strict=True)) <= STEP / 2


def _no_decoding(*_: object) -> list[bytes]:
    raise AssertionError("The video was decoded for its stills.")


def test_each_still_is_the_frame_it_stands_for(brightening: Render) -> None:
    """Those of the contact sheet, whichever chunk they are in."""
    pictures = chunk_stills.stored(brightening.manifest, RenderFolder(brightening.folder))
    levels = [_level(picture) for picture in pictures]
    wanted = [STEP * index for index in stills.sheet_frames(30)]
    assert len(levels) == 12
    assert max(abs(level - want) for level, want in zip(levels, wanted, strict=True)) <= STEP / 2 - 1


def test_the_sheet_and_the_poster_are_made_of_them(brightening: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without decoding the video once more."""
    monkeypatch.setattr(stills, "_pixels", _no_decoding)
    folder = RenderFolder(brightening.folder)
    brightening.assemble([*folder.chunk_uris(brightening.manifest)])
    assert storage.read(folder.poster) in chunk_stills.stored(brightening.manifest, folder)
    assert storage.exists(folder.contact_sheet)


def test_a_video_has_its_stills_also_where_a_chunk_has_lost_its_own(brightening: Render) -> None:
    """They are decoded, as those of any other video."""
    folder = RenderFolder(brightening.folder)
    storage.delete(folder.chunk_still(brightening.manifest, 1, 8))
    assert chunk_stills.stored(brightening.manifest, folder) == []
    brightening.assemble([*folder.chunk_uris(brightening.manifest)])
    assert storage.exists(folder.poster)
    assert storage.exists(folder.contact_sheet)


def test_a_chunk_is_the_same_with_and_without_stills(brightening: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte: they are made beside it."""
    beside = storage.read(f"{brightening.folder}/chunks/{brightening.manifest.chunk_name(0)}")
    monkeypatch.setattr(chunk_stills, "wanted", lambda *_: None)
    brightening.chunk(0, ChunkOutputS3Prefix=f"{brightening.folder}/other")
    assert storage.read(f"{brightening.folder}/other/{brightening.manifest.chunk_name(0)}") == beside
