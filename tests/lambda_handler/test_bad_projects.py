"""Projects that cannot be rendered: each is refused with its code while planning, before any frame is drawn."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rendering import BOX, GSAP, Project, Render, page

from lambda_handler import storage
from lambda_handler.errors import ERRORS, Retry
from lambda_handler.storage import file_uri

MOUNT = (
    '<div data-composition-id="sub" data-composition-src="sub.html" data-start="0" data-duration="1"></div>'
)
SUB = '<template><div data-composition-id="sub" data-width="320" data-height="180">{}</div></template>'
DECLARED = (
    "<script>document.documentElement</script>"
    '<div data-composition-variables=\'[{"id":"title","type":"string","label":"Title","default":"a"},'
    '{"id":"tone","type":"enum","label":"Tone","default":"warm","options":[{"value":"warm"},{"value":"cold"}]}]\'>'
    "</div>"
)
FOREVER = (
    f'<script src="{GSAP}"></script>{BOX}<script>const tl = gsap.timeline({{paused: true, repeat: -1}});'
    "tl.to('#box', {x: 100, duration: 1}); window.__timelines = {main: tl};</script>"
)


@dataclass(frozen=True)
class Bad:
    """A page, other files, a request; the code it ends with, and words that the message has."""

    what: str
    code: str
    html: str
    says: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


BAD = (
    Bad("no composition", "COMPOSITION_NOT_FOUND", "<p>hello</p>", ("index.html",)),
    Bad("empty page", "COMPOSITION_NOT_FOUND", ""),
    Bad("other entry", "COMPOSITION_NOT_FOUND", page(), ("intro.html",), config={"entryFile": "intro.html"}),
    Bad("no duration", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(duration=""), ("0 s",)),
    Bad("zero duration", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(duration="0"), ("data-duration",)),
    Bad("negative duration", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(duration="-1"), ("data-duration",)),
    Bad("infinite duration", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(duration="Infinity"), ("data-duration",)),
    Bad("two days", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(duration="172800"), ("24 hours",)),
    Bad("too many frames", "PLAN_TOO_LARGE", page(duration="86400"), ("1000000",), config={"fps": 60}),
    Bad("endless timeline", "DISTRIBUTED_DURATION_OUT_OF_RANGE", page(FOREVER, duration="", no_timeline="")),
    Bad("unreadable duration", "COMPOSITION_INVALID", page(duration="1s"), ("data-duration", "1s")),
    Bad("odd width", "COMPOSITION_INVALID", page(width="321"), ("data-width", "322")),
    Bad("odd height", "COMPOSITION_INVALID", page(height="181"), ("data-height", "182")),
    Bad("no width at all", "COMPOSITION_INVALID", page(width="0"), ("data-width",)),
    Bad("other size", "InvalidConfigError", page(), ("640", "320"), config={"width": 640}),
    Bad("missing script", "PAGE_ASSET_MISSING", page('<script src="js/gone.js"></script>'), ("js/gone.js",)),
    Bad("missing image", "PAGE_ASSET_MISSING", page('<img src="gone.png">'), ("gone.png",)),
    Bad("late missing image", "PAGE_ASSET_MISSING",
        page("<script>new Image().src = 'late.png'; document.images</script><div>x</div>"), ("late.png",)),
    Bad("throwing script", "PAGE_SCRIPT_FAILED", page("<script>nothing.at.all</script>"), ("nothing",)),
    Bad("throwing timer", "PAGE_SCRIPT_FAILED", page("<script>setTimeout(() => { throw Error('late') })</script>"),
        ("late",)),
    Bad("rejected promise", "PAGE_SCRIPT_FAILED", page("<script>Promise.reject(Error('broken promise'))</script>"),
        ("broken promise",)),
    Bad("syntax error", "PAGE_SCRIPT_FAILED", page("<script>let = ;</script>"), ("Unexpected",)),
    Bad("throwing seek", "PAGE_SCRIPT_FAILED",
        page("<script>addEventListener('hf-seek', () => { throw Error('at seek') })</script>"), ("at seek",)),
    Bad("missing sub-composition", "EMPTY_COMPOSITION", page(MOUNT), ("sub.html",)),
    Bad("empty sub-composition", "EMPTY_COMPOSITION", page(MOUNT), ("sub.html",), files={"sub.html": " "}),
    Bad("throwing sub-composition", "PAGE_SCRIPT_FAILED", page(MOUNT), ("deep trouble",),
        files={"sub.html": SUB.format("<script>throw Error('deep trouble')</script>")}),
    Bad("cycle", "COMPOSITION_CYCLE", page(MOUNT), ("sub.html",), files={"sub.html": SUB.format(MOUNT)}),
    Bad("unknown variable", "VARIABLES_INVALID", page(DECLARED), ("titel",), config={"variables": {"titel": "x"}}),
    Bad("wrong type", "VARIABLES_INVALID", page(DECLARED), ("title",), config={"variables": {"title": 3}}),
    Bad("not an option", "VARIABLES_INVALID", page(DECLARED), ("tone",), config={"variables": {"tone": "loud"}}),
    Bad("video", "FEATURE_NOT_SUPPORTED", page('<video id="clip" src="a.mp4"></video>'), ("video",)),
    Bad("audio", "FEATURE_NOT_SUPPORTED", page('<audio id="song" src="a.mp3"></audio>'), ("audio",)),
    Bad("never ready", "PAGE_NOT_READY", page("<script>window.__tailwindReady = false</script>"), ("tailwind", "2 s")),
)  # fmt: skip


def _refused(render: Render, code: str) -> str:
    """Plans, and expects the code; returns the message."""
    with pytest.raises(RuntimeError) as caught:
        render.plan()
    assert type(caught.value).__name__ == code, str(caught.value)
    assert ERRORS[code].retry is Retry.NEVER
    assert storage.listing(render.folder) == {}, "nothing of a bad project may be left in the render folder"
    return str(caught.value)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_a_bad_project_is_refused_with_its_code(
    roots: Path, project: Project, monkeypatch: pytest.MonkeyPatch, bad: Bad
) -> None:
    """The message names what is wrong, trying again is no use, and the render folder stays empty."""
    monkeypatch.setenv("HYPERFRAMES_PAGE_TIMEOUT", "2")
    folder = project(bad.html, **bad.files)
    message = _refused(Render(file_uri(folder), file_uri(roots / "render"), bad.config), bad.code)
    for words in bad.says:
        assert words in message


def test_a_project_without_an_entry_page_is_refused(roots: Path, project: Project) -> None:
    """The message says which file is looked for."""
    folder = project()
    (folder / "index.html").rename(folder / "main.html")
    assert "index.html" in _refused(
        Render(file_uri(folder), file_uri(roots / "render")), "COMPOSITION_NOT_FOUND"
    )


@pytest.mark.parametrize("name", ["nothing", "nothing.tar.gz"])
def test_a_missing_project_is_refused(roots: Path, name: str) -> None:
    """Folder or archive; the message has the path."""
    message = _refused(Render(file_uri(roots / name), file_uri(roots / "render")), "PROJECT_NOT_FOUND")
    assert name in message


def test_a_project_outside_the_roots_is_refused(roots: Path) -> None:
    """Even one that is there; nothing of it is read."""
    message = _refused(Render("file:///etc", file_uri(roots / "render")), "S3_URI_NOT_ALLOWED")
    assert "file:///etc" in message


def test_a_render_folder_outside_the_roots_is_refused(roots: Path, project: Project, tmp_path: Path) -> None:
    """Before the project is looked at."""
    with pytest.raises(RuntimeError) as caught:
        Render(file_uri(project("")), file_uri(tmp_path.parent / "elsewhere")).plan()
    assert type(caught.value).__name__ == "S3_URI_NOT_ALLOWED"


def _archive(path: Path, name: str) -> bytes:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 5000
        tar.addfile(info, io.BytesIO(bytes(5000)))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("../index.html", lambda data: data, "../index.html"),
        ("index.html", lambda data: data[: len(data) // 2], "p.tar.gz"),
        ("index.html", lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "p.tar.gz"),
        ("index.html", lambda data: b"not an archive", "p.tar.gz"),
    ],
    ids=["leaves", "truncated", "checksum", "garbage"],
)
def test_a_bad_archive_is_refused(
    roots: Path, name: str, damage: Callable[[bytes], bytes], says: str
) -> None:
    """One that would leave its folder, and damaged ones; the message names member or archive."""
    path = roots / "p.tar.gz"
    path.write_bytes(damage(_archive(path, name)))
    message = _refused(Render(file_uri(path), file_uri(roots / "render")), "PROJECT_ARCHIVE_INVALID")
    assert says in message
    assert not (roots / "index.html").exists()
