"""Chromium, started so that it draws the same pixels everywhere and only when told to.

BeginFrame control: the compositor draws nothing by itself; each frame is asked for. Software compositing with
raster tiles as large as the viewport is the cheapest way to draw without a GPU; WebGL runs on SwiftShader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from lambda_handler.errors import ChromeUnavailable
from lambda_handler.toolchain import Chromium, driver_node

LAUNCH_TIMEOUT_MS = 120_000


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
    """A running browser, closed at the end. Raises ChromeUnavailable when it does not start."""
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(driver_node())
    with sync_playwright() as playwright:
        browser = _launch(playwright, chromium, arguments(width, height, scale, webgpu=webgpu))
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright, chromium: Chromium, with_arguments: tuple[str, ...]) -> Browser:
    try:
        return playwright.chromium.launch(
            executable_path=chromium.executable,
            args=list(with_arguments),
            # Nothing of the caller's environment reaches the page's process: a render has no secrets to leak.
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108
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
