"""The tools inside a built artifact: Chromium, ffmpeg and the page's packages, packed with zstd beside the code.

`infra/artifact.py` packs them. Lambda's limit of 250 MB for an unzipped function leaves room for them only as they
are here; each is unpacked into the environment's own disk when it is first needed.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_handler.archive import extract
from lambda_handler.unpack import unpacked_once

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FOLDER = "packed"
LIST = "packed.json"


class PackDamaged(Exception):
    """A pack in the artifact is missing, cut short or altered."""


@dataclass(frozen=True)
class Tool:
    """One pack: the sha256 of its content names the folder it is unpacked to; `executables` are to be run."""

    name: str
    sha256: str
    executables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packed:
    """What an artifact was built with. `chromium_identity` is that of the browser in its plans' hashes."""

    folder: Path
    chrome_source: str
    chromium_identity: str
    python: str
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def unpacked(self, name: str, into: Path) -> Path:
        """The folder below `into` that holds the tool `name`. Raises PackDamaged."""
        tool = self.tools[name]
        archive = self.folder / f"{name}.tar.zst"

        def fill(folder: Path) -> None:
            try:
                with zstd.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                    extract(tar, tar, folder)
                    # The checksum stands at the very end, after what tar reads.
                    while stream.read(1 << 20):
                        pass
            except (zstd.ZstdError, EOFError, tarfile.TarError, FileNotFoundError) as error:
                raise PackDamaged(f"{archive} cannot be unpacked: {error or 'it ends too early'}.") from error
            for executable in tool.executables:
                (folder / executable).chmod(0o755)

        return unpacked_once(into / f"{name}-{tool.sha256[:12]}", fill)


def read(folder: Path) -> Packed | None:
    """What lies packed in `folder`; None in a checkout, which has its tools installed instead."""
    try:
        told: dict[str, Any] = json.loads((folder / LIST).read_text())
    except FileNotFoundError:
        return None
    tools = {name: Tool(name, each["sha256"], tuple(each["executables"])) for name, each in told["tools"].items()}
    return Packed(folder, told["chromeSource"], told["chromiumIdentity"], told["python"], tools)
