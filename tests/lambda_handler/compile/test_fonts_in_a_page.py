"""What text measures in the real page: the family that is meant, in its true weights, from whatever kind of file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from rendering import page
from showing import composed

from lambda_handler import toolchain
from lambda_handler.browser_fonts import unpacked
from lambda_handler.compile.font_families import ALIASES
from lambda_handler.devtools import Devtools
from lambda_handler.page.session import CompositionPage

TEXT = "Hamburgefonts 0123"
FONTSOURCE = toolchain.node_modules() / "@fontsource"
NAMES = {
    "inter": "Inter",
    "montserrat": "Montserrat",
    "league-gothic": "League Gothic",
    "roboto": "Roboto",
    "noto-sans-jp": "Noto Sans JP",
    "jetbrains-mono": "JetBrains Mono",
    "eb-garamond": "EB Garamond",
}


Opened = Callable[..., AbstractContextManager[CompositionPage]]


@pytest.fixture
def composition(browser: Devtools, tmp_path: Path) -> Opened:
    """Opens a compiled composition, made ready, of a project with these files."""

    @contextmanager
    def opening(html: str, **files: str | bytes) -> Iterator[CompositionPage]:
        with composed(browser, tmp_path, html, files) as (flat, ready):
            assert flat.warnings == ()
            ready.make_ready(())
            yield ready

    return opening


def _widths(ready: CompositionPage) -> dict[str, float]:
    """The width in px of every element with an id that begins with `w-`, by the rest of its id."""
    measured = "[...document.querySelectorAll('[id^=w-]')].map(e => [e.id.slice(2), e.getBoundingClientRect().width])"
    return dict(ready._evaluate(f"() => {measured}"))


def _sample(name: str, style: str, text: str = TEXT) -> str:
    return f'<span id="w-{name}" style="position:absolute;white-space:nowrap;font-size:40px;{style}">{text}</span>'


def test_text_in_every_alias_measures_what_its_stand_in_does(composition: Opened) -> None:
    """In regular and in bold: that is what "the same metrics" means."""
    families = {family: family for family in (*ALIASES, *NAMES.values())}
    samples = "".join(
        _sample(f"{family} {weight}", f"font-family:'{family}',serif;font-weight:{weight}")
        for family in families
        for weight in (400, 700)
    )
    with composition(page(samples)) as ready:
        width = _widths(ready)
    assert len({width[f"{name} 400"] for name in NAMES.values()}) == len(NAMES)
    for alias, package in ALIASES.items():
        for weight in (400, 700):
            assert width[f"{alias} {weight}"] == width[f"{NAMES[package]} {weight}"], (alias, weight)


def test_every_weight_is_a_true_one(composition: Opened) -> None:
    """From the bundle, whichever of them the page's link asks for: each is wider than the lighter one."""
    samples = "".join(
        _sample(f"{weight}", f"font-family:Arial;font-weight:{weight}") for weight in range(100, 1000, 100)
    )
    with composition(page(samples)) as ready:
        width = _widths(ready)
    assert all(width[f"{weight}"] < width[f"{weight + 100}"] for weight in range(300, 900, 100))
    assert len(set(width.values())) == 9


def test_project_fonts_of_every_kind_are_drawn(composition: Opened) -> None:
    """WOFF2, WOFF, TTF and OTF; in a style element, a linked sheet, a mounted file's own folder."""
    files = FONTSOURCE / "press-start-2p" / "files"
    woff = (files / "press-start-2p-latin-400-normal.woff").read_bytes()
    woff2 = (files / "press-start-2p-latin-400-normal.woff2").read_bytes()
    mounted = (
        '<template><div data-composition-id="card" data-width="320" data-height="180" data-no-timeline>'
        "<style>@font-face { font-family: D; src: url('fonts/d.otf') format('opentype') }</style>"
        f"{_sample('D', 'font-family:D')}</div></template>"
    )
    html = page(
        "".join(_sample(name, f"font-family:{name}") for name in "ABC")
        + _sample("reference", "font-family:'Press Start 2P'")
        + _sample("other", "font-family:Inter")
        + '<div data-composition-id="card" data-composition-src="cards/card.html" data-start="0"></div>',
        head="<style>@font-face { font-family: A; src: url(a.woff2) }</style><link rel='stylesheet' href='css/b.css'>",
    )
    sheet = (
        "@font-face { font-family: B; src: url('../fonts/b.eot'); src: local('B'), url('../fonts/b.woff') format(woff)}"
        "@font-face { font-family: C; src: url(c.ttf) format('truetype') }"
    )
    assets: dict[str, str | bytes] = {
        "a.woff2": woff2,
        "fonts/b.woff": woff,
        "css/c.ttf": unpacked(woff),
        "cards/fonts/d.otf": unpacked(woff),
        "css/b.css": sheet,
        "cards/card.html": mounted,
    }
    with composition(html, **assets) as ready:
        width = _widths(ready)
    assert {width[name] for name in "ABCD"} == {width["reference"]}
    assert width["other"] < width["reference"] * 0.7


def test_what_a_rule_says_of_its_font_holds(composition: Opened) -> None:
    """Its scale, the characters it is for, and a font that a script brings."""
    woff2 = (FONTSOURCE / "press-start-2p" / "files" / "press-start-2p-latin-400-normal.woff2").read_bytes()
    html = page(
        _sample("whole", "font-family:W")
        + _sample("half", "font-family:H")
        + _sample("digits", "font-family:N,Inter", "0123")
        + _sample("letters", "font-family:N,Inter", "Hamburg")
        + _sample("inter", "font-family:Inter", "Hamburg")
        + _sample("script", "font-family:S")
        + "<script>document.fonts.add(new FontFace('S', 'url(a.woff2)')); document.fonts.load('40px S');</script>",
        head="<style>@font-face { font-family: W; src: url(a.woff2); font-display: optional }"
        "@font-face { font-family: H; src: url(a.woff2); size-adjust: 50% }"
        "@font-face { font-family: N; src: url(a.woff2); unicode-range: U+30-39 }</style>",
    )
    with composition(html, **{"a.woff2": woff2}) as ready:
        width = _widths(ready)
    assert width["whole"] == width["script"] == 40 * len(TEXT)
    assert width["half"] == pytest.approx(width["whole"] / 2)
    assert width["digits"] == 160
    assert width["letters"] == width["inter"]


def test_a_variable_fonts_axes_are_drawn(composition: Opened) -> None:
    """By weight, by stretch, and by the setting of an axis that has no property."""
    html = page(
        "".join(_sample(f"{weight}", f"font-family:'Roboto Flex';font-weight:{weight}") for weight in (100, 450, 1000))
        + _sample("narrow", "font-family:'Roboto Flex';font-stretch:50%")
        + _sample("wide", "font-family:'Roboto Flex';font-variation-settings:'XTRA' 600"),
        head="<link rel='stylesheet' href='https://fonts.googleapis.com/css2?family=Roboto+Flex:"
        "opsz,wdth,wght@8..144,25..151,100..1000&display=block'>",
    )
    with composition(html) as ready:
        width = _widths(ready)
    assert all(less < more for less, more in pairwise((width["narrow"], width["100"], width["450"], width["1000"])))
    assert width["wide"] > width["450"]


def test_figures_are_of_equal_width_where_it_is_asked_for(composition: Opened) -> None:
    """`font-variant-numeric` finds its feature in the bundled fonts."""
    samples = "".join(
        _sample(f"{figure}{variant[:1]}", f"font-family:Inter;font-variant-numeric:{variant}", figure * 6)
        for figure in ["1", "0"]
        for variant in ("normal", "tabular-nums")
    )
    with composition(page(samples)) as ready:
        width = _widths(ready)
    assert width["1n"] < width["0n"]
    assert width["1t"] == width["0t"]


INK = """([text, weight]) => {
  const context = Object.assign(document.createElement("canvas"), { width: 240, height: 60 }).getContext("2d");
  context.font = `${weight} 40px ${getComputedStyle(document.getElementById("w-text")).fontFamily}`;
  context.fillText(text, 4, 45);
  return context.getImageData(0, 0, 240, 60).data.reduce((sum, value) => sum + value, 0);
}"""


@pytest.mark.parametrize(
    ("text", "family"), [("漢字かな", "Inter"), ("한국어", "'Space Mono'"), ("עברית", "Lato, serif"), ("ไทย", "Arial")]
)
def test_other_scripts_have_true_weights_too(composition: Opened, text: str, family: str) -> None:
    """A stack ends with the font of the page's script: a browser finds one by itself, but only its regular."""
    with composition(page(_sample("text", f"font-family:{family}", text))) as ready:
        regular, medium = (ready._evaluate(INK, [text, weight]) for weight in (400, 500))
    assert medium > regular * 1.03


def test_a_frame_has_no_blank_in_any_script(composition: Opened) -> None:
    """As it is captured: what a script writes into the page and onto a canvas; each emoji in its colours."""
    texts = ["漢字", "한국어", "العربية", "हिन्दी", "ไทย", "∑→✓", "🎉", "canvas"]
    cell = "position:absolute;width:80px;height:80px;font:32px Lato;background:#fff;overflow:hidden"
    cells = "".join(
        f'<div class="cell" style="{cell};left:{80 * (i % 4)}px;top:{80 * (i // 4)}px"></div>'
        for i in range(len(texts))
    )
    script = f"""<script>const cells = document.querySelectorAll('.cell');
      {texts[:-1]!r}.forEach((text, i) => {{ cells[i].textContent = text; }});
      const canvas = cells[7].appendChild(Object.assign(document.createElement('canvas'), {{ width: 80, height: 80 }}));
      const context = canvas.getContext('2d'); context.font = '32px serif'; context.fillText('😀字', 0, 40);</script>"""
    with composition(page(cells + script)) as ready:
        ready.seek(0)
        frame = _rgb(ready.picture("png"))
    for index, text in enumerate(texts):
        left, top = 80 * (index % 4), 80 * (index // 4)
        cut = [frame[(y * 320 + x) * 3 :][:3] for y in range(top, top + 80) for x in range(left, left + 80)]
        assert sum(max(pixel) < 128 for pixel in cut) > 40 or text == "🎉", text
        coloured = sum(max(pixel) - min(pixel) > 60 for pixel in cut)
        assert (coloured > 100) == (text in {"🎉", "canvas"}), text


def _rgb(png: bytes) -> bytes:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "png_pipe", "-i", "pipe:0"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    return subprocess.run(command, input=png, capture_output=True, check=True).stdout
