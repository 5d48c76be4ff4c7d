"""Chromium that dies, and Chromium that does not start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lambda_handler import toolchain
from lambda_handler.browser import arguments, launched
from lambda_handler.errors import BrowserFailed, ChromeUnavailable
from lambda_handler.page.session import opened
from lambda_handler.site import stage
from lambda_handler.toolchain import CHECKOUT, Chromium

SIZE = {"width": 320, "height": 180}


def test_the_arguments_follow_from_the_size_alone() -> None:
    """They are part of the plan hash: nothing of the machine may be in them."""
    assert arguments(320, 180) == arguments(320, 180)
    assert set(arguments(320, 180)) ^ set(arguments(640, 180)) == {
        "--default-tile-width=320",
        "--default-tile-width=640",
        "--window-size=320,180",
        "--window-size=640,180",
    }


def test_only_webgpu_needs_gpu_compositing() -> None:
    """SwiftShader is the GPU; it costs twice as much as compositing on the CPU."""
    assert "--disable-gpu-compositing" in arguments(320, 180)
    assert "--disable-gpu-compositing" not in arguments(320, 180, webgpu=True)


@pytest.mark.parametrize("victim", ["browser", "renderer"])
def test_a_browser_that_dies_is_not_the_projects_fault(tmp_path: Path, victim: str) -> None:
    """Trying again may help, whichever of its processes it was."""
    site = stage({"index.html": b"<p>x</p>"}, tmp_path)
    with launched(toolchain.chromium(), SIZE["width"], SIZE["height"]) as browser:
        told = browser.call("SystemInfo.getProcessInfo")["processInfo"]
        before = {process["id"] for process in told if process["type"] == victim}
        with pytest.raises(BrowserFailed), opened(browser, site, "", **SIZE, fps=30.0) as ready:
            told = browser.call("SystemInfo.getProcessInfo")["processInfo"]
            mine = {process["id"] for process in told if process["type"] == victim}
            for pid in mine if victim == "browser" else mine - before:
                os.kill(pid, signal.SIGKILL)
            ready.seek(0.1)


def test_a_browser_that_does_not_start_is_named(tmp_path: Path) -> None:
    """The message has the executable and its own words."""
    with (
        pytest.raises(ChromeUnavailable, match=str(CHECKOUT)),
        launched(Chromium(CHECKOUT / "README.md", "", ()), SIZE["width"], SIZE["height"]),
    ):
        pass
