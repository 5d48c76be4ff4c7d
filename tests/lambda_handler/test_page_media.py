"""Video and audio elements in a page: nothing plays, and everything about them is known."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from rendering import GSAP, page
from showing import composed, no_network
from synthetic_media import VP8, counting, made

from lambda_handler.compile.fetch import Fetch, Fetched
from lambda_handler.devtools import Devtools
from lambda_handler.errors import FeatureNotSupported
from lambda_handler.media_clips import MediaClip, clips
from lambda_handler.page.session import CompositionPage

Opened = Callable[..., AbstractContextManager[CompositionPage]]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of video of 200 x 100 px, as MP4 and as WebM, and 1 s of sound."""
    folder = tmp_path_factory.mktemp("media")
    made(folder / "v.mp4", *counting(frames=60, size=(200, 100)), "-c:v", "libx264", "-preset", "ultrafast")
    made(folder / "v.webm", *counting(frames=60, size=(200, 100)), *VP8)
    made(folder / "a.wav", "-f", "lavfi", "-i", "sine=duration=1")
    return folder


@pytest.fixture
def composition(browser: Devtools, tmp_path: Path, media: Path) -> Opened:
    """Opens a composition beside the media, and other files by name; made ready."""

    @contextmanager
    def opening(source: str, fetch: Fetch = no_network, **files: str) -> Iterator[CompositionPage]:
        beside = {file.name: file.read_bytes() for file in media.iterdir()}
        with composed(browser, tmp_path, source, {**files, **beside}, fetch=fetch) as (_, ready):
            ready.make_ready(())
            yield ready
            ready.problems.check()

    return opening


def _clips(composition: CompositionPage, duration: float = 10) -> dict[str, MediaClip]:
    return {clip.render_id: clip for clip in clips(composition.media(), duration)}


def _windows(composition: CompositionPage, duration: float = 10) -> dict[str, tuple[float, float]]:
    return {name: (clip.start, clip.end) for name, clip in _clips(composition, duration).items()}


def _declared(url: str) -> str:
    """The attribute that declares the variable "clip"."""
    variables = [{"id": "clip", "type": "image", "label": "", "default": url}]
    return f'data-composition-variables="{html.escape(json.dumps(variables))}"'


def test_a_clip_is_told_as_it_was_authored(composition: Opened) -> None:
    """All of it, with its source's path as it is served."""
    body = (
        '<video id="v" src="v.mp4" data-start="1" data-duration="3" data-media-start="0.5" data-playback-rate="2"'
        ' data-volume="0.25" loop muted data-has-audio="false"></video><audio src="a.wav" data-start="2"></audio>'
    )
    with composition(page(body, duration="10")) as ready:
        found = _clips(ready)
    assert found == {
        "v": MediaClip("v", "video", "v.mp4", 1, 4, 0.5, 2, True, True, False, False, 0.25),
        "hf-audio-0": MediaClip("hf-audio-0", "audio", "a.wav", 2, 3, 0, 1, False, False, False, None, 1),
    }


def test_windows_are_written_or_follow_from_the_source_and_the_hosts(composition: Opened) -> None:
    """References, ends, natural lengths at a rate, loops, hosts that end first, and the composition that ends last."""
    body = (
        '<video id="one" src="v.mp4" data-start="1"></video>'
        '<video id="two" src="v.mp4" data-start="one + 0.5" data-end="5"></video>'
        '<video id="fast" src="v.mp4" data-start="two - 1" data-playback-rate="4" data-media-start="1"></video>'
        '<audio id="short" src="a.wav" data-start="8.5" data-duration="9"></audio>'
        '<audio id="loop" src="a.wav" data-start="6" data-duration="9" loop></audio>'
        '<video id="last" src="v.mp4" data-start="9"></video><video id="auto" src="v.mp4"></video>'
        '<div data-start="5" data-duration="1"><video id="inside" src="v.mp4" data-start="4.5"></video></div>'
        '<video id="never" src="v.mp4" data-start="11"></video><video id="nothing" data-start="1"></video>'
    )
    with composition(page(body, duration="10")) as ready:
        found = _windows(ready)
    assert found == {
        "one": (1, 3),
        "two": (3.5, 5),
        "fast": (4, 4.25),
        "short": (8.5, 9.5),
        "loop": (6, 10),
        "last": (9, 10),
        "auto": (0, 2),
        "inside": (4.5, 6),
    }


def test_media_of_a_mounted_composition_count_from_their_host(composition: Opened) -> None:
    """In every instance, at any depth; one without a start begins with its host."""
    inner = '<template><div data-composition-id="{0}" data-no-timeline>{1}</div></template>'
    host = '<div data-composition-id="{0}" data-composition-src="{0}.html" data-start="{1}" data-duration="{2}"></div>'
    files = {
        "outer.html": inner.format(
            "outer", '<video id="v" src="v.mp4" data-start="0.5"></video>' + host.format("in", 1, 2)
        ),
        "in.html": inner.format("in", '<video id="w" src="v.mp4"></video>'),
    }
    with composition(page(host.format("outer", 2, 9), duration="10"), **files) as ready:
        found = _windows(ready)
    assert found == {"v": (2.5, 4.5), "w": (3, 5)}


def test_the_length_of_a_timeline_is_a_clips_host_length(composition: Opened) -> None:
    """A reference to a composition without a written duration."""
    body = (
        f'<script src="{GSAP}"></script><div data-composition-id="intro" data-start="1"><i></i></div>'
        '<video id="v" src="v.mp4" data-start="intro"></video><script>const tl = gsap.timeline({paused: true});'
        "tl.to('i', {x: 9, duration: 1.5});"
        "window.__timelines = {intro: tl, main: gsap.timeline({paused: true})};</script>"
    )
    with composition(page(body, duration="10", no_timeline="")) as ready:
        assert _windows(ready) == {"v": (2.5, 4.5)}


def test_an_audio_context_stands_still_until_the_page_resumes_it(composition: Opened) -> None:
    """Nobody hears it, and running it takes two threads, 27 ms of CPU a second."""
    body = "<script>window.made = new AudioContext(); window.isOne = made instanceof AudioContext</script>"
    with composition(page(body, duration="10")) as ready:
        assert ready._evaluate("() => [isOne, made.state]") == [True, "suspended"]
        assert ready._evaluate("() => made.resume().then(() => made.state)") == "running"


def test_scripts_find_media_loaded(composition: Opened) -> None:
    """Length, size and readiness are there at once, the events come, and playing does no harm."""
    body = (
        '<video id="v" data-start="0"><source src="v.mp4"></video><script>const v = document.getElementById("v");'
        "window.log = [v.duration, v.videoWidth, v.videoHeight, v.readyState, v.currentSrc.split('/').pop(), v.paused];"
        "for (const name of ['loadedmetadata', 'canplay', 'seeked', 'playing', 'pause'])"
        "v.addEventListener(name, () => log.push(name));"
        "v.addEventListener('canplay', async () => { await v.play(); v.currentTime = 1.5; v.pause() }, {once: true});"
        "</script>"
    )
    with composition(page(body, duration="10")) as ready:
        told = ready._evaluate("() => [...window.log, document.getElementById('v').currentTime]")
    assert told[:6] == [2, 200, 100, 4, "v.mp4", True]
    assert told[6:11] == ["loadedmetadata", "canplay", "playing", "seeked", "pause"]


def test_a_video_has_the_size_of_its_source(composition: Opened) -> None:
    """Without a decoder in the page: its own size, its height from its width, and a script's later video too."""
    body = (
        '<video id="v" src="v.mp4" data-start="0"></video><p><video id="w" src="v.mp4" style="width:100px"></video></p>'
        "<script>const later = document.createElement('video'); later.id = 'later'; later.src = 'v.mp4';"
        "document.body.append(later);</script>"
    )
    with composition(page(body, duration="10")) as ready:
        ready.seek(0.5)
        sizes = "id => { const e = document.getElementById(id); return [e.offsetWidth, e.offsetHeight] }"
        found = [ready._evaluate(sizes, name) for name in ("v", "w", "later")]
    assert found == [[200, 100], [100, 50], [200, 100]]


def test_a_video_that_a_script_makes_is_refused_and_never_plays(composition: Opened) -> None:
    """However it is made: nothing of it is loaded, the page stands still, and no error reaches the page."""
    body = (
        '<div id="box"></div><script>window.errors = 0; addEventListener("error", () => errors++, true);'
        "document.getElementById('box').innerHTML = `<video autoplay muted src='v.webm' onerror='errors++'></video>`;"
        "const made = document.createElement('video'); made.id = 'made'; made.src = 'v.webm'; made.autoplay = true;"
        "document.getElementById('box').append(made); made.setAttribute('autoplay', ''); made.play();"
        "const sound = new Audio('a.wav'); sound.onerror = () => errors++; sound.play();</script>"
    )
    with composition(page(body, duration="10")) as ready:
        pictures = set()
        for _ in range(4):
            ready.seek(0.5)
            pictures.add(ready.picture("png"))
            time.sleep(0.2)
        assert len(pictures) == 1
        assert not {"v.webm", "a.wav"} & ready.asked_for
        assert ready._evaluate("() => window.errors") == 0
        with pytest.raises(FeatureNotSupported) as caught:
            ready.require_authored_videos()
    assert '<video src="v.webm">, <video id="made" src="v.webm">' in caught.value.summary
    assert "into the page's HTML" in caught.value.resolution


def test_a_player_is_given_no_file(composition: Opened) -> None:
    """Not even one that was made where nothing sees it, and that asks at once; it is no missing file."""
    body = (
        "<script>const box = document.createElement('div'); box.innerHTML = '<video autoplay muted src=v.webm>';"
        "window.failed = new Promise(done => box.firstChild.onerror = () => done(true));</script>"
    )
    with composition(page(body, duration="10")) as ready:
        assert ready._evaluate("() => Promise.race([window.failed, __hfClock.pause(20000)])") is True, "it waits"
        assert "v.webm" not in ready.asked_for


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://media.example.com/clips/v.mp4?size=1", "https://media.example.com/clips/v.mp4?size=1"),
        ("HTTPS://Media.EXAMPLE.com:443/my clips/v.mp4#t=1", "https://media.example.com/my%20clips/v.mp4"),
        ("https://münchen.example/x/../ü.mp4", "https://xn--mnchen-3ya.example/%C3%BC.mp4"),
    ],
)
def test_a_variable_gives_a_video_its_file(composition: Opened, media: Path, written: str, url: str) -> None:
    """From another server too: fetched once while planning, and served under the URL that the browser makes of it."""
    asked: list[str] = []

    def fetch(address: str, *, asked_by: str) -> Fetched:
        asked.append(f"{asked_by}: {address}")
        return Fetched(address, "video/mp4", (media / "v.mp4").read_bytes())

    source = page('<video id="v" src="a.wav" data-var-src="clip" data-start="1"></video>', duration="10")
    with composition(source.replace("<html", f"<html {_declared(written)}"), fetch) as ready:
        assert [clip["source"] for clip in ready.media()] == [url]
        ready.know_media({url: {"duration": 2.0, "width": 200, "height": 100}})
        assert _windows(ready) == {"v": (1, 3)}
        ready._evaluate(f"() => fetch('{written}', {{mode: 'no-cors'}}).then(() => 0)")
        assert url in ready.asked_for
    assert [line.endswith(url) and "clip" in line for line in asked] == [True]


def test_a_variable_of_the_same_name_elsewhere_is_not_asked_for(composition: Opened, media: Path) -> None:
    """An element has the values of the composition that it is in."""
    asked: list[str] = []

    def fetch(address: str, *, asked_by: str) -> Fetched:
        asked.append(address)
        return Fetched(address, "video/mp4", (media / "v.mp4").read_bytes())

    url = "https://media.example.com/{}?file".format
    inside = {"bound": '<video id="in" src="v.mp4" data-var-src="clip"></video>', "other": "<p>text</p>"}
    inner = (
        '<html {1}><body><template><div data-composition-id="{0}" data-no-timeline>{2}</div></template></body></html>'
    )
    files = {f"{name}.html": inner.format(name, _declared(url(name)), inside[name]) for name in inside}
    host = '<div data-composition-id="{0}" data-composition-src="{0}.html" data-start="0" data-duration="2"></div>'
    body = '<video id="out" src="v.mp4" data-var-src="clip" data-start="0"></video>' + "".join(map(host.format, inside))
    source = page(body, duration="10").replace("<html", f"<html {_declared(url('page'))}")
    with composition(source, fetch, **files) as ready:
        sources = {clip["renderId"]: clip["source"] for clip in ready.media()}
    assert sources == {"out": url("page"), "in": url("bound")}
    assert sorted(asked) == sorted(sources.values())
