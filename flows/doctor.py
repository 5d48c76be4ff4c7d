"""What rendering needs, what of it was found, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from flows.prefect_server import answers, configured_api, server_status
from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.errors import FfmpegUnavailable, RenderError, StorageFull
from lambda_handler.page import tab
from lambda_handler.page.window import reading
from tasks.local_stack import default_root

NEEDED_BYTES = 2 * 1024**3
# What one format or another is made with.
ENCODERS = ("libx264", "libx264rgb", "libx265", "libvpx-vp9", "prores_ks", "gif", "png", "mjpeg", "aac", "libopus")

SCREENSHOTS = (
    "pictures are screenshots, which take two to four times as long: this system does not let a process read its "
    "children's memory; set kernel.yama.ptrace_scope to 0 or 1, or let the container trace its own processes"
)


@dataclass(frozen=True)
class Finding:
    """One thing that rendering needs: what was found, and, unless it is `ok`, what to do."""

    name: str
    ok: bool
    found: str
    resolution: str = ""


def examine() -> list[Finding]:
    """Looks at everything; the browser is really started."""
    return [
        Finding("Python", True, platform.python_version()),
        _found("Page runtime", _runtime),
        _found("Chromium", _chromium),
        _found("ffmpeg", _ffmpeg),
        Finding("Prefect", True, version("prefect")),
        _prefect_api(),
        _aws(),
        _found("Render folders", lambda: _space(default_root())),
        _found("Scratch space", lambda: _space(Path(tempfile.gettempdir()))),
    ]


def _found(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except RenderError as error:
        return Finding(name, False, error.summary, error.resolution)
    except OSError as error:
        return Finding(name, False, str(error), "Look at the path's permissions and the disk's free space.")


def _runtime() -> str:
    return f"@hyperframes/core {toolchain.RUNTIME_VERSION}, {toolchain.page_runtime().script}"


def _chromium() -> str:
    chromium = toolchain.chromium()
    size = {"width": 64, "height": 64}
    with (
        launched(chromium, 64, 64) as browser,
        tab.opened(browser, **size) as page,
        reading(page, **size) as window,
    ):
        product = str(browser.call("Browser.getVersion")["product"])
        pictures = "pictures are read from its memory" if window else SCREENSHOTS
    return f"{product.rpartition('/')[2]}, {chromium.executable}; {pictures}"


def _ffmpeg() -> str:
    ffmpeg = toolchain.ffmpeg()
    encoders = subprocess.run(
        [ffmpeg.executable, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    ).stdout
    missing = [name for name in ENCODERS if f" {name} " not in encoders]
    if missing:
        raise FfmpegUnavailable(f"{ffmpeg.executable} has no {', '.join(missing)}.")
    return f"{ffmpeg.version}, {ffmpeg.executable}"


def _prefect_api() -> Finding:
    """Which API a render would report to; nothing is started."""
    configured = configured_api()
    if configured and answers(configured.api_url):
        return Finding("Prefect API", True, f"{configured.api_url}, configured")
    ours = server_status()
    found = f"{ours.api_url}, in the background" if ours else "none; one is started in the background when needed"
    dead = f"{configured.api_url} (PREFECT_API_URL) does not answer; " if configured else ""
    return Finding("Prefect API", True, dead + found)


def _aws() -> Finding:
    """Only a render in Lambda needs it. Looks for a sign of credentials, and asks nobody."""
    signs = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    named = next((name for name in signs if os.environ.get(name)), None)
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    return Finding("AWS (optional)", True, named or (str(file) if file.exists() else "not configured"))


def _space(folder: Path) -> str:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < NEEDED_BYTES:
        raise StorageFull(f"{folder} has {free / 1e9:.1f} GB free; a render may need {NEEDED_BYTES / 1e9:.0f} GB.")
    return f"{folder}, {free / 1e9:.0f} GB free"
