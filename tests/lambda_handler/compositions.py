"""One small composition for each way to animate. In all of them a red box of 40 x 40 px moves 200 px a second."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from rendering import BOX, GSAP, page

CDN = "https://cdn.jsdelivr.net/npm"
RED = (238, 51, 51)
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Moving:
    """A page, and the other files of its project."""

    html: str
    files: Mapping[str, str] = field(default_factory=dict)


def _script(code: str, *libraries: str) -> str:
    return "".join(f'<script src="{library}"></script>' for library in libraries) + f"<script>{code}</script>"


def _timeline(code: str, *libraries: str, body: str = BOX) -> Moving:
    script = f"const tl = gsap.timeline({{paused: true}}); {code}; window.__timelines = {{main: tl}};"
    return Moving(page(body + _script(script, GSAP, *libraries), no_timeline=""))


LOTTIE = json.dumps(
    {"v": "5.7.0", "fr": 30, "ip": 0, "op": 30, "w": 320, "h": 180, "assets": [], "layers": [
        {"ddd": 0, "ind": 1, "ty": 1, "nm": "box", "sw": 40, "sh": 40, "sc": "#ee3333", "ip": 0, "op": 30, "st": 0,
         "sr": 1, "bm": 0, "ks": {"o": {"a": 0, "k": 100}, "r": {"a": 0, "k": 0}, "a": {"a": 0, "k": [0, 0, 0]},
         "s": {"a": 0, "k": [100, 100, 100]}, "p": {"a": 1, "k": [
             {"t": 0, "s": [0, 70, 0], "i": {"x": 1, "y": 1}, "o": {"x": 0, "y": 0}}, {"t": 30, "s": [200, 70, 0]}]}}}
    ]}
)  # fmt: skip

_STAGE = '<div id="stage" style="position:absolute;inset:0"></div>'
_CANVAS = '<canvas id="stage" width="320" height="180" style="position:absolute;left:0;top:0"></canvas>'
_RECTANGLE = "context.clearRect(0, 0, 320, 180); context.fillStyle = '#e33'; context.fillRect({x}, 70, 40, 40);"
_THREE = """
const renderer = new THREE.WebGLRenderer({canvas: document.getElementById('stage'), alpha: true});
renderer.setSize(320, 180, false);
const scene = new THREE.Scene();
const camera = new THREE.OrthographicCamera(0, 320, 180, 0, -1, 1);
const box = new THREE.Mesh(new THREE.PlaneGeometry(40, 40), new THREE.ShaderMaterial({fragmentShader:
    'void main() { gl_FragColor = vec4(0.9333, 0.2, 0.2, 1.0); }'}));
scene.add(box);
const draw = time => { box.position.set(200 * time + 20, 90, 0); renderer.render(scene, camera) };
addEventListener('hf-seek', event => draw(event.detail.time));
draw(0);
"""
_THREE_MODULE = f"{CDN}/three@0.160.0/build/three.module.js"
_INNER = "document.getElementById('box').style.left = now / 5 + 'px'; requestAnimationFrame(draw);"
_FRAME = f"<body style='margin:0'>{BOX}<script>const draw = now => {{ {_INNER} }}; requestAnimationFrame(draw)</script>"
_WEBGPU = """
(async () => {
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  const context = document.getElementById('stage').getContext('webgpu');
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({device, format, alphaMode: 'opaque'});
  const module = device.createShaderModule({code: `
    @group(0) @binding(0) var<uniform> left: f32;
    @vertex fn v(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
      let corner = vec2f(f32(i & 1), f32(i >> 1)) * 40 + vec2f(left, 70);
      return vec4f(corner.x / 160 - 1, 1 - corner.y / 90, 0, 1);
    }
    @fragment fn f() -> @location(0) vec4f { return vec4f(238.0 / 255, 0.2, 0.2, 1); }`});
  const pipeline = device.createRenderPipeline({layout: 'auto', vertex: {module}, fragment: {module,
    targets: [{format}]}, primitive: {topology: 'triangle-strip'}});
  const buffer = device.createBuffer({size: 4, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST});
  const group = device.createBindGroup({layout: pipeline.getBindGroupLayout(0),
    entries: [{binding: 0, resource: {buffer}}]});
  const draw = time => {
    device.queue.writeBuffer(buffer, 0, new Float32Array([200 * time]));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginRenderPass({colorAttachments: [{view: context.getCurrentTexture().createView(),
      loadOp: 'clear', clearValue: {r: 1, g: 1, b: 1, a: 1}, storeOp: 'store'}]});
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.draw(4);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  draw(0);
  addEventListener('hf-seek', event => {
    draw(event.detail.time);
    event.detail.waitUntil(device.queue.onSubmittedWorkDone());
  });
})();
"""

MOVING: Mapping[str, Moving] = {
    "gsap": _timeline("tl.to('#box', {x: 200, duration: 1, ease: 'none'})"),
    "gsap plugin": _timeline(
        "gsap.registerPlugin(MotionPathPlugin);"
        "tl.to('#box', {motionPath: [{x: 100, y: 0}, {x: 200, y: 0}], duration: 1, ease: 'none'})",
        f"{CDN}/gsap@3.14.2/dist/MotionPathPlugin.min.js",
    ),
    "gsap outside any timeline": Moving(
        page(BOX + _script("gsap.to('#box', {x: 200, duration: 1, ease: 'none'})", GSAP))
    ),
    "css": Moving(
        page(
            '<div data-start="0">' + BOX + "</div>",
            head="<style>@keyframes go { to { transform: translateX(200px) } }"
            "#box { animation: go 1s linear both }</style>",
        )
    ),
    "css transition": Moving(
        page(
            BOX + _script("addEventListener('hf-seek', ({detail}) => {"
                          "document.getElementById('box').style.setProperty('--x', detail.time * 200 + 'px') })"),
            head="<style>#box { transform: translateX(var(--x, 0px)); transition: background 1s }</style>",
        )
    ),
    "waapi": Moving(
        page(
            BOX + _script("document.getElementById('box').animate("
                          "[{transform: 'translateX(0)'}, {transform: 'translateX(200px)'}], {duration: 1000})")
        )
    ),
    "anime 4": Moving(
        page(
            BOX + _script("window.__hfAnime = [anime.animate('#box', "
                          "{translateX: 200, duration: 1000, ease: 'linear', autoplay: false})];",
                          f"{CDN}/animejs@4.0.2/lib/anime.iife.min.js")
        )
    ),
    "anime 3": Moving(
        page(
            BOX + _script("anime({targets: '#box', translateX: 200, duration: 1000, easing: 'linear'});",
                          f"{CDN}/animejs@3.2.2/lib/anime.min.js")
        )
    ),
    "lottie": Moving(
        page(
            _STAGE + _script("window.__hfLottie = [lottie.loadAnimation({container: document.getElementById('stage'),"
                             f"renderer: 'svg', loop: false, autoplay: false, animationData: {LOTTIE}}})];",
                             f"{CDN}/lottie-web@5.12.2/build/player/lottie.min.js")
        )
    ),
    "lottie from a file": Moving(
        page(
            _STAGE + _script("lottie.loadAnimation({container: document.getElementById('stage'), renderer: 'svg',"
                             "loop: false, autoplay: true, path: 'box.json'});",
                             "https://cdnjs.cloudflare.com/ajax/libs/bodymovin/5.12.2/lottie.min.js")
        ),
        {"box.json": LOTTIE},
    ),
    "three": Moving(page(_CANVAS + _script(_THREE, f"{CDN}/three@0.147.0/build/three.min.js"))),
    "three module": Moving(
        page(
            _CANVAS
            + f'<script type="importmap">{{"imports": {{"three": "{_THREE_MODULE}"}}}}</script>'
            f'<script type="module">import * as THREE from "three";{_THREE}</script>'
        )
    ),
    "canvas and animation frames": Moving(
        page(
            _CANVAS + _script(
                "const context = document.getElementById('stage').getContext('2d');"
                f"const draw = now => {{ {_RECTANGLE.format(x='now / 5')} requestAnimationFrame(draw) }};"
                "requestAnimationFrame(draw);")
        )
    ),
    "d3": Moving(
        page(
            "<svg id='stage' width='320' height='180' style='position:absolute'></svg>"
            + _script("const box = d3.select('#stage').append('rect').attr('y', 70).attr('width', 40)"
                      ".attr('height', 40).attr('fill', '#e33').attr('x', 0);"
                      "const half = box.transition().duration(500).ease(d3.easeLinear).attr('x', 100);"
                      "half.transition().attr('x', 200); window.__hfD3 = [half];",
                      f"{CDN}/d3@7/dist/d3.min.js")
        )
    ),
    "leaflet": Moving(
        page(
            _STAGE + _script("const map = L.map('stage', {crs: L.CRS.Simple, zoomControl: false, fadeAnimation: false,"
                             "attributionControl: false}).setView([0, 0], 0, {animate: false});"
                             "const box = L.rectangle([[-20, -160], [20, -120]], {stroke: false, fillColor: '#e33',"
                             "fillOpacity: 1}).addTo(map); window.__hfLeaflet = [map];"
                             "addEventListener('hf-seek', ({detail}) => { const left = detail.time * 200 - 160;"
                             "box.setBounds([[-20, left], [20, left + 40]]) });",
                             f"{CDN}/leaflet@1.9.4/dist/leaflet.js"),
            head=f'<link rel="stylesheet" href="{CDN}/leaflet@1.9.4/dist/leaflet.css">'
            "<style>#root .leaflet-container { background: #fff }</style>",
        )
    ),
    "map mocks": Moving(
        page(
            BOX + _script(
                "const waiting = []; const wait = (event, call) => { waiting.push(call); return {remove() {}} };"
                "window.__hfMapbox = [{loaded: () => false, on: wait}]; window.__hfGoogleMaps = [{addListener: wait}];"
                "const box = document.getElementById('box'); box.hidden = true;"
                "setTimeout(() => { box.hidden = false; waiting.forEach(call => call()) }, 150);"
                "addEventListener('hf-seek', ({detail}) => { box.style.left = detail.time * 200 + 'px' });")
        )
    ),
    "iframe": Moving(
        page('<iframe src="inner.html" width="320" height="180" style="border:0" data-start="0"></iframe>'),
        {"inner.html": _FRAME},
    ),
    "iframe in an iframe": Moving(
        page('<iframe src="outer.html" width="320" height="180" style="border:0"></iframe>'),
        {
            "inner.html": _FRAME,
            "outer.html": '<body style="margin:0"><iframe src="inner.html" width="320" height="180" style="border:0">',
        },
    ),
    "iframe with srcdoc": Moving(
        page(f'<iframe srcdoc="{html.escape(_FRAME)}" width="320" height="180" style="border:0"></iframe>')
    ),
    "elements in a canvas": Moving(
        page(
            '<canvas id="stage" layoutsubtree width="320" height="180" style="position:absolute;left:0;top:0">'
            f'<div id="inner" style="position:relative;width:320px;height:180px">{BOX}</div></canvas>'
            + _script("const context = document.getElementById('stage').getContext('2d');"
                      "const inner = document.getElementById('inner');"
                      "const draw = () => { context.clearRect(0, 0, 320, 180);"
                      "context.drawElementImage(inner, 0, 0, 320, 180) };"
                      "addEventListener('hf-seek', ({detail}) => {"
                      "document.getElementById('box').style.left = detail.time * 200 + 'px'; draw() }); draw();")
        )
    ),
    "timers": Moving(
        page(BOX + _script("setInterval(() => document.getElementById('box').style.left ="
                           "performance.now() / 5 + 'px', 10)"))
    ),
}  # fmt: skip
"""By what moves the box. Chromium's ordinary arguments are enough for them."""

WEBGPU = Moving(page(_CANVAS + _script(_WEBGPU), requires_webgpu="true", duration="0.4"))

_SHADERS = f"{CDN}/@hyperframes/shader-transitions@0.8.41/dist/index.global.js"
_SCENE = '<div id="{}" class="scene" data-start="0" style="position:absolute;inset:0;background:{}"></div>'
SHADER_TRANSITION = _timeline(
    "HyperShader.init({scenes: ['one', 'two'], timeline: tl, compositionId: 'main',"
    "transitions: [{time: 0.3, shader: 'sdf-iris', duration: 0.4, ease: 'none'}]})",
    _SHADERS,
    body=_SCENE.format("one", "#e33") + _SCENE.format("two", "#33e"),
)
"""An iris that opens on the second scene from 0.3 s to 0.7 s."""
