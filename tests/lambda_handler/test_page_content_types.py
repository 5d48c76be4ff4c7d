"""What files are served as."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lambda_handler.page.content_types import content_type

KNOWN = {
    "/index.html": "text/html; charset=utf-8",
    "/a/style.css": "text/css; charset=utf-8",
    "/a.js": "text/javascript; charset=utf-8",
    "/a.mjs": "text/javascript; charset=utf-8",
    "/a.json": "application/json; charset=utf-8",
    "/a.svg": "image/svg+xml; charset=utf-8",
    "/a.PNG": "image/png",
    "/a.jpg": "image/jpeg",
    "/a.gif": "image/gif",
    "/a.webp": "image/webp",
    "/a.avif": "image/avif",
    "/a.apng": "image/apng",
    "/a.woff": "font/woff",
    "/a.woff2": "font/woff2",
    "/a.ttf": "font/ttf",
    "/a.otf": "font/otf",
    "/a.mp4": "video/mp4",
    "/a.webm": "video/webm",
    "/a.m4a": "audio/mp4",
    "/a.wav": "audio/wav",
    "/a.glb": "model/gltf-binary",
    "/a.wasm": "application/wasm",
    "/a.of-no-kind": "application/octet-stream",
    "/a": "application/octet-stream",
}


def test_each_file_is_served_as_what_it_is() -> None:
    """By its name's ending; texts as UTF-8."""
    assert {path: content_type(path) for path in KNOWN} == KNOWN


def test_types_do_not_depend_on_what_the_machine_knows(tmp_path: Path) -> None:
    """Here one whose table of types is empty, and one that knows other types for everything."""
    endings = " ".join(path.rpartition(".")[2] for path in KNOWN)
    (tmp_path / "empty").write_text("")
    (tmp_path / "strange").write_text(f"x-machine/strange {endings}\n")
    asked = (
        "import mimetypes, sys; mimetypes.knownfiles[:] = [sys.argv[1]]; mimetypes.init();"
        "from lambda_handler.page.content_types import content_type;"
        "print(mimetypes.guess_type('/a.of-no-kind')[0], *map(content_type, sys.argv[2:]), sep='|')"
    )
    for table, machine in (("empty", "None"), ("strange", "x-machine/strange")):
        command = [sys.executable, "-c", asked, str(tmp_path / table), *KNOWN]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("|")
        assert told == [machine, *KNOWN.values()]
