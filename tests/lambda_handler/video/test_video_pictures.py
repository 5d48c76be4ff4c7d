"""What a video looks like: its colors, its transparency, and everything that a style sheet does to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import HEIGHT, WIDTH, Render, pixels
from synthetic_media import made, number

from lambda_handler import storage

Videos = Callable[..., Render]
Box = tuple[int, int, int, int]
RENDERED = {"fps": 30, "quality": "high"}


def _pictures(render: Render) -> list[bytes]:
    render.whole()
    return pixels(storage.local_path(render.output))


def _pixel(picture: bytes, x: float, y: float) -> tuple[int, int, int]:
    at = (round(y) * WIDTH + round(x)) * 3
    return picture[at], picture[at + 1], picture[at + 2]


def _close(found: tuple[int, int, int], wanted: tuple[int, int, int], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


def _turned(picture: bytes, box: Box) -> bytes:
    """The box, turned clockwise by 90 degrees to the top left of a picture."""
    left, top, across, down = box
    turned = bytearray(WIDTH * HEIGHT * 3)
    for y in range(down):
        for x in range(across):
            at = (x * WIDTH + (down - 1 - y)) * 3
            turned[at : at + 3] = bytes(_pixel(picture, left + x, top + y))
    return bytes(turned)


def test_styles_and_places_are_the_elements_own(videos: Videos) -> None:
    """Fitting, transforms, hosts, opacity, what lies over it, and scripts that draw it elsewhere."""
    mounted = '<template><div data-composition-id="sub" data-no-timeline>{}</div></template>'
    inner = '<video src="v30.mp4" style="position:absolute;left:240px;top:0;width:80px;height:45px"></video>'
    body = (
        '<video src="v30.mp4" style="position:absolute;left:0;top:0;width:60px;height:60px"></video>'
        '<div style="position:absolute;left:60px;top:0;transform:scale(0.5);transform-origin:0 0">'
        '<video src="v30.mp4"></video></div>'
        '<video id="half" src="v30.mp4" style="position:absolute;left:160px;top:0;width:80px;opacity:0.5"></video>'
        '<div data-composition-id="sub" data-composition-src="sub.html" data-start="0.1" data-duration="0.2"></div>'
        '<video src="turned.mp4" style="position:absolute;left:0;top:60px;width:45px"></video>'
        '<div style="position:absolute;left:60px;top:60px;width:80px;height:45px;overflow:hidden">'
        '<video src="v30.mp4" style="width:80px;height:90px;object-fit:fill"></video></div>'
        '<video src="v30.mp4" style="position:absolute;left:160px;top:60px;width:80px;height:45px"></video>'
        '<div style="position:absolute;left:160px;top:60px;width:40px;height:45px;background:#0f0"></div>'
        '<video id="v" src="v30.mp4" style="position:absolute;visibility:hidden;left:400px"></video>'
        '<canvas id="flat" width="80" height="45" style="position:absolute;left:0;top:135px"></canvas>'
        '<canvas id="gl" width="80" height="45" style="position:absolute;left:80px;top:135px"></canvas>'
        '<video src="v30.mp4" style="position:absolute;left:240px;top:60px;width:80px;height:45px;'
        'display:none"></video><script>'
        "const v = document.getElementById('v'), flat = document.getElementById('flat').getContext('2d');"
        "const gl = document.getElementById('gl').getContext('webgl', {preserveDrawingBuffer: true});"
        "const shader = (kind, text) => { const s = gl.createShader(kind); gl.shaderSource(s, text);"
        "gl.compileShader(s); return s };"
        "const p = gl.createProgram(); gl.attachShader(p, shader(gl.VERTEX_SHADER,"
        "'attribute vec2 a; varying vec2 b;"
        "void main() { b = vec2(a.x, -a.y) * .5 + .5; gl_Position = vec4(a, 0, 1); }'));"
        "gl.attachShader(p, shader(gl.FRAGMENT_SHADER, 'precision mediump float; varying vec2 b; uniform sampler2D s;"
        "void main() { gl_FragColor = texture2D(s, b); }')); gl.linkProgram(p); gl.useProgram(p);"
        "gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());"
        "gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);"
        "gl.enableVertexAttribArray(0); gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);"
        "gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());"
        "for (const n of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, n, gl.LINEAR);"
        "for (const n of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])"
        "gl.texParameteri(gl.TEXTURE_2D, n, gl.CLAMP_TO_EDGE);"
        "addEventListener('hf-seek', () => { flat.drawImage(v, 0, 0, 80, 45);"
        "gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, v); gl.drawArrays(gl.TRIANGLES, 0, 3) });"
        "</script>"
    ).replace("<video", '<video data-duration="0.4"')
    pictures = _pictures(videos(body, seconds=0.4, files={"sub.html": mounted.format(inner)}, **RENDERED))
    counted = list(range(12))

    def read(box: Box) -> list[int | None]:
        return [number(picture, box) for picture in pictures]

    assert len(pictures) == 12
    assert read((0, 13, 60, 34)) == counted, "object-fit: contain is a video's default"
    assert [_close(_pixel(pictures[3], 30, y), (255, 255, 255)) for y in (5, 55)] == [True, True]
    assert read((60, 0, 80, 45)) == counted, "its own size, scaled by an ancestor"
    assert _close(_pixel(pictures[3], 235, 35), (255, 255, 255)), "white through opacity"
    assert _close(_pixel(pictures[3], 235, 10), (128, 128, 128), by=8), "black through opacity"
    assert read((240, 0, 80, 45)) == [None] * 3 + list(range(6)) + [None] * 3, "inside a mounted composition"
    assert [number(_turned(each, (0, 60, 45, 80)), (0, 0, 80, 45)) for each in pictures] == counted, "turned"
    assert _close(_pixel(pictures[3], 65, 70), (255, 255, 255)), "cut by an ancestor"
    assert _close(_pixel(pictures[3], 65, 110), (255, 255, 255))
    assert _close(_pixel(pictures[3], 180, 70), (0, 255, 0)), "below what comes after it"
    assert read((0, 135, 80, 45)) == counted, "drawn on a canvas"
    assert read((80, 135, 80, 45)) == counted, "as a WebGL texture"
    assert {_pixel(each, 280, 80) for each in pictures} == {(255, 255, 255)}, "not displayed"


@pytest.mark.parametrize("source", ["alpha9.webm", "alpha8.webm", "alpha.mov"])
def test_what_is_behind_a_transparent_video_shows_through(videos: Videos, source: str) -> None:
    """And only where it is transparent."""
    video = f'<video src="{source}" style="position:absolute;left:0;top:0;width:320px;height:180px"></video>'
    pictures = _pictures(videos(f'<div style="background:#2060c0;height:180px"></div>{video}', seconds=0.1, **RENDERED))
    assert len(pictures) == 3
    for picture in pictures:
        assert all(_close(_pixel(picture, x, y), (0x20, 0x60, 0xC0)) for x in (10, 80, 150) for y in (45, 135))
        assert _close(_pixel(picture, 300, 45), (0, 0, 0))
        assert _close(_pixel(picture, 300, 135), (255, 255, 255))


def test_colors_are_those_of_the_source(videos: Videos, media: Path, tmp_path: Path) -> None:
    """However they are coded: matrix, range, depth, sampling, and none said."""
    wanted = (200, 60, 30)
    kinds = {
        "hd": ("bt709", "tv", "yuv420p", True),
        "sd": ("smpte170m", "tv", "yuv420p", True),
        "pal": ("bt470bg", "tv", "yuv444p", True),
        "full": ("bt709", "pc", "yuv420p", True),
        "ten": ("bt709", "tv", "yuv422p10le", True),
        "untagged": ("smpte170m", "tv", "yuv420p", False),
    }
    folder = tmp_path / "colors"
    body = ""
    for at, (name, (matrix, levels, pixel_format, tagged)) in enumerate(kinds.items()):
        told = ["-colorspace", matrix, "-color_range", levels] if tagged else []
        scaled = f"scale=out_color_matrix={'bt709' if matrix == 'bt709' else 'bt601'}:out_range={levels}"
        color = ["-f", "lavfi", "-i", "color=0xC83C1E:size=64x64:rate=30:duration=0.2,format=rgb24"]
        coded = ["-vf", f"{scaled},format={pixel_format}", "-c:v", "libx264", "-qp", "4", *told]
        made(folder / f"{name}.mp4", *color, *coded)
        body += f'<video src="{name}.mp4" style="position:absolute;left:{at * 50}px;top:0;width:50px"></video>'
    render = videos(body, seconds=0.1, **RENDERED)
    for file in folder.iterdir():
        (tmp_path / "project" / file.name).write_bytes(file.read_bytes())
    picture = _pictures(render)[1]
    found = {name: _pixel(picture, at * 50 + 25, 25) for at, name in enumerate(kinds)}
    assert {name: color for name, color in found.items() if not _close(color, wanted)} == {}
