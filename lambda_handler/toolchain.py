"""The pinned tools a worker draws and encodes with: Chromium, ffmpeg, the page runtime.

Each is pinned by exact version and sha256, found in an installed package (in a checkout) or packed beside the code
(in a built artifact), and unpacked once per machine.
Chromium has its own shared libraries and its own fonts, and reads no font of the machine's: so a bare Debian,
a laptop and a Lambda draw the same pixels.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from lambda_handler import browser_fonts, packed
from lambda_handler.archive import extract
from lambda_handler.errors import ChromeUnavailable, FfmpegUnavailable, MachineError, RuntimeUnavailable, StorageFull
from lambda_handler.packed import PackDamaged, Packed
from lambda_handler.unpack import unpacked_once

CHECKOUT = Path(__file__).resolve().parent.parent
CHROME_SOURCE_VARIABLE = "HYPERFRAMES_LAMBDA_CHROME_SOURCE"
CHROME_SOURCE = "sparticuz"

RUNTIME_VERSION = "0.8.64"
RUNTIME_SHA256 = "98dccac27469c888b3ee27c1a51d5f568bd0d01f295c6e675397a1ff59bbc3e2"
AUDIO_EFFECTS_SHA256 = "05bbd5fcc6e2c7373a1a2494680e274a73c004b18f3a86c2efa2c3758bb6f484"
CHROMIUM_PACK_VERSION = "153.0.0"
CHROMIUM_PACK_SHA256 = {
    "chromium.br": "38e1e1649db20fa4ea644bf5987688ce81a4c9eb10e7eae8380b74fc0d699fea",
    "al2023.tar.br": "a166168dd3e3e9d8743689fff543c5cadb3025c1816c6a154c90dc68a59edd0a",
    "swiftshader.tar.br": "b680e40a33235ecc6ad4c6897a168b70ce5164f0d62d2a64d675320d51614631",
    "fonts.tar.br": "c1307fe5cd607092f0426742b4ab93755eec9a9b7752e47c56408c2bcf3e515b",
}
FFMPEG_SHA256 = "e7e7fb30477f717e6f55f9180a70386c62677ef8a4d4d1a5d948f4098aa3eb99"


@dataclass(frozen=True)
class Chromium:
    """A browser that can be started; `environment` is what it needs beside the caller's variables.

    `identity` is the sha256 of the executable's pack and that of its fonts, else of the executable alone.
    """

    executable: Path
    identity: str
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ffmpeg:
    """An ffmpeg executable; `identity` is its sha256, `version` the word after "ffmpeg version"."""

    executable: Path
    identity: str
    version: str


@dataclass(frozen=True)
class PageRuntime:
    """The HyperFrames page runtime, one self-contained script."""

    script: Path
    identity: str


def node_modules() -> Path:
    """The folder of page runtime, page libraries and fonts; in a checkout `npm ci` filled it.

    Raises RuntimeUnavailable when an artifact's is damaged.
    """
    chosen = os.environ.get("HYPERFRAMES_NODE_MODULES")
    if chosen or artifact() is None:
        return Path(chosen or CHECKOUT / "node_modules")
    return _unpacked("node_modules", RuntimeUnavailable)


@cache
def artifact() -> Packed | None:
    """What this worker's artifact has packed; None in a checkout."""
    return packed.read(CHECKOUT / packed.FOLDER)


@cache
def _unpacked(tool: str, damaged: type[MachineError]) -> Path:
    built = artifact()
    assert built is not None  # noqa: S101 - only an artifact has packs
    try:
        return built.unpacked(tool, tools_folder())
    except PackDamaged as error:
        raise damaged(str(error), resolution="Build the artifact again (make artifact) and deploy it.") from error


def tools_folder() -> Path:
    """Where tools are unpacked: HYPERFRAMES_TOOLS, else `.tools` in the checkout, else a temporary folder."""
    chosen = os.environ.get("HYPERFRAMES_TOOLS")
    if chosen:
        return Path(chosen)
    if artifact() is None and os.access(CHECKOUT, os.W_OK):
        return CHECKOUT / ".tools"
    return Path(tempfile.gettempdir()) / "hyperframes-tools"


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def chromium() -> Chromium:
    """The browser: CHROMIUM_PATH where set, else the pinned pack, unpacked on first use.

    Raises ChromeUnavailable when neither can be had.
    """
    override = os.environ.get("CHROMIUM_PATH")
    if override:
        path = Path(override)
        if not os.access(path, os.X_OK):
            raise ChromeUnavailable(f"CHROMIUM_PATH is {override}, which is not an executable file.")
        return Chromium(path, sha256_of(path), ())
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ChromeUnavailable(
            f"The pinned Chromium runs on Linux x86_64, and this is {platform.system()} {platform.machine()}.",
            resolution="Set CHROMIUM_PATH to a chromium headless shell for this machine.",
        )
    built = artifact()
    _check_source(built.chrome_source if built else CHROME_SOURCE)
    folder = _unpacked("chromium", ChromeUnavailable) if built else _unpacked_chromium()
    identity = (
        built.chromium_identity if built else f"{CHROMIUM_PACK_SHA256['chromium.br']}+{browser_fonts.FONTS_SHA256}"
    )
    environment = (("LD_LIBRARY_PATH", str(folder / "lib")), ("FONTCONFIG_FILE", str(_font_configuration(folder))))
    return Chromium(folder / "chromium", identity, environment)


def _check_source(built: str) -> None:
    wanted = os.environ.get(CHROME_SOURCE_VARIABLE, built)
    if wanted != built:
        raise ChromeUnavailable(
            f"The stack's ChromeSource ({CHROME_SOURCE_VARIABLE}) is {wanted!r}, and this artifact was built with "
            f"{built!r}.",
            resolution=f"Build it with make artifact CHROME_SOURCE={wanted}, or deploy with ChromeSource={built}.",
        )


def _font_configuration(folder: Path) -> Path:
    """A fontconfig file that knows the browser's own fonts and no others; it has to name them by absolute paths."""
    folder = folder.resolve()
    file = folder / "own-fonts.conf"  # the pack brings a fonts.conf for another machine
    text = browser_fonts.configuration(folder / "fonts", folder / "fontconfig-cache")
    # A checkout may have been moved, or its tools been unpacked through a link that is gone.
    if not file.is_file() or file.read_text() != text:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as written:
            written.write(text)
        # A temporary file is its writer's alone; an image is set up by one user and run by another.
        Path(written.name).chmod(0o644)
        Path(written.name).replace(file)
    return file


def _unpacked_chromium() -> Path:
    digests = CHROMIUM_PACK_SHA256["chromium.br"][:8], browser_fonts.FONTS_SHA256[:8]
    folder = tools_folder() / "-".join(("chromium", CHROMIUM_PACK_VERSION, *digests))

    def fill(whole: Path) -> None:
        binary = whole / "chromium"
        binary.write_bytes(_unpack_member("chromium.br"))
        binary.chmod(0o755)
        # SwiftShader is only found beside the binary.
        for archive in ("swiftshader.tar.br", "al2023.tar.br", "fonts.tar.br"):
            with tarfile.open(fileobj=io.BytesIO(_unpack_member(archive))) as tar:
                extract(tar, tar.getmembers(), whole)
        browser_fonts.install(node_modules(), whole / "fonts")

    try:
        return unpacked_once(folder, fill)
    except OSError as error:
        if StorageFull.is_meant_by(error):
            raise
        raise ChromeUnavailable(f"Chromium could not be unpacked to {folder}: {error}.") from error


def _unpack_member(name: str) -> bytes:
    import brotli  # noqa: PLC0415 - an artifact goes without it, and without this pack

    source = node_modules() / "@sparticuz" / "chromium" / "bin" / name
    if not source.is_file():
        raise ChromeUnavailable(f"The Chromium pack @sparticuz/chromium lacks {source}.")
    packed = source.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != CHROMIUM_PACK_SHA256[name]:
        raise ChromeUnavailable(
            f"{source} has sha256 {found}, and {CHROMIUM_PACK_SHA256[name]} is pinned "
            f"(@sparticuz/chromium {CHROMIUM_PACK_VERSION})."
        )
    unpacked: bytes = brotli.decompress(packed)
    return unpacked


@cache
def ffmpeg() -> Ffmpeg:
    """FFMPEG_PATH where set, else the executable inside the imageio-ffmpeg wheel.

    Raises FfmpegUnavailable when it is missing, damaged or does not answer.
    """
    override = os.environ.get("FFMPEG_PATH")
    try:
        path = Path(override or _bundled_ffmpeg())
        identity = sha256_of(path)
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=True).stdout
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        raise FfmpegUnavailable(f"ffmpeg cannot be run: {error}.") from error
    pinned = (platform.system(), platform.machine()) == ("Linux", "x86_64") and not override
    if pinned and identity != FFMPEG_SHA256:
        raise FfmpegUnavailable(f"{path} has sha256 {identity}, and {FFMPEG_SHA256} is pinned (imageio-ffmpeg 0.7.0).")
    version = re.match(r"ffmpeg version (\S+)", answer)
    if version is None:
        raise FfmpegUnavailable(f"{path} -version answered {answer[:80]!r}.")
    return Ffmpeg(path, identity, version.group(1))


def _bundled_ffmpeg() -> Path:
    if artifact():
        return _unpacked("ffmpeg", FfmpegUnavailable) / "ffmpeg"
    return Path(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def page_runtime() -> PageRuntime:
    """The page runtime out of @hyperframes/core. Raises RuntimeUnavailable when it is not the pinned one."""
    return PageRuntime(_pinned_script("hyperframe.runtime.iife.js", RUNTIME_SHA256), RUNTIME_SHA256)


@cache
def audio_effects() -> Path:
    """The module with the sound effects, out of @hyperframes/core. Raises RuntimeUnavailable."""
    return _pinned_script("generated/audio-fx-runtime-inline.js", AUDIO_EFFECTS_SHA256)


def _pinned_script(name: str, pinned: str) -> Path:
    script = node_modules() / "@hyperframes" / "core" / "dist" / name
    if not script.is_file():
        raise RuntimeUnavailable(f"The page runtime @hyperframes/core {RUNTIME_VERSION} is not installed: {script}.")
    found = sha256_of(script)
    if found != pinned:
        raise RuntimeUnavailable(
            f"{script} has sha256 {found}, and {pinned} is pinned (@hyperframes/core {RUNTIME_VERSION})."
        )
    return script


def unpack_all() -> None:
    """Makes every tool ready; an image does this once, when it is built."""
    print(chromium().executable, ffmpeg().executable, page_runtime().script, sep="\n")


if __name__ == "__main__":
    unpack_all()
