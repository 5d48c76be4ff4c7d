"""The compositions that are rendered: a small one of each kind that costs in a way of its own, most of SECONDS each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lambda_handler import toolchain

SECONDS = 10
CDN = "https://cdn.jsdelivr.net/npm"
GSAP = f'<script src="{CDN}/gsap@3.15.0/dist/gsap.min.js"></script>'
THREE = f'<script src="{CDN}/three@0.147.0/build/three.min.js"></script>'
EXAMPLES = ("orbit", "product-teaser", "quarterly-metrics")


@dataclass(frozen=True)
class Composition:
    """One page, of `width` x `height` px and `seconds`. `still`: most of its frames are the ones before them."""

    name: str
    body: str
    width: int = 1920
    height: int = 1080
    seconds: int = SECONDS
    still: bool = False
    video: bool = False

    @property
    def html(self) -> str:
        """The page: `body` on a stage of its size."""
        return (
            '<!doctype html><html><head><meta charset="UTF-8"><style>*{box-sizing:border-box}'
            f"html,body{{margin:0;width:{self.width}px;height:{self.height}px;overflow:hidden;"
            "font-family:Inter,sans-serif;color:#f4f6fb;background:#10182c}"
            f"#root{{position:relative;width:{self.width}px;height:{self.height}px;overflow:hidden}}"
            f'</style></head><body><div id="root" data-composition-id="main" data-start="0" '
            f'data-duration="{self.seconds}" data-width="{self.width}" data-height="{self.height}">{self.body}</div>'
            "</body></html>"
        )


def _timeline(code: str, libraries: str = GSAP) -> str:
    return f"{libraries}<script>const tl=gsap.timeline({{paused:true}});{code}window.__timelines={{main:tl}};</script>"


def _cards(count: int, size: int) -> str:
    return (
        "<style>.card{position:absolute;border-radius:24px;padding:24px;font-size:28px;"
        "background:linear-gradient(135deg,#2b4c9b,#7a3fa0);box-shadow:0 18px 40px rgba(0,0,0,.45)}</style>"
        + "".join(
            f'<div class="card" style="width:{size}px;height:{size * 2 // 3}px;left:{(index * 311) % 1500}px;'
            f'top:{(index * 197) % 800}px">Card {index}</div>'
            for index in range(count)
        )
    )


_STILL = (
    '<h1 id="t" style="position:absolute;left:160px;top:400px;font-size:120px;margin:0">Annual report</h1>'
    '<p id="s" style="position:absolute;left:164px;top:580px;font-size:44px;opacity:0">Figures for the year</p>'
)
_LINES = "".join(
    f'<p class="line" style="position:absolute;left:180px;top:{120 + 150 * row}px;font-size:84px;margin:0">{words}</p>'
    for row, words in enumerate(
        (
            "Every frame is drawn",
            "from its time alone",
            "by as many workers",
            "as there are chunks",
            "and joined exactly",
            "",
        )
    )
)

_SLIDES_AT = (0, 9, 21, 31, 40, 51)
_SLIDES = "".join(
    f'<section id="s{number}" style="position:absolute;inset:0;opacity:0;'
    f'background:linear-gradient(120deg,#10182c,{tint})">'
    f'<h1 style="position:absolute;left:160px;top:140px;font-size:96px;margin:0">Chapter {number + 1}</h1>'
    + "".join(
        f'<p class="point" style="position:absolute;left:164px;top:{340 + 120 * row}px;font-size:52px;margin:0">'
        f"{words}</p>"
        for row, words in enumerate(("What was planned", "What has been done", "What comes next"))
    )
    + "</section>"
    for number, tint in enumerate(("#22386b", "#4b2768", "#1f5a58", "#6b3a22", "#2a4d7d", "#5a2340"))
)

COMPOSITIONS = (
    Composition("still", _STILL + _timeline(f"tl.set('#t',{{opacity:1}},0).set({{}},{{}},{SECONDS});"), still=True),
    Composition(
        "mostly-still",
        _STILL
        + _timeline(
            "tl.from('#t',{x:-80,opacity:0,duration:.5},0).to('#s',{opacity:1,duration:.4},2.2)"
            f".set({{}},{{}},{SECONDS});"
        ),
        still=True,
    ),
    Composition(
        "slides",
        _SLIDES
        + _timeline(
            f"{list(_SLIDES_AT)}.forEach((at,n)=>{{tl.to('#s'+n,{{opacity:1,duration:.5}},at)"
            ".from(`#s${n} h1`,{y:60,duration:.7},at)"
            ".from(`#s${n} .point`,{x:-90,opacity:0,duration:.6,stagger:.4},at+.3)"
            "});tl.set({},{},60);"
        ),
        seconds=60,
        still=True,
    ),
    Composition(
        "text",
        _LINES
        + _timeline(
            "document.querySelectorAll('.line').forEach((e,i)=>tl.from(e,{y:90,opacity:0,rotation:2,duration:1.4},i*.7));"
            f"tl.to('.line',{{x:60,duration:{SECONDS},ease:'none'}},0);"
        ),
    ),
    Composition(
        "full-motion",
        '<div id="bg" style="position:absolute;inset:-200px;background:linear-gradient(45deg,#0b1d3a,#3b1d5a,#0d4a4f)">'
        "</div>"
        + _cards(12, 300)
        + _timeline(
            f"tl.to('#bg',{{rotation:20,duration:{SECONDS},ease:'none'}},0);"
            "gsap.utils.toArray('.card').forEach((e,i)=>tl.to(e,{x:(i%2?1:-1)*260,y:(i%3-1)*160,rotation:i*9-40,"
            f"duration:{SECONDS},ease:'sine.inOut'}},0));"
        ),
    ),
    Composition(
        "css",
        "<style>@keyframes turn{to{transform:rotate(360deg)}}@keyframes glow{50%{opacity:.3}}"
        ".r{position:absolute;border:26px solid;border-color:#5af #f5a #fa5 #5fa;border-radius:50%;"
        f"animation:turn {SECONDS}s linear both}}.g{{position:absolute;left:120px;bottom:110px;font-size:72px;"
        "animation:glow 1s infinite}</style>"
        + "".join(
            f'<div class="r" style="left:{860 - 70 * n}px;top:{440 - 70 * n}px;width:{200 + 140 * n}px;'
            f'height:{200 + 140 * n}px;animation-duration:{5 - 0.7 * n}s"></div>'
            for n in range(5)
        )
        + '<p class="g">Style sheets only</p>',
    ),
    Composition(
        "video-overlay",
        f'<video id="v" src="clip.mp4" muted playsinline data-start="0" data-duration="{SECONDS}" data-track-index="0" '
        'style="position:absolute;inset:0;width:1920px;height:1080px"></video>'
        '<div id="lower" style="position:absolute;left:120px;bottom:120px;padding:30px 50px;font-size:54px;'
        'background:rgba(10,20,40,.8)">On location</div>'
        + _timeline(f"tl.from('#lower',{{x:-700,duration:1}},.3).set({{}},{{}},{SECONDS});"),
        video=True,
    ),
    Composition(
        "three",
        '<canvas id="c" width="1920" height="1080" style="position:absolute;inset:0"></canvas>'
        + THREE
        + GSAP
        + _timeline(
            "const r=new THREE.WebGLRenderer({canvas:document.getElementById('c'),preserveDrawingBuffer:true});"
            "const scene=new THREE.Scene(),camera=new THREE.PerspectiveCamera(50,16/9,.1,100);camera.position.z=6;"
            "const mesh=new THREE.Mesh(new THREE.TorusKnotGeometry(1.4,.45,120,18),new THREE.MeshNormalMaterial());"
            "scene.add(mesh);const s={a:0};"
            f"tl.to(s,{{a:6.28,duration:{SECONDS},ease:'none',onUpdate(){{mesh.rotation.set(s.a,s.a*.7,0);"
            "r.render(scene,camera)}},0);r.render(scene,camera);",
            "",
        ),
    ),
    Composition(
        "many-layers",
        "<style>.d{position:absolute;width:60px;height:60px;border-radius:14px;will-change:transform}</style>"
        + "".join(
            f'<div class="d" style="left:{(n % 20) * 94 + 20}px;top:{(n // 20) * 104 + 20}px;'
            f'background:hsl({n * 7 % 360} 70% 55%)"></div>'
            for n in range(200)
        )
        + _timeline(
            "gsap.utils.toArray('.d').forEach((e,i)=>tl.to(e,{rotation:180,scale:.5+i%5*.2,"
            f"duration:{SECONDS},ease:'sine.inOut'}},0));"
        ),
    ),
    Composition(
        "canvas",
        '<canvas id="c" width="1920" height="1080" style="position:absolute;inset:0"></canvas>'
        + _timeline(
            "const g=document.getElementById('c').getContext('2d'),s={t:0};function draw(){g.fillStyle='#0b1020';"
            "g.fillRect(0,0,1920,1080);for(let i=0;i<900;i++){const a=i*2.4+s.t*(.4+i%7*.1),q=30+i*.85;"
            "g.fillStyle=`hsl(${i*3%360} 80% 60%)`;g.beginPath();g.arc(960+Math.cos(a)*q,540+Math.sin(a)*q*.6,"
            f"3+i%5,0,7);g.fill()}}}}tl.to(s,{{t:{SECONDS},duration:{SECONDS},ease:'none',onUpdate:draw}},0);draw();"
        ),
    ),
    Composition(
        "svg",
        '<svg viewBox="0 0 1920 1080" style="position:absolute;inset:0" fill="none" stroke-width="14">'
        + "".join(
            f'<path class="p" pathLength="1" stroke-dasharray="1" stroke-dashoffset="1" stroke="hsl({n * 45} 80% 60%)" '
            f'd="M60 {140 + n * 110} C 600 {-200 + n * 160}, 1200 {900 - n * 90}, 1860 {120 + n * 110}"/>'
            for n in range(8)
        )
        + "</svg>"
        + _timeline("tl.to('.p',{strokeDashoffset:0,duration:3.4,stagger:.2,ease:'power2.inOut'},0);"),
    ),
    Composition(
        "4k",
        '<div style="position:absolute;inset:0;background:radial-gradient(circle at 30% 40%,#27477f,#0a1020)"></div>'
        '<h1 id="t" style="position:absolute;left:320px;top:820px;font-size:260px;margin:0">Four thousand</h1>'
        '<div id="b" style="position:absolute;left:320px;top:1200px;width:2400px;height:40px;background:#f5a524"></div>'
        + _timeline(f"tl.from('#t',{{x:-400,opacity:0,duration:2}},0).from('#b',{{scaleX:0,duration:{SECONDS}}},0);"),
        width=3840,
        height=2160,
    ),
    Composition(
        "portrait",
        '<div id="bg" style="position:absolute;inset:0;background:linear-gradient(#ff7a59,#6a3df0)"></div>'
        + "".join(
            f'<p class="w" style="position:absolute;left:90px;top:{500 + 190 * n}px;margin:0;font-size:150px;'
            f'font-weight:800">{word}</p>'
            for n, word in enumerate(("Swipe", "to see", "what is", "next"))
        )
        + _timeline(
            "tl.from('.w',{x:900,stagger:.5,duration:.9,ease:'power3.out'},.2)"
            f".to('.w',{{y:-120,duration:{SECONDS},ease:'none'}},0);"
        ),
        width=1080,
        height=1920,
    ),
)


def written(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Writes the projects below `folder`, the checkout's examples among them: name, place, and whether it is still."""
    for composition in COMPOSITIONS:
        place = folder / composition.name
        place.mkdir(parents=True, exist_ok=True)
        (place / "index.html").write_text(composition.html)
        if composition.video:
            _clip(place / "clip.mp4")
        yield composition.name, place, composition.still
    for name in EXAMPLES:
        place = folder / name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(toolchain.CHECKOUT / "examples" / name, place)
        yield name, place, False


def _clip(path: Path) -> None:
    """A video with detail that moves everywhere."""
    pattern = f"testsrc2=size=1280x720:rate=30:duration={SECONDS}"
    command: list[str | Path] = [toolchain.ffmpeg().executable, "-v", "error", "-y", "-f", "lavfi", "-i", pattern]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-g", "60", path]
    subprocess.run(command, check=True)
