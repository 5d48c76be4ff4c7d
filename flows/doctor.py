"""What rendering needs, what of it was found, and what to do about the rest."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from flows.prefect_server import server_status
from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.errors import FfmpegUnavailable, RenderError, StorageFull
from tasks.stack import default_root

NEEDED_BYTES = 2 * 1024**3


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
        _prefect_server(),
        _found("Render folders", lambda: _space(default_root())),
        _found("Scratch space", lambda: _space(Path(tempfile.gettempdir()))),
    ]


def _found(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except RenderError as error:
        return Finding(name, False, error.summary, error.resolution)


def _runtime() -> str:
    return f"@hyperframes/core {toolchain.RUNTIME_VERSION}, {toolchain.page_runtime().script}"


def _chromium() -> str:
    chromium = toolchain.chromium()
    with launched(chromium, 64, 64) as browser:
        return f"{browser.version}, {chromium.executable}"


def _ffmpeg() -> str:
    ffmpeg = toolchain.ffmpeg()
    encoders = subprocess.run(
        [ffmpeg.executable, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    ).stdout
    if "libx264" not in encoders:
        raise FfmpegUnavailable(f"{ffmpeg.executable} has no libx264.")
    return f"{ffmpeg.version}, {ffmpeg.executable}"


def _prefect_server() -> Finding:
    running = server_status()
    return Finding("Prefect server", True, running.ui_url if running else "none in the background; started when needed")


def _space(folder: Path) -> str:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < NEEDED_BYTES:
        raise StorageFull(f"{folder} has {free / 1e9:.1f} GB free; a render may need {NEEDED_BYTES / 1e9:.0f} GB.")
    return f"{folder}, {free / 1e9:.0f} GB free"
