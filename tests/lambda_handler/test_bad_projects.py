"""Projects that cannot be rendered: each is refused with its code, before any frame is drawn."""

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
from lambda_handler.errors import (
    CompositionCycle,
    CompositionInvalid,
    CompositionNotFound,
    DurationOutOfRange,
    EmptyComposition,
    FeatureNotSupported,
    InvalidConfig,
    NotMediaPayload,
    PageAssetMissing,
    PageNotReady,
    PageScriptFailed,
    PlanTooLarge,
    ProjectArchiveInvalid,
    ProjectNotFound,
    RenderError,
    Retry,
    UriNotAllowed,
    VariablesInvalid,
    VideoSourceUnrenderable,
)
from lambda_handler.storage import file_uri

MOUNT = (
    '<div data-composition-id="sub" data-composition-src="sub.html" data-start="0" data-duration="1" '
    "data-no-timeline></div>"
)
SUB = '<template><div data-composition-id="sub" data-width="320" data-height="180">{}</div></template>'
DECLARED = (
    '<div data-composition-variables=\'[{"id":"title","type":"string","label":"Title","default":"a"},'
    '{"id":"tone","type":"enum","label":"Tone","default":"warm","options":[{"value":"warm"},{"value":"cold"}]}]\'>'
    "</div>"
)
FOREVER = (
    f'<script src="{GSAP}"></script>{BOX}<script>const tl = gsap.timeline({{paused: true}});'
    "tl.to('#box', {x: 100, duration: 1, repeat: -1}); window.__timelines = {main: tl};</script>"
)


def _script(code: str) -> str:
    return page(f"<script>{code}</script>")


@dataclass(frozen=True)
class Bad:
    """A page, other files, a request; the error it ends with, and words that the message has."""

    what: str
    error: type[RenderError]
    html: str
    says: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


BAD = (
    Bad("no composition", CompositionNotFound, "<p>hello</p>", ("index.html",)),
    Bad("empty page", CompositionNotFound, ""),
    Bad("other entry", CompositionNotFound, page(), ("intro.html",), config={"entryFile": "intro.html"}),
    Bad("no duration", DurationOutOfRange, page(duration=""), ("0 s",)),
    Bad("zero duration", DurationOutOfRange, page(duration="0"), ("data-duration",)),
    Bad("negative duration", DurationOutOfRange, page(duration="-1"), ("data-duration",)),
    Bad("infinite duration", DurationOutOfRange, page(duration="Infinity"), ("data-duration",)),
    Bad("two days", DurationOutOfRange, page(duration="172800"), ("24 hours",)),
    Bad("too many frames", PlanTooLarge, page(duration="86400"), ("1000000",), config={"fps": 60}),
    Bad("endless timeline", DurationOutOfRange, page(FOREVER, duration="", no_timeline=""), ("24 h",)),
    Bad("unreadable duration", CompositionInvalid, page(duration="1s"), ("data-duration", "1s")),
    Bad("odd width", CompositionInvalid, page(width="321"), ("data-width", "322")),
    Bad("odd height", CompositionInvalid, page(height="181"), ("data-height", "182")),
    Bad("no width at all", CompositionInvalid, page(width="0"), ("data-width",)),
    Bad("other size", InvalidConfig, page(), ("640", "320"), config={"width": 640}),
    Bad("missing script", PageAssetMissing, page('<script src="js/gone.js"></script>'), ("js/gone.js",)),
    Bad("missing image", PageAssetMissing, page('<img src="gone.png">'), ("gone.png",)),
    Bad("late missing image", PageAssetMissing, _script("new Image().src = 'late.png'"), ("late.png",)),
    Bad("throwing script", PageScriptFailed, _script("nothing.at.all"), ("nothing",)),
    Bad("throwing timer", PageScriptFailed, _script("setTimeout(() => { throw Error('late') })"), ("late",)),
    Bad("rejected promise", PageScriptFailed, _script("Promise.reject(Error('broken'))"), ("broken",)),
    Bad("syntax error", PageScriptFailed, _script("let = ;"), ("Unexpected",)),
    Bad("throwing seek", PageScriptFailed,
        _script("addEventListener('hf-seek', () => { throw Error('at seek') })"), ("at seek",)),
    Bad("missing sub-composition", EmptyComposition, page(MOUNT), ("sub.html",)),
    Bad("empty sub-composition", EmptyComposition, page(MOUNT), ("sub.html",), {"sub.html": " "}),
    Bad("throwing sub-composition", PageScriptFailed, page(MOUNT), ("deep trouble",),
        {"sub.html": SUB.format("<script>throw Error('deep trouble')</script>")}),
    Bad("cycle", CompositionCycle, page(MOUNT), ("sub.html",), {"sub.html": SUB.format(MOUNT)}),
    Bad("unknown variable", VariablesInvalid, page(DECLARED), ("titel",), config={"variables": {"titel": 1}}),
    Bad("wrong type", VariablesInvalid, page(DECLARED), ("title",), config={"variables": {"title": 3}}),
    Bad("not an option", VariablesInvalid, page(DECLARED), ("tone",), config={"variables": {"tone": "loud"}}),
    Bad("missing video", PageAssetMissing, page('<video id="clip" src="a.mp4"></video>'), ("a.mp4", "clip")),
    Bad("video that is a pointer", NotMediaPayload, page('<video src="a.mp4"></video>'), ("a.mp4", "git lfs pull"),
        {"a.mp4": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"}),
    Bad("video that is none", VideoSourceUnrenderable, page('<video src="a.mp4"></video>'), ("a.mp4",),
        {"a.mp4": "moov" * 100}),
    Bad("dotLottie player", FeatureNotSupported, page('<dotlottie-wc src="a.lottie"></dotlottie-wc>'), ("lottie-web",)),
    Bad("dotLottie script", FeatureNotSupported,
        page('<script src="https://unpkg.com/@lottiefiles/dotlottie-web@0.40.0/dist/index.js"></script>'),
        ("dotlottie-web",)),
    Bad("video that a script makes", FeatureNotSupported,
        _script("document.body.append(document.createElement('p')); "
                "document.querySelector('p').innerHTML = '<video id=v autoplay muted src=a.webm>'"),
        ('<video id="v" src="a.webm">', "into the page's HTML"), {"a.webm": "webm"}),
    Bad("never ready", PageNotReady, _script("window.__tailwindReady = false"), ("tailwind", "2 s")),
)  # fmt: skip


def _refused(render: Render, error: type[RenderError]) -> str:
    """Plans, and expects the error; returns the message."""
    with pytest.raises(RuntimeError) as caught:
        render.plan()
    assert type(caught.value).__name__ == error.code, str(caught.value)
    assert error.retry is Retry.NEVER
    assert [*storage.listing(render.folder)] == ["request.json"], "nothing of a bad project may be left in the folder"
    return str(caught.value)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_a_bad_project_is_refused_with_its_code(
    roots: Path, project: Project, monkeypatch: pytest.MonkeyPatch, bad: Bad
) -> None:
    """The message names what is wrong, trying again is no use, and the render folder stays empty."""
    monkeypatch.setenv("HYPERFRAMES_PAGE_TIMEOUT", "2")
    folder = project(bad.html, **bad.files)
    message = _refused(Render(file_uri(folder), file_uri(roots / "render"), bad.config), bad.error)
    for words in bad.says:
        assert words in message


def test_a_project_without_an_entry_page_is_refused(roots: Path, project: Project) -> None:
    """The message says which file is looked for."""
    folder = project()
    (folder / "index.html").rename(folder / "main.html")
    assert "index.html" in _refused(Render(file_uri(folder), file_uri(roots / "render")), CompositionNotFound)


@pytest.mark.parametrize("name", ["nothing", "nothing.tar.gz"])
def test_a_missing_project_is_refused(roots: Path, name: str) -> None:
    """Folder or archive; the message has the path."""
    message = _refused(Render(file_uri(roots / name), file_uri(roots / "render")), ProjectNotFound)
    assert name in message


def test_a_project_outside_the_roots_is_refused(roots: Path) -> None:
    """Even one that is there; nothing of it is read."""
    message = _refused(Render("file:///etc", file_uri(roots / "render")), UriNotAllowed)
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
        ("index.html", lambda _: b"not an archive", "p.tar.gz"),
    ],
    ids=["leaves", "truncated", "checksum", "garbage"],
)
def test_a_bad_archive_is_refused(roots: Path, name: str, damage: Callable[[bytes], bytes], says: str) -> None:
    """One that would leave its folder, and damaged ones; the message names member or archive."""
    path = roots / "p.tar.gz"
    path.write_bytes(damage(_archive(path, name)))
    message = _refused(Render(file_uri(path), file_uri(roots / "render")), ProjectArchiveInvalid)
    assert says in message
    assert not (roots / "index.html").exists()
