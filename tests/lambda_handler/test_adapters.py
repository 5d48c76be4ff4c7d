"""Whatever animates a page, it shows the moment that was sought."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest
from compositions import CDN, MOVING, RED, SHADER_TRANSITION, WHITE
from rendering import BOX, GSAP, page
from showing import Shows

from lambda_handler import toolchain
from lambda_handler.errors import FeatureNotSupported

BLUE = (51, 51, 238)


@pytest.mark.parametrize("name", MOVING)
def test_the_box_is_where_its_moment_says(shows: Shows, name: str) -> None:
    """From the first frame on, and after a jump."""
    moving = MOVING[name]
    with shows(moving.html, moving.files) as shown:
        for moment, left in ((0, 0), (0.1, 20), (0.7, 140)):
            inside, before, behind = (left + 20, 90), (left - 6, 90), (left + 46, 90)
            expected = {inside: RED, behind: WHITE} | ({before: WHITE} if left else {})
            found = dict(zip(expected, shown.colours(moment, *expected), strict=True))
            assert found == expected, f"at {moment} s"


def test_a_shader_transition_is_drawn_inside_the_page(shows: Shows) -> None:
    """The library draws both scenes into textures; before and after it there is one scene only."""
    with shows(SHADER_TRANSITION.html) as shown:
        middle, corner = (160, 90), (4, 4)
        assert shown.colours(0.2, middle, corner) == [RED, RED]
        for moment in (0.5, 0.5):
            inside, outside = shown.colours(moment, middle, corner)
            assert inside[2] > inside[0] + 100, "the iris shows the second scene"
            assert outside[0] > outside[2] + 100, "and around it is the first one"
        assert shown.colours(0.9, middle, corner) == [BLUE, BLUE]


def test_webgpu_that_is_not_there_is_said(shows: Shows) -> None:
    """By what the composition asks for, and what to do."""
    with shows(page(BOX)) as shown:
        shown.told("{ navigator.gpu.requestAdapter = async () => null }")
        with pytest.raises(FeatureNotSupported, match="data-requires-webgpu"):
            shown.page.require_software_gpu(webgpu=True)


def test_leaflet_finds_its_marker_pictures(shows: Shows) -> None:
    """Beside its style sheet, wherever that is served from."""
    script = "L.marker([0, 0]).addTo(L.map('map', {crs: L.CRS.Simple}).setView([0, 0], 0))"
    body = f'<div id="map" style="width:320px;height:180px"></div><script src="{CDN}/leaflet@1.9.4/dist/leaflet.js">'
    head = f'<link rel="stylesheet" href="{CDN}/leaflet@1.9.4/dist/leaflet.css">'
    with shows(page(f"{body}</script><script>{script}</script>", head=head)) as shown:
        shown.png(0)
        assert shown.told("Array.from(document.images, image => image.naturalWidth)") == [41, 25]


CAPTIONS = (
    '<div class="caption-group"><span data-word-id="w0" style="display:inline-block;width:60px;height:60px;'
    'background:#e33"></span><span style="display:inline-block;width:60px;height:60px;background:#e33"></span></div>'
)


def test_caption_overrides_change_single_words(shows: Shows) -> None:
    """By the word's place; without the file nothing is wanting."""
    html = page(f'<script src="{GSAP}"></script>{CAPTIONS}')
    with shows(html) as shown:
        assert shown.colour(0.5, 90, 30) == RED
        assert shown.page.problems.warnings() == ()
    with shows(html, {"caption-overrides.json": '[{"wordIndex": 1, "opacity": 0}]'}) as shown:
        assert shown.colours(0.5, (30, 30), (90, 30)) == [RED, WHITE]


def test_a_background_that_a_seek_sets_is_there_in_its_frame(shows: Shows, tmp_path: Path) -> None:
    """However long it takes to decode."""
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "lavfi", "-i", "color=#ee3333:size=2000x2000"]
    subprocess.run([*command, "-frames:v", "1", str(tmp_path / "red.png")], check=True)
    script = (
        "addEventListener('hf-seek', ({detail}) => { if (detail.time > 0.4)"
        "document.getElementById('box').style.background = 'url(red.png?' + detail.time + ')' })"
    )
    html = page(f"{BOX.replace('#e33', '#fff')}<script>{script}</script>")
    with shows(html, {"red.png": (tmp_path / "red.png").read_bytes()}) as shown:
        assert shown.colour(0.2, 20, 90) == WHITE
        assert shown.colour(0.5, 20, 90) == pytest.approx(RED, abs=2)


def test_the_runtimes_own_eases_and_callbacks(shows: Shows) -> None:
    """Spring and bezier by their formulas (composition contract, section 1.5); each callback once, in order."""
    tweens = {
        "x": "{x: 100, duration: 1, ease: 'spring(0.5)'}",
        "y": "{y: 10, duration: 0.9, ease: 'hold'}",
        "scale": "{scale: 2, duration: 1, ease: 'custom(M0,0 C0.5,0 0.5,1 1,1)'}",
        "rotation": "{rotation: 90, duration: 1, ease: 'wiggle(3, easeOut)'}",
    }
    script = "".join(f"tl.to('#box', {tween}, 0);" for tween in tweens.values())
    script += "window.calls = []; tl.call(() => calls.push(1), null, 0.3); tl.call(() => calls.push(2), null, 0.31);"
    made = f"const tl = gsap.timeline({{paused: true}}); {script} window.__timelines = {{main: tl}}"
    with shows(page(f'<script src="{GSAP}"></script>{BOX}<script>{made}</script>', no_timeline="")) as shown:
        for frame in range(16):
            shown.page.seek(frame / 30)
        found = {name: shown.told(f"gsap.getProperty('#box', '{name}')") for name in tweens}
        assert shown.told("calls") == [1, 2]
    decay, omega = 12 - 6 * 0.5, 2 * math.pi * (1 + 1.5 * 0.5)
    end = 1 - math.exp(-decay) * math.cos(omega)
    spring = (1 - math.exp(-decay / 2) * math.cos(omega / 2)) / end
    wiggle = 0.5 + 0.16 * (1 - 0.5) * math.sin(2 * math.pi * 3 * 0.5)
    assert found["x"] == pytest.approx(100 * spring, abs=0.01)
    assert found["y"] == 0
    assert found["scale"] == pytest.approx(1.5, abs=0.001)
    assert found["rotation"] == pytest.approx(90 * wiggle, abs=0.01)
