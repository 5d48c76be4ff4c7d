"""The page driver on real compositions: when a page is ready, and what a seek does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from rendering import BOX, GSAP, page
from showing import composed

from lambda_handler.capture import frames
from lambda_handler.devtools import Devtools
from lambda_handler.errors import ChunkDeadline, PageNotReady, PageScriptFailed
from lambda_handler.grid import FrameRange
from lambda_handler.page.gates import GATES, PAGE_TIMEOUT_VARIABLE
from lambda_handler.page.session import CompositionPage

Opened = Callable[[str], AbstractContextManager[CompositionPage]]


@pytest.fixture
def composition(browser: Devtools, tmp_path: Path) -> Opened:
    """Opens a compiled composition that has the body, not yet made ready."""

    @contextmanager
    def opening(html: str) -> Iterator[CompositionPage]:
        with composed(browser, tmp_path, html) as (_, composition):
            yield composition

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


WAITING = {
    "document": (
        "Object.defineProperty(document, 'readyState', {get: () => 'loading'})",
        "its document",
        "document.open()",
    ),
    "runtime": (
        "Object.defineProperty(window, '__playerReady', {get: () => false, set() {}})",
        "the page runtime",
        "what the page registers",
    ),
    "timeline": ("", 'composition "late" to register its timeline', "or mark the composition data-no-timeline"),
    "image": (
        "Object.defineProperty(HTMLImageElement.prototype, 'complete', {get: () => false});"
        "document.getElementById('root').append(Object.assign(new Image(), {src: 'data:,slow'}))",
        "image data:,slow",
        "Make the image smaller",
    ),
    "answer": (
        "Response.prototype.clone = () => ({arrayBuffer: () => new Promise(() => {})}); fetch('/index.html')",
        "the answer to /index.html",
        "Put what the page fetches into the project",
    ),
    "tailwind": ("window.__tailwindReady = false", "tailwind (window.__tailwindReady)", "Set window.__tailwindReady"),
}


@pytest.mark.parametrize("gate", GATES)
def test_what_is_waited_for_decides_what_to_do_about_it(
    composition: Opened, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    """Both are named, with what changes the limit; advice about other reasons is not given."""
    script, waits_for, advice = WAITING[gate]
    mounted = '<div data-composition-id="late" data-width="9" data-height="9"></div>' if gate == "timeline" else ""
    monkeypatch.setenv(PAGE_TIMEOUT_VARIABLE, "0.5")
    with composition(page(f"{mounted}<script>{script}</script>")) as ready, pytest.raises(PageNotReady) as caught:
        ready.make_ready(())
    assert caught.value.summary.startswith("After 0.5 s the page still waits for")
    assert waits_for in caught.value.summary
    assert advice in caught.value.resolution
    assert PAGE_TIMEOUT_VARIABLE in caught.value.resolution
    assert not [other for other in GATES if other != gate and GATES[other].resolution in caught.value.resolution]


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
        assert "waitUntil" in caught.value.resolution
        assert "timeline" not in caught.value.resolution


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


def test_a_request_that_cannot_be_sent_is_not_waited_for(composition: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that was answered while it was sent: neither has an end to come."""
    script = (
        "try { new XMLHttpRequest().send() } catch (error) { window.thrown = error.name }"
        "const asked = new XMLHttpRequest(); asked.open('GET', '/index.html', false); asked.send();"
    )
    monkeypatch.setenv(PAGE_TIMEOUT_VARIABLE, "5")
    with composition(page(f"<script>{script}</script>")) as ready:
        ready.make_ready(())
        assert _told(ready, "thrown") == "InvalidStateError"


def test_a_long_way_is_gone_in_pieces_between_which_the_renderer_may_stop(composition: Opened) -> None:
    """Here each animation frame takes 0.3 s: four of them, and a look at the limits."""
    script = (
        "<script>window.drawn = []; const real = () => new Event('x').timeStamp; const draw = now => {"
        "drawn.push(now); for (const end = real() + 300; real() < end; ); requestAnimationFrame(draw) };"
        "requestAnimationFrame(draw);</script>"
    )
    looks: list[object] = []
    with composition(page(script, duration="10")) as ready:
        ready.make_ready(())
        _told(ready, "drawn.splice(0)")
        ready.seek(4.2, lambda: looks.append(_told(ready, "drawn.length")))
        assert _told(ready, "drawn") == [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4200]
        assert 1 <= len(looks) <= 4
        assert looks[0] in (1, 2, 3, 4)

        def stop(done: int) -> None:
            raise ChunkDeadline(f"The time is up after {done} frames.")

        late = FrameRange(3000, 3002)
        with pytest.raises(ChunkDeadline, match="after 0 frames"):
            next(frames(ready, late, Fraction(30), "png", stop))


def test_a_timeline_of_too_many_tweens_to_visit_is_a_warning(composition: Opened) -> None:
    """Here it is one more than those that are visited, which give none."""
    building = (
        "const tl = gsap.timeline({paused: true}); for (let i = 0; i < COUNT; i++) tl.set('#box', {x: i}, i / 5000);"
        "window.__timelines = {main: tl};"
    )
    told = {}
    for count in (5000, 5001):
        script = building.replace("COUNT", str(count))
        body = f'<script src="{GSAP}"></script>{BOX}<script>{script}</script>'
        with composition(page(body, no_timeline="")) as ready:
            ready.make_ready(())
            told[count] = ready.problems.warnings()
    assert told[5000] == ()
    assert len(told[5001]) == 1
    assert told[5001][0].startswith('Composition "main" has a timeline with very many tweens.')
