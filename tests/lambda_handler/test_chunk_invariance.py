"""The same frame is the same picture, to the bit, however the video is cut and whatever was drawn before."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rendering import GSAP, page
from showing import compiled

from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.capture import frames
from lambda_handler.compile.page import init_script
from lambda_handler.formats import PictureKind
from lambda_handler.grid import FrameRange, frame_time
from lambda_handler.page.session import CompositionPage, opened
from lambda_handler.site import stage
from lambda_handler.toolchain import CHECKOUT

FPS = Fraction(30)
# Beginnings of the windows that are compared. 136 to 147 and 211 to 216 are where what Chromium keeps from frame to
# frame would show, were the page not hidden before each picture.
EXAMPLES = {"quarterly-metrics": (24, 136, 143), "product-teaser": (34, 130, 211), "orbit": (25, 88, 175)}
WINDOW = 5


_compiled = cache(compiled)


@contextmanager
def _pages(project: Path, count: int, *, transparent: bool = False, scale: int = 1) -> Iterator[list[CompositionPage]]:
    """Pages at the project's composition, each in a context of its own, none moved yet."""
    flat = _compiled(project)
    size = {"width": flat.width, "height": flat.height, "scale": scale}
    script = init_script(float(FPS))
    with (
        TemporaryDirectory() as scratch,
        launched(toolchain.chromium(), flat.width, flat.height, scale) as browser,
        ExitStack() as stack,
    ):
        site = stage(flat.files, Path(scratch))
        ready = []
        for _ in range(count):
            ready.append(stack.enter_context(opened(browser, site, script, **size, fps=float(FPS))))
            ready[-1].make_ready(())
            if transparent:
                ready[-1].clear_background()
        yield ready


def _in_order(composition: CompositionPage, which: FrameRange, kind: PictureKind = "bgra") -> dict[int, bytes]:
    return {frame.index: frame.picture for frame in frames(composition, which, FPS, kind)}


def _jumping(composition: CompositionPage, order: Sequence[int]) -> dict[int, bytes]:
    pictures = {}
    for index in order:
        composition.seek(frame_time(index, FPS))
        pictures[index] = composition.picture("bgra")
    return pictures


def _differing(one: dict[int, bytes], other: dict[int, bytes]) -> list[int]:
    return sorted(index for index in one.keys() & other.keys() if one[index] != other[index])


@pytest.mark.parametrize(("example", "starts"), EXAMPLES.items(), ids=EXAMPLES)
def test_an_examples_frames_do_not_depend_on_what_was_drawn_before(example: str, starts: tuple[int, int, int]) -> None:
    """A run into a window, a fresh page that begins there, and frames visited in any order give the same bytes."""
    windows = [FrameRange(start, start + WINDOW) for start in starts]
    with _pages(CHECKOUT / "examples" / example, 3) as (chunked, jumping, late):
        expected: dict[int, bytes] = {}
        for window in windows:
            expected |= _in_order(chunked, window)
        order = [index for window in windows for index in range(window.start, window.end)]
        random.Random(7).shuffle(order)
        assert _differing(expected, _jumping(jumping, order)) == []
        # From the end back into the middle, and to the very beginning.
        back = {**_in_order(late, windows[2]), **_in_order(late, windows[1]), **_in_order(late, windows[0])}
        assert _differing(expected, back) == []
        assert len(set(expected.values())) > WINDOW, "windows in which nothing moves prove nothing"


TINY = (
    f'<script src="{GSAP}"></script>'
    "<style>@keyframes turn { to { transform: rotate(200deg) } }"
    ".t { position: absolute; left: 40px; top: 30px; width: 60px; height: 60px; background: #27c;"
    "animation: turn 0.8s linear both }"
    ".g { position: absolute; left: 130px; top: 110px; font: 26px Inter; color: #111; opacity: 0 }"
    ".s { position: absolute; left: 200px; top: 20px; width: 50px; height: 50px; border-radius: 25px;"
    "background: linear-gradient(45deg, #e33, #3e3); font: 19px/50px Inter; will-change: transform }</style>"
    '<div class="t" data-start="0"></div><div class="g">Fade <i>in</i></div><div class="s">zoom</div>'
    '<canvas id="noise" width="32" height="32" style="position:absolute;right:0;bottom:0"></canvas>'
    "<script>const tl = gsap.timeline({paused: true});"
    "tl.to('.g', {opacity: 1, duration: 0.2, rotation: 7}, 0).to('.g', {x: 20.3, duration: 0.3}, 0.2);"
    "tl.to('.g', {opacity: 0.3, y: 20, duration: 0.2}, 0.6);"
    "tl.to('.s', {scale: 2.3, x: -30.7, duration: 0.7, ease: 'power2.inOut'}, 0.1);"
    "window.__timelines = {main: tl};"
    "const context = document.getElementById('noise').getContext('2d');"
    "const draw = () => { for (let i = 0; i < 1024; i++) {"
    "context.fillStyle = Math.random() < 0.5 ? '#000' : '#fff'; context.fillRect(i % 32, i >> 5, 1, 1) }"
    "requestAnimationFrame(draw) }; draw();</script>"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSS animation, GSAP tweens over each other, text, random noise: 24 frames."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "index.html").write_text(page(TINY, duration="0.8", no_timeline=""))
    return folder


@pytest.fixture(scope="module")
def in_one_piece(tiny: Path) -> dict[int, bytes]:
    """All frames of it, from the first to the last."""
    with _pages(tiny, 1) as (composition,):
        return _in_order(composition, FrameRange(0, 24))


@pytest.mark.parametrize("chunks", [2, 4, 8])
def test_every_cut_gives_the_same_frames(tiny: Path, in_one_piece: dict[int, bytes], chunks: int) -> None:
    """Each chunk on a page of its own, as its worker has it."""
    length = 24 // chunks
    pictures: dict[int, bytes] = {}
    with _pages(tiny, chunks) as pages:
        for number, composition in enumerate(pages):
            pictures |= _in_order(composition, FrameRange(number * length, (number + 1) * length))
    assert sorted(pictures) == list(range(24))
    assert _differing(in_one_piece, pictures) == []


def test_every_order_gives_the_same_frames(tiny: Path, in_one_piece: dict[int, bytes]) -> None:
    """Backwards, shuffled, and each twice in a row."""
    backwards = list(range(23, -1, -1))
    shuffled = random.Random(3).sample(range(24), 24)
    with _pages(tiny, 1) as (composition,):
        for order in (backwards, shuffled, [index for index in shuffled for _ in range(2)]):
            assert _differing(in_one_piece, _jumping(composition, order)) == []
    assert len(set(in_one_piece.values())) == 24


@pytest.mark.parametrize(("kind", "transparent", "scale"), [("png", True, 1), ("jpeg", False, 1), ("bgra", False, 2)])
def test_the_cut_does_not_show_in_other_modes(tiny: Path, kind: PictureKind, transparent: bool, scale: int) -> None:
    """With alpha, as JPEG, and twice as many pixels each way: one, two and four chunks give the same bytes."""
    with _pages(tiny, 7, transparent=transparent, scale=scale) as pages:
        whole = _in_order(pages.pop(), FrameRange(0, 24), kind)
        for chunks in (2, 4):
            length = 24 // chunks
            pictures: dict[int, bytes] = {}
            for number in range(chunks):
                pictures |= _in_order(pages.pop(), FrameRange(number * length, (number + 1) * length), kind)
            assert sorted(pictures) == list(range(24))
            assert _differing(whole, pictures) == []
    assert len(set(whole.values())) == 24
