"""The page driver on real compositions: when a page is ready, and what a seek does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rendering import BOX, GSAP, page

from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.compile.fetch import Network
from lambda_handler.compile.page import compile_page, init_script
from lambda_handler.errors import PageNotReady, PageScriptFailed
from lambda_handler.page.session import PAGE_TIMEOUT_VARIABLE, CompositionPage, opened
from lambda_handler.site import stage

Opened = Callable[[str], AbstractContextManager[CompositionPage]]
SIZE = {"width": 320, "height": 180}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched(toolchain.chromium(), SIZE["width"], SIZE["height"]) as browser:
        yield browser


@pytest.fixture
def composition(browser: Browser, tmp_path: Path) -> Opened:
    """Opens a compiled composition that has the body, not yet made ready."""

    @contextmanager
    def opening(html: str) -> Iterator[CompositionPage]:
        (tmp_path / "project").mkdir(exist_ok=True)
        (tmp_path / "project" / "index.html").write_text(html)
        compiled = compile_page(
            tmp_path / "project",
            "index.html",
            {},
            node_modules=toolchain.node_modules(),
            runtime=toolchain.page_runtime().script,
            fetch=Network(),
        )
        site = stage(compiled.files, tmp_path)
        with opened(browser, site, init_script(30.0), **SIZE, fps=30.0) as ready:
            yield ready

    return opening


def _told(composition: CompositionPage, expression: str) -> object:
    return composition._evaluate(f"() => {expression}")


def test_webgl_is_drawn_by_swiftshader(composition: Opened) -> None:
    """Whatever GPU the machine has: pixels must not depend on it."""
    with composition(page()) as ready:
        ready.make_ready(())
        ready.require_software_gpu()
        assert "SwiftShader" in str(_told(ready, "__hfDriver.webglRenderer()"))


def test_animation_frames_and_hf_seek_come_once_for_each_seek(composition: Opened) -> None:
    """Each with the moment's own time."""
    script = (
        "<script>window.log = []; addEventListener('hf-seek', e => log.push(['seek', e.detail.time]));"
        "const draw = now => { log.push(['frame', now]); requestAnimationFrame(draw) };"
        "requestAnimationFrame(draw);</script>"
    )
    with composition(page(script)) as ready:
        ready.make_ready(())
        _told(ready, "log.splice(0)")
        for moment in (0.1, 0.5, 0.2):
            ready.seek(moment)
        assert _told(ready, "log") == [
            ["seek", 0.1],
            ["frame", 100],
            ["seek", 0.5],
            ["frame", 500],
            ["seek", 0.2],
            ["frame", 200],
        ]


def test_a_seek_waits_for_what_the_page_promises(composition: Opened) -> None:
    """`waitUntil` holds the picture back until the page has drawn it."""
    script = (
        "<script>addEventListener('hf-seek', e => e.detail.waitUntil("
        "__hfClock.pause(50).then(() => { window.drawn = e.detail.time })));</script>"
    )
    with composition(page(script)) as ready:
        ready.make_ready(())
        ready.seek(0.5)
        assert _told(ready, "drawn") == 0.5


def test_the_running_page_tells_its_timelines_length(composition: Opened) -> None:
    """Where nothing is written in the page."""
    script = "const tl = gsap.timeline({paused: true}); tl.to('#box', {x: 1, duration: 2.5});"
    body = f'<script src="{GSAP}"></script>{BOX}<script>{script} window.__timelines = {{main: tl}};</script>'
    with composition(page(body, duration="", no_timeline="")) as ready:
        assert ready.make_ready(()) == ()
        assert ready.duration() == 2.5


def test_a_timeline_that_is_registered_late_is_waited_for(composition: Opened) -> None:
    """By a page that builds it after a timer."""
    script = "setTimeout(() => { window.__timelines = {main: gsap.timeline({paused: true}).to('#box', {x: 9})} }, 100);"
    body = f'<script src="{GSAP}"></script>{BOX}<script>{script}</script>'
    with composition(page(body, no_timeline="")) as ready:
        assert ready.make_ready(()) == ()
        assert _told(ready, "'main' in __timelines") is True


def test_a_known_composition_without_a_timeline_is_not_waited_for(composition: Opened) -> None:
    """The plan found it out, the chunks need not."""
    with composition(page(BOX, no_timeline="")) as ready:
        assert ready.make_ready(("main",)) == ("main",)
        assert _told(ready, "performance.now()") == 0


def test_what_a_page_still_waits_for_is_named(composition: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is up."""
    monkeypatch.setenv(PAGE_TIMEOUT_VARIABLE, "0.3")
    with (
        composition(page("<script>window.__tailwindReady = false</script>")) as ready,
        pytest.raises(PageNotReady, match=r"After 0\.3 s the page still waits for tailwind"),
    ):
        ready.make_ready(())


def test_requests_are_answered_from_the_plan_or_refused(composition: Opened) -> None:
    """Nothing leaves the page: not to the internet, not to the machine, not to the metadata service."""
    urls = ["https://example.com/x", "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/", "/none.json"]
    fetching = "url => fetch('' + url).then(answer => answer.status, () => 0)"
    script = f"<script>window.got = Promise.all(URLS.map({fetching}))</script>"
    hidden = str([url[:6] + "'+'" + url[6:] for url in urls]).replace('"', "'")
    with composition(page(script.replace("URLS", hidden))) as ready:
        ready.make_ready(())
        assert _told(ready, "got") == [0, 0, 0, 404]
        assert ready.problems.missing == []
        assert set(urls) <= set(ready.problems.refused)


def test_a_page_that_breaks_at_a_seek_is_the_projects_fault(composition: Opened) -> None:
    """Trying again would not help."""
    with composition(page("<script>window.loadingBreaks = 1</script>")) as ready:
        ready.make_ready(())
        _told(ready, "{ __player.renderSeek = () => { throw Error('no such moment') } }")
        with pytest.raises(PageScriptFailed, match="no such moment"):
            ready.seek(0.1)


def test_a_promise_that_is_never_kept_has_a_limit(composition: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's; the message says whose promise, about which moment, and what changes the limit."""
    script = "<script>addEventListener('hf-seek', e => e.detail.waitUntil(new Promise(() => {})))</script>"
    with composition(page(script)) as ready:
        ready.make_ready(())
        monkeypatch.setenv(PAGE_TIMEOUT_VARIABLE, "0.3")
        with pytest.raises(PageNotReady, match=r"\(waitUntil\) about 0\.5 s was not kept within 0\.3 s") as caught:
            ready.seek(0.5)
        assert PAGE_TIMEOUT_VARIABLE in str(caught.value)


def test_a_promise_of_tailwind_is_waited_for(composition: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """And named where it is not kept."""
    with composition(page("<script>window.__tailwindReady = __hfClock.pause(100)</script>")) as ready:
        ready.make_ready(())
    monkeypatch.setenv(PAGE_TIMEOUT_VARIABLE, "0.3")
    with (
        composition(page("<script>window.__tailwindReady = new Promise(() => {})</script>")) as ready,
        pytest.raises(PageNotReady, match=r"waits for tailwind"),
    ):
        ready.make_ready(())


def test_what_the_page_says_on_its_console_is_a_warning(composition: Opened) -> None:
    """Once, if it is an error; so is a request that was refused, where the picture can do without."""
    script = "for (let i = 0; i < 2; i++) console.error('no data'); console.warn('old'); fetch('/none.json');"
    with composition(page(f"<script>{script}</script>")) as ready:
        ready.make_ready(())
        ready.seek(0)
        assert sorted(ready.problems.warnings()) == [
            "The page asked for /none.json, which it was refused.",
            "The page's console says: no data",
        ]


@pytest.mark.parametrize(
    "ask",
    [
        "fetch('/index.html').then(answer => answer.text()).then(text => { window.got = text.length })",
        "const asked = new XMLHttpRequest(); asked.open('GET', '/index.html');"
        "asked.onload = () => { window.got = asked.responseText.length }; asked.send()",
    ],
    ids=["fetch", "XMLHttpRequest"],
)
def test_a_page_is_not_ready_before_it_has_what_it_asked_for(composition: Opened, ask: str) -> None:
    """Its data may be what it draws."""
    with composition(page(f"<script>{ask}</script>")) as ready:
        ready.make_ready(())
        assert _told(ready, "got > 0") is True
