"""Chromium, started so that it draws the same pixels everywhere and only when told to.

BeginFrame control: the compositor draws nothing by itself; each frame is asked for. Software compositing with
raster tiles as large as the viewport is the cheapest way to draw without a GPU; WebGL runs on SwiftShader.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lambda_handler.devtools import Devtools, profile
from lambda_handler.errors import BrowserFailed, ChromeUnavailable
from lambda_handler.memory import is_scarce
from lambda_handler.toolchain import Chromium

LAUNCH_SECONDS = 120.0
# A browser grows with what it has drawn; a new one costs about a second.
MOST_RENDERS = 40
WARM_MEMORY = 0.5
# One that hangs is killed, and another started: it answers within milliseconds, and closes within a second.
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 10.0

_Wanted = tuple[Chromium, tuple[str, ...]]


# A WebGPU canvas cannot be composited on the CPU; with these everything is drawn by SwiftShader, for twice the price.
WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader")


def arguments(width: int, height: int, scale: int = 1, *, webgpu: bool = False) -> tuple[str, ...]:
    """Chromium's command line for a viewport of `width` x `height` CSS px with `scale` device pixels for each.

    `webgpu` is for pages that draw with WebGPU. All of the arguments can change pixels, so they are part of the plan
    hash.
    """
    return (
        "--headless",
        "--no-sandbox",
        "--disable-setuid-sandbox",
        "--disable-dev-shm-usage",
        "--no-zygote",
        # The same pixels on every machine.
        "--font-render-hinting=none",
        "--force-color-profile=srgb",
        "--disable-lcd-text",
        "--disable-partial-raster",
        # Without it each translate3d() becomes a layer of its own, which is dearer to draw afresh for each frame
        # than to paint in place.
        "--enable-low-end-device-mode",
        "--hide-scrollbars",
        # Draw when asked, and completely.
        "--deterministic-mode",
        "--enable-begin-frame-control",
        "--run-all-compositor-stages-before-draw",
        "--disable-new-content-rendering-timeout",
        "--disable-threaded-animation",
        "--disable-threaded-scrolling",
        "--disable-checker-imaging",
        "--disable-image-animation-resync",
        # Animated images stand at their first frame; the page sets those of <img> elements itself.
        "--blink-settings=imageAnimationPolicy=2",
        "--enable-surface-synchronization",
        # Software: compositing on the CPU, WebGL on SwiftShader.
        *(WEBGPU if webgpu else ("--disable-gpu-compositing",)),
        "--enable-webgl",
        "--ignore-gpu-blocklist",
        "--use-gl=angle",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        # Shader transitions draw their two scenes into canvases.
        "--enable-features=CanvasDrawElement" + (",Vulkan" if webgpu else ""),
        f"--default-tile-width={width * scale}",
        f"--default-tile-height={height * scale}",
        # A page's own scale would not reach BeginFrame's pictures.
        f"--force-device-scale-factor={scale}",
        f"--window-size={width},{height}",
        # Nothing in the background, no network: requests are answered from the render folder or refused.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--disable-background-networking",
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--disable-background-media-suspend",
        "--disable-ipc-flooding-protection",
        "--disable-breakpad",
        "--disable-component-extensions-with-background-pages",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--disable-extensions",
        "--disable-field-trial-config",
        "--disable-hang-monitor",
        "--disable-prompt-on-repost",
        "--metrics-recording-only",
        "--mute-audio",
        "--no-default-browser-check",
        "--no-first-run",
        "--no-service-autorun",
        "--no-startup-window",
        "--password-store=basic",
        "--use-mock-keychain",
        "--disable-sync",
        "--no-pings",
        "--autoplay-policy=no-user-gesture-required",
        "--disable-features=AudioServiceOutOfProcess,IsolateOrigins,site-per-process,Translate,"
        "BackForwardCache,IntensiveWakeUpThrottling,PaintHolding",
    )


@contextmanager
def launched(
    chromium: Chromium, width: int, height: int, scale: int = 1, *, webgpu: bool = False
) -> Iterator[Devtools]:
    """A running browser, closed or kept at the end. Raises ChromeUnavailable when it does not start.

    After `keep_warm`, a browser that served without any doubt is given again to the next render that wants the same.
    """
    wanted = (chromium, arguments(width, height, scale, webgpu=webgpu))
    running = _taken(wanted) or _Running(wanted)
    running.thread = threading.get_ident()
    try:
        yield running.devtools
    except BaseException:
        running.close()
        raise
    running.renders += 1
    if _warm.wanted and not running.is_doubtful():
        _warm.browser = running
    else:
        running.close()


def keep_warm() -> None:
    """From now on browsers outlive their render: for processes that do nothing but render."""
    if not _warm.wanted:
        _warm.wanted = True
        atexit.register(drop_warm)


def drop_warm() -> None:
    """Closes the browser that is kept, if there is one."""
    kept, _warm.browser = _warm.browser, None
    if kept:
        kept.close()


def kill(thread: int) -> None:
    """Kills the processes of every browser that the thread with the identity `thread` uses."""
    for running in list(_warm.running):
        if running.thread == thread:
            running.devtools.kill()


class _Running:
    """A browser; `wanted` is all that makes it the one to have."""

    def __init__(self, wanted: _Wanted) -> None:
        self.wanted = wanted
        self.thread = threading.get_ident()
        self.renders = 0
        self._profile = profile()
        try:
            self.devtools = _launch(*wanted, self._profile.name)
        except BaseException:
            self._profile.cleanup()
            raise
        _warm.running.append(self)

    def is_doubtful(self) -> bool:
        """Whether something of an earlier render may show in the next one, or stop it."""
        if self.renders >= MOST_RENDERS or is_scarce(WARM_MEMORY):
            return True
        try:
            return bool(self.devtools.call("Target.getBrowserContexts", within=ANSWER_SECONDS)["browserContextIds"])
        except BrowserFailed:
            self.devtools.kill()
            return True

    def close(self) -> None:
        _warm.running.remove(self)
        self.devtools.close(CLOSE_SECONDS)
        self._profile.cleanup()


@dataclass
class _Warm:
    wanted: bool = False
    browser: _Running | None = None
    running: list[_Running] = field(default_factory=list)


_warm = _Warm()


def _taken(wanted: _Wanted) -> _Running | None:
    kept = _warm.browser
    if kept and (kept.wanted != wanted or kept.is_doubtful()):
        drop_warm()
        return None
    _warm.browser = None
    return kept


def _launch(chromium: Chromium, with_arguments: tuple[str, ...], folder: str) -> Devtools:
    # Nothing of the caller's environment reaches the page's process: a render has no secrets to leak.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", tempfile.gettempdir()),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        **dict(chromium.environment),
    }
    try:
        devtools = Devtools([str(chromium.executable), *with_arguments, f"--user-data-dir={folder}"], environment)
    except OSError as error:
        raise ChromeUnavailable(f"Chromium ({chromium.executable}) did not start: {error}.") from error
    if not devtools.answers(LAUNCH_SECONDS):
        told = devtools.last_words().strip()
        devtools.close(CLOSE_SECONDS)
        reason = next((line for line in told.splitlines() if "error" in line.lower()), told[-200:] or "no message")
        raise ChromeUnavailable(f"Chromium ({chromium.executable}) did not start: {reason.strip()}")
    return devtools
