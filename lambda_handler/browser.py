"""Chromium, started so that it draws the same pixels everywhere and only when told to.

BeginFrame control: the compositor draws nothing by itself; each frame is asked for. Software compositing with
raster tiles as large as the viewport is the cheapest way to draw without a GPU; WebGL runs on SwiftShader.
"""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from lambda_handler.errors import ChromeUnavailable
from lambda_handler.memory import is_scarce, processes
from lambda_handler.toolchain import Chromium, driver_node

LAUNCH_TIMEOUT_MS = 120_000
# A browser grows with what it has drawn; a new one costs about a second.
MOST_RENDERS = 40
WARM_MEMORY = 0.5
# One that hangs is killed, and another started: it answers within milliseconds, and closes within a second.
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 10.0

_Wanted = tuple[Chromium, tuple[str, ...], int]


# A WebGPU canvas cannot be composited on the CPU; with these everything is drawn by SwiftShader, for twice the price.
WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader")


def arguments(width: int, height: int, scale: int = 1, *, webgpu: bool = False) -> tuple[str, ...]:
    """Chromium's command line for a viewport of `width` x `height` CSS px with `scale` device pixels for each.

    `webgpu` is for pages that draw with WebGPU. All of the arguments can change pixels, so they are part of the plan
    hash.
    """
    return (
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
        "--disable-component-update",
        "--disable-domain-reliability",
        "--disable-sync",
        "--no-pings",
        "--autoplay-policy=no-user-gesture-required",
        "--disable-features=AudioServiceOutOfProcess,IsolateOrigins,site-per-process,Translate,"
        "BackForwardCache,IntensiveWakeUpThrottling,PaintHolding",
    )


@contextmanager
def launched(chromium: Chromium, width: int, height: int, scale: int = 1, *, webgpu: bool = False) -> Iterator[Browser]:
    """A running browser, closed or kept at the end. Raises ChromeUnavailable when it does not start.

    After `keep_warm`, a browser that served without any doubt is given again to the next render that wants the same.
    """
    wanted = (chromium, arguments(width, height, scale, webgpu=webgpu), threading.get_ident())
    running = _taken(wanted) or _Running(wanted)
    try:
        yield running.browser
    except BaseException:
        running.close()
        raise
    running.renders += 1
    if _warm.wanted and not running.is_doubtful():
        _warm.browser = running
    else:
        running.close()


def keep_warm() -> None:
    """From now on browsers outlive their render: for processes that do nothing but render.

    (While one runs, Playwright holds its thread's event loop.)
    """
    if not _warm.wanted:
        _warm.wanted = True
        atexit.register(drop_warm)


def drop_warm() -> None:
    """Closes the browser that is kept, if there is one."""
    kept, _warm.browser = _warm.browser, None
    if kept:
        kept.close()


def kill(thread: int) -> None:
    """Kills the processes of every browser that the thread with the identity `thread` has started."""
    for running in list(_warm.running):
        if running.wanted[2] == thread:
            running.kill()


class _Running:
    """A browser with the driver that started it; `wanted` is all that makes it the one to have."""

    def __init__(self, wanted: _Wanted) -> None:
        os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(driver_node())
        # The driver does not start where nobody says whose home it is: no HOME, and a user without an entry.
        os.environ.setdefault("HOME", tempfile.gettempdir())
        self.wanted = wanted
        self.renders = 0
        before = processes(os.getpid())
        self._playwright = sync_playwright().start()
        self._driver = set(processes(os.getpid())) - set(before)
        _warm.running.append(self)
        try:
            self.browser = _launch(self._playwright, wanted[0], wanted[1])
        except BaseException:
            _warm.running.remove(self)
            self._playwright.stop()
            raise

    def is_doubtful(self) -> bool:
        """Whether something of an earlier render may show in the next one, or stop it."""
        return self.renders >= MOST_RENDERS or bool(self.browser.contexts) or is_scarce(WARM_MEMORY)

    def answers(self) -> bool:
        """Whether it is alive; Playwright only hears that one has died while it is spoken to."""
        try:
            with self._killed_after(ANSWER_SECONDS):
                session = self.browser.new_browser_cdp_session()
                session.send("Browser.getVersion")
                session.detach()
        except PlaywrightError:
            return False
        return True

    def close(self) -> None:
        _warm.running.remove(self)
        if self.wanted[2] != threading.get_ident():
            # Playwright listens to the thread that started it alone.
            self.kill()
            return
        with self._killed_after(CLOSE_SECONDS):
            with suppress(PlaywrightError):  # it may be gone already
                self.browser.close()
            self._playwright.stop()

    def kill(self) -> None:
        """Ends its processes; whoever waits for it hears that it has died."""
        for pid in [pid for driver in self._driver for pid in processes(driver)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@dataclass
class _Warm:
    wanted: bool = False
    browser: _Running | None = None
    running: list[_Running] = field(default_factory=list)


_warm = _Warm()


def _taken(wanted: _Wanted) -> _Running | None:
    kept = _warm.browser
    if kept and (kept.wanted != wanted or kept.is_doubtful() or not kept.answers()):
        drop_warm()
        return None
    _warm.browser = None
    return kept


def _launch(playwright: Playwright, chromium: Chromium, with_arguments: tuple[str, ...]) -> Browser:
    try:
        return playwright.chromium.launch(
            executable_path=chromium.executable,
            args=list(with_arguments),
            # Nothing of the caller's environment reaches the page's process: a render has no secrets to leak.
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": os.environ["HOME"],
                "TZ": "UTC",
                "LANG": "C.UTF-8",
                **dict(chromium.environment),
            },
            timeout=LAUNCH_TIMEOUT_MS,
            chromium_sandbox=False,
        )
    except PlaywrightError as error:
        reason = next((line for line in error.message.splitlines() if "error" in line.lower()), error.message[:200])
        raise ChromeUnavailable(f"Chromium ({chromium.executable}) did not start: {reason.strip()}") from error
