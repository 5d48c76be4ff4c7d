"""A composition open in the browser: made ready, moved to a moment, drawn.

This is the page driver's Python side. Every request of the page is answered from files of the plan; anything
else is refused and remembered.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from lambda_handler.devtools import Devtools, Refused
from lambda_handler.errors import (
    BrowserFailed,
    FeatureNotSupported,
    GpuNotSoftware,
    PageScriptFailed,
)
from lambda_handler.formats import PictureKind
from lambda_handler.page import AUDIO_QUESTION, tab
from lambda_handler.page.content_types import content_type
from lambda_handler.page.gates import BROKEN_PROMISE, PAGE_TIMEOUT_VARIABLE, not_kept, not_ready
from lambda_handler.page.problems import ORIGIN, Problems
from lambda_handler.page.tab import BLANK, Answer, Request, ScriptThrew, Tab
from lambda_handler.page.window import Window, reading
from lambda_handler.site import PAGE
from lambda_handler.video.player import Shown, VideoPlayer

DEFAULT_PAGE_TIMEOUT_SECONDS = 45.0
# A page that asks for nothing any more and still lacks a timeline will not register one.
QUIET_SECONDS = 3.0
STANDSTILL_SECONDS = 0.2
POLL_SECONDS = 0.02
DRAWING_TRIES = 5
JPEG_QUALITY = 95
SCREENSHOTS: Mapping[PictureKind, Mapping[str, Any]] = {
    "png": {"format": "png", "optimizeForSpeed": True},
    "jpeg": {"format": "jpeg", "quality": JPEG_QUALITY},
}
WAKING_TRIES = 25


def _page_timeout() -> float:
    return float(os.environ.get(PAGE_TIMEOUT_VARIABLE, DEFAULT_PAGE_TIMEOUT_SECONDS))


class CompositionPage:
    """One page at one composition. Make it with `opened`."""

    def __init__(self, page: Tab, served: Served, problems: Problems, fps: float, window: Window | None) -> None:
        self._served = served
        self._shown: dict[str, Shown] = {}
        self._page = page
        self._window = window
        self._frame_ms = 1000 / fps
        self._ticks = 0.0
        self.problems = problems

    def make_ready(self, untimed: tuple[str, ...]) -> tuple[str, ...]:
        """Waits until frame 0 can be drawn; returns the compositions that register no timeline.

        Raises PageScriptFailed, PageAssetMissing, PageNotReady.
        """
        limit = _page_timeout()
        started = quiet_since = time.monotonic()
        seen: list[dict[str, str]] = []
        # Scripts that draw elements into canvases at once find them painted.
        self._begin_frame()
        while True:
            waited = time.monotonic() - started
            # Timers that the page polls with only run when it would otherwise stand still.
            standing = time.monotonic() - quiet_since
            patience = {"polls": standing > STANDSTILL_SECONDS, "any": waited > QUIET_SECONDS}
            reasons = self._evaluate("options => __hfDriver.waitingFor(options)", {"untimed": untimed, **patience})
            self._begin_frame(noDisplayUpdates=True)
            if not reasons:
                break
            if reasons != seen:
                seen, quiet_since = reasons, time.monotonic()
            if time.monotonic() - quiet_since > QUIET_SECONDS:
                self.problems.check()
                if all(reason["gate"] == "timeline" for reason in reasons):
                    untimed = (*untimed, *(reason["what"] for reason in reasons))
            if waited > limit:
                self.problems.check()
                raise not_ready(reasons, limit)
            time.sleep(POLL_SECONDS)
        settled = self._evaluate("() => __hfDriver.settleAtStart()")
        self.problems.missing += [f"font {font}" for font in settled["failedFonts"]]
        self.problems.unprimed += settled["unprimed"]
        self.problems.check()
        self._ticks = time.monotonic() * 1000 + 1000
        return untimed

    def require_software_gpu(self, *, webgpu: bool = False) -> None:
        """Raises GpuNotSoftware unless WebGL, and WebGPU where the page needs it, are SwiftShader's.

        FeatureNotSupported where there is no WebGPU.
        """
        renderer = self._evaluate("() => __hfDriver.webglRenderer()")
        if renderer is None or "swiftshader" not in renderer.lower():
            raise GpuNotSoftware(f"WebGL would be drawn by {renderer or 'nothing'} and not by SwiftShader.")
        if webgpu:
            adapter = self._evaluate("() => __hfDriver.webgpuAdapter()")
            if adapter is None:
                raise FeatureNotSupported(
                    "The composition has data-requires-webgpu, and this Chromium has no WebGPU.",
                    resolution="Use the pinned Chromium: leave CHROMIUM_PATH unset.",
                )
            if adapter != "swiftshader":
                raise GpuNotSoftware(f"WebGPU would be drawn by {adapter} and not by SwiftShader.")

    def require_authored_videos(self) -> None:
        """Raises FeatureNotSupported where a script has put a video into the page: no chunk knows it by name."""
        made = self._evaluate("() => __hfDriver.madeVideos()")
        if made:
            raise FeatureNotSupported(
                f"A script has put {', '.join(made)} into the page, where it would stay blank.",
                resolution="Put the video element into the page's HTML; scripts may still move, style and hide it.",
            )

    def duration(self) -> float:
        """The length in seconds that the page itself reports; 0 where it knows none."""
        return float(self._evaluate("() => __hfDriver.duration()"))

    def media(self) -> list[dict[str, Any]]:
        """Every video and audio element of the ready page and where it stands in time: see `media_clips.clips`."""
        told: list[dict[str, Any]] = self._evaluate("() => __hfDriver.media()")
        return told

    def audio(self, root: str, duration: float, fps: float) -> dict[str, Any]:
        """What the page says about its sound, volumes looked at `fps` times a second: see `audio.heard.score`.

        The last question to a page: it moves the timelines.
        """
        asked = {"root": root, "duration": duration, "fps": fps}
        told: dict[str, Any] = self._evaluate(AUDIO_QUESTION, asked)
        return told

    def know_media(self, facts: Mapping[str, Mapping[str, float]]) -> None:
        """Tells the page of more media files than its init script did."""
        self._evaluate("facts => __hfDriver.knowMedia(facts)", facts)

    def show(self, videos: VideoPlayer) -> None:
        """From the next `seek` on the page's videos show what `videos` gives."""
        self._served.videos = videos

    @property
    def asked_for(self) -> frozenset[str]:
        """The paths of all files that the page was given."""
        return frozenset(self._served.given)

    def seek(self, seconds: float, on_the_way: Callable[[], None] = lambda: None) -> None:
        """Moves the page to the moment `seconds`, its videos with it.

        A long way there is gone about a second of real time at once, and `on_the_way` called in between: it may raise.
        """
        shown = self._served.videos.at(seconds) if self._served.videos else {}
        changed = {
            name: [f"/{now.path}", now.media_time] for name, now in shown.items() if self._shown.get(name) != now
        }
        limit = _page_timeout()
        paints = self._evaluate("parts => __hfDriver.seek(...parts)", [seconds, changed, limit])
        while paints is None:
            on_the_way()
            paints = self._evaluate("parts => __hfDriver.arrive(...parts)", [seconds, bool(changed), limit])
        if paints:
            self._evaluate("() => __hfDriver.beforePaint()")
            self._begin_frame(**self._next_tick())
            self._evaluate("parts => __hfDriver.afterPaint(...parts)", [seconds, limit])
        self._shown |= shown

    def flush(self) -> None:
        """Draws without a picture: only then is the next `has_changed` truthful."""
        self._begin_frame(**self._next_tick())

    def has_changed(self) -> bool:
        """Whether anything has to be drawn since the last `flush` or `has_changed`."""
        return bool(self._begin_frame(**self._next_tick())["hasDamage"])

    def clear_background(self) -> None:
        """From now on pictures have no background: where the page draws nothing they are transparent."""
        self._page.call("Emulation.setDefaultBackgroundColorOverride", {"color": {"r": 0, "g": 0, "b": 0, "a": 0}})
        self._evaluate("() => __hfDriver.clearBackground()")

    @property
    def shows_window(self) -> bool:
        """Whether there are pictures of the kind "bgra"."""
        return self._window is not None

    def picture(self, kind: PictureKind) -> bytes:
        """A picture of the page as it is now, whatever was drawn before."""
        self._evaluate("() => __hfDriver.hide()")
        # Painted but not drawn: that is enough to forget, and saves compositing an empty picture.
        self._begin_frame(noDisplayUpdates=True, **self._next_tick())
        if depth := self._evaluate("() => __hfDriver.show()"):
            self._wake_frames(depth)
        if kind == "bgra" and self._window:
            return self._pixels(self._window)
        for _ in range(DRAWING_TRIES):
            answer = self._begin_frame(screenshot=SCREENSHOTS[kind], **self._next_tick())
            if "screenshotData" in answer:
                return base64.b64decode(answer["screenshotData"])
        raise BrowserFailed("Chromium drew a frame but gave no picture of it.")

    def check_window(self) -> None:
        """Raises BrowserFailed unless the window is still where its pictures were read. The page is gone then."""
        self._page.open(BLANK)
        if self._window and not self._window.follows(self._page, self.flush):
            raise BrowserFailed("Chromium's window is not where it was: its pictures are not to be believed.")

    def _pixels(self, window: Window) -> bytes:
        for _ in range(DRAWING_TRIES):
            if self._begin_frame(**self._next_tick())["hasDamage"]:
                break
        # Nothing to draw: an empty stage was empty before.
        return window.pixels()

    def _wake_frames(self, depth: int) -> None:
        """Draws until every frame in the page is drawn again: when Chromium wakes one is a matter of real time."""
        for attempt in range(depth + WAKING_TRIES):
            self._begin_frame(**self._next_tick())
            if attempt + 1 >= depth and self._evaluate("() => __hfDriver.draws()"):
                return
            time.sleep(POLL_SECONDS if attempt >= depth else 0)
        # One that lies outside the stage is never drawn, and nobody sees it.

    def _next_tick(self) -> dict[str, float]:
        self._ticks += self._frame_ms
        return {"frameTimeTicks": self._ticks, "interval": self._frame_ms}

    def _begin_frame(self, **parameters: Any) -> dict[str, Any]:
        try:
            return self._page.call("HeadlessExperimental.beginFrame", parameters)
        except Refused as error:
            raise BrowserFailed(f"Chromium stopped drawing: {error}.") from error

    def _evaluate(self, expression: str, argument: Any = None) -> Any:
        try:
            return self._page.evaluate(expression, argument)
        except ScriptThrew as error:
            if BROKEN_PROMISE in error.message:
                raise not_kept(error.message.splitlines()[0]) from error
            raise PageScriptFailed(f"The page failed: {error.message.splitlines()[0]}") from error


@contextmanager
def opened(
    browser: Devtools,
    site: Mapping[str, Path],
    init_script: str,
    pictures: PictureKind = "bgra",
    /,
    *,
    width: int,
    height: int,
    fps: float,
    scale: int = 1,
) -> Iterator[CompositionPage]:
    """The composition whose files are `site` (served path -> file; "index.html" is the page).

    `scale` is the one that the browser was launched with. Its window is looked for where `pictures` are "bgra".
    """
    problems = Problems(site.get(PAGE))
    served = Served(site)
    with (
        tab.opened(browser, width=width, height=height, scale=scale) as page,
        reading(page, width * scale, height * scale) if pictures == "bgra" else nullcontext() as window,
    ):
        page.answer = partial(_answer, served, problems)
        page.thrown = problems.catch
        page.said = problems.hear
        page.before_scripts(init_script)
        page.open(f"{ORIGIN}/{PAGE}")
        yield CompositionPage(page, served, problems, fps, window)


@dataclass
class Served:
    """What the page's own origin has: files by their served path, and the pictures that videos show just now."""

    site: Mapping[str, Path]
    videos: VideoPlayer | None = None
    given: set[str] = field(default_factory=set)

    def body(self, path: str) -> bytes | None:
        """The content served at `path`; None where there is none."""
        if path in self.site:
            self.given.add(path)
            return self.site[path].read_bytes()
        return self.videos.picture(path) if self.videos else None


def _answer(served: Served, problems: Problems, request: Request) -> Answer | None:
    if request.kind == "Media":
        # Nothing plays in the page: what a player would show depends on when it is looked at.
        return None
    parts = urlsplit(request.url)
    own = f"{parts.scheme}://{parts.netloc}" == ORIGIN
    body = served.body(unquote(parts.path).lstrip("/") if own else urldefrag(request.url).url)
    if body is not None:
        return Answer(body, content_type(parts.path))
    problems.refuse(request)
    return Answer(b"", "text/plain", 404) if own else None
