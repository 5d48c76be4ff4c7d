"""A browser kept for the next render: the same pixels, and dropped after any doubt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from rendering import BOX, page

from lambda_handler.toolchain import CHECKOUT

# In a process of its own: from then on browsers are kept in it.
SCRIPT = """
import hashlib, json, os, signal, sys, time
from fractions import Fraction
from pathlib import Path
from lambda_handler import browser, capture, storage, toolchain
from lambda_handler.browser import keep_warm, launched
from lambda_handler.compile.fetch import Network
from lambda_handler.compile.page import compile_page, init_script
from lambda_handler.grid import FrameRange
from lambda_handler.page.session import opened
from lambda_handler.site import INIT_SCRIPT, stage

keep_warm()
place = Path(sys.argv[1])

def pid(running):
    told = running.call("SystemInfo.getProcessInfo")["processInfo"]
    return next(each["id"] for each in told if each["type"] == "browser")

def frames(project, width=320, height=180):
    page = compile_page(place / project, "index.html", {}, node_modules=toolchain.node_modules(),
                        runtime=toolchain.page_runtime().script, fetch=Network())
    script = init_script(30.0)
    site = stage({**page.files, INIT_SCRIPT: script.encode()}, place / f"site-{project}")
    with launched(toolchain.chromium(), width, height) as running:
        number = pid(running)
        with opened(running, site, script, width=width, height=height, fps=30.0) as composition:
            composition.make_ready(())
            taken = [frame for frame in capture.frames(composition, FrameRange(0, 8), Fraction(30), "bgra")]
            images = [frame.picture for frame in taken]
    return number, [hashlib.sha256(image).hexdigest() for image in images]

result = {"cold": frames("one"), "other": frames("two"), "warm": frames("one")}
result["smaller"] = frames("one", 160, 90)[0]
result["again"] = frames("one")[0]
try:
    with launched(toolchain.chromium(), 320, 180) as running:
        result["failing"] = pid(running)
        raise ValueError
except ValueError:
    pass
result["after failing"] = frames("one")[0]
os.kill(result["after failing"], signal.SIGKILL)
result["after a crash"], pictures = frames("one")
result["same after all"] = pictures == result["cold"][1]
os.kill(result["after a crash"], signal.SIGSTOP)
browser.ANSWER_SECONDS = 1.0
began = time.monotonic()
result["after hanging"], pictures = frames("one")
result["seconds"] = time.monotonic() - began
browser.MOST_RENDERS = 1
result["worn"] = frames("one")[0]
result["after wear"] = frames("one")[0]
print(json.dumps(result))
"""

DRAWING = BOX + (
    "<canvas id='c' width='100' height='100' style='position:absolute;left:200px'></canvas><p>Words ×</p>"
    "<script>const c = document.getElementById('c').getContext('2d');"
    "addEventListener('hf-seek', ({detail}) => { document.getElementById('box').style.left = `${detail.time * 200}px`;"
    "c.fillStyle = `hsl(${detail.time * 360} 90% 50%)`; c.fillRect(0, 0, 100 * Math.random(), 100); });</script>"
)


def test_a_warm_browser_draws_the_same_pixels_and_goes_after_any_doubt(tmp_path: Path) -> None:
    """Warm after another composition as cold; a new one after a failure, a crash, a hang, wear, for another size."""
    for name, body in {"one": DRAWING, "two": BOX + "<style>body{background:#024}</style>"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(page(body))
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]
    result = json.loads(told.stdout.splitlines()[-1])
    cold, other, warm = result["cold"], result["other"], result["warm"]
    assert cold[0] == other[0] == warm[0], "one browser for all three"
    assert warm[1] == cold[1]
    assert other[1] != cold[1]
    assert len(set(cold[1])) == 8
    dropped = [warm[0], result["smaller"], result["again"], result["after failing"], result["after a crash"]]
    assert len(set(dropped)) == 5, result
    assert result["failing"] == result["again"], "it was taken warm"
    assert result["same after all"]
    assert len({result["after a crash"], result["after hanging"], result["after wear"]}) == 3
    assert result["seconds"] < 10
    for number in {*dropped, result["after hanging"], result["worn"], result["after wear"]}:
        assert not _runs(number), "every browser is closed at the end"


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0 * signal.SIGTERM)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    return status != "Z"
