"""The pinned tools: what is damaged is refused by its digest, what was unpacked badly is unpacked again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambda_handler import toolchain
from lambda_handler.errors import ChromeUnavailable, FfmpegUnavailable, RuntimeUnavailable

RUNTIME = "hyperframe.runtime.iife.js"
EFFECTS = "generated/audio-fx-runtime-inline.js"


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tools are looked up anew in each test, and again afterwards."""
    for variable in ("CHROMIUM_PATH", "FFMPEG_PATH"):
        monkeypatch.delenv(variable, raising=False)
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    for tool in (toolchain.chromium, toolchain.ffmpeg, toolchain.page_runtime, toolchain.audio_effects):
        tool.cache_clear()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node_modules with links to the real Chromium pack and page runtime, and an empty folder for tools."""
    real, mine = toolchain.node_modules(), tmp_path / "node_modules"
    core = "@hyperframes/core/dist"
    for folder, wanted in (("@sparticuz/chromium/bin", "*.br"), (core, RUNTIME), (core, EFFECTS)):
        for file in (real / folder).glob(wanted):
            link = mine / file.relative_to(real)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    (mine / "@fontsource").symlink_to(real / "@fontsource")
    monkeypatch.setenv("HYPERFRAMES_NODE_MODULES", str(mine))
    monkeypatch.setenv("HYPERFRAMES_TOOLS", str(tmp_path / "tools"))
    return mine


def _damage(path: Path) -> None:
    """One byte in the middle is another one; a link becomes a file of its own."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("name", sorted(toolchain.CHROMIUM_PACK_SHA256))
def test_a_damaged_chromium_pack_is_refused(packages: Path, tmp_path: Path, name: str) -> None:
    """By its digest, before anything of it is unpacked where it would be found."""
    path = packages / "@sparticuz/chromium/bin" / name
    _damage(path)
    with pytest.raises(ChromeUnavailable) as caught:
        toolchain.chromium()
    assert str(path) in caught.value.summary
    assert toolchain.CHROMIUM_PACK_SHA256[name] in caught.value.summary
    assert list((tmp_path / "tools").iterdir()) == []


def test_a_missing_chromium_pack_is_refused(packages: Path) -> None:
    """The message says what to run."""
    (packages / "@sparticuz/chromium/bin/chromium.br").unlink()
    with pytest.raises(ChromeUnavailable, match=r"chromium\.br") as caught:
        toolchain.chromium()
    assert "make setup" in caught.value.resolution


def test_an_unpacked_chromium_repairs_itself(packages: Path, tmp_path: Path) -> None:
    """A file cut short or gone, or no list of the files: all of it is unpacked again, and runs."""
    folder = toolchain.chromium().executable.parent
    sizes = {name: (folder / name).stat().st_size for name in json.loads((folder / "whole.json").read_text())}
    os.truncate(folder / "chromium", 1000)
    (folder / "fonts.conf").unlink()
    toolchain.chromium.cache_clear()
    mended = toolchain.chromium()
    assert {name: (folder / name).stat().st_size for name in sizes} == sizes
    environment = {**os.environ, **dict(mended.environment)}
    told = subprocess.run([mended.executable, "--version"], env=environment, capture_output=True, check=True)
    assert b"Chrom" in told.stdout
    assert [path.name for path in (tmp_path / "tools").iterdir()] == [folder.name], "no scratch is left"


def test_a_fresh_chromium_knows_its_own_fonts_and_no_others(packages: Path) -> None:
    """The pack brings a configuration for the folders of another machine, which must not be taken for ours."""
    made = toolchain.chromium()
    configuration = Path(dict(made.environment)["FONTCONFIG_FILE"]).read_text()
    assert re.findall("<dir>(.*?)</dir>", configuration) == [str(made.executable.parent / "fonts")]


def test_a_moved_chromium_finds_its_fonts(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named by absolute paths, which are others after a checkout has moved."""
    toolchain.chromium()
    (tmp_path / "tools").rename(tmp_path / "moved")
    monkeypatch.setenv("HYPERFRAMES_TOOLS", str(tmp_path / "moved"))
    toolchain.chromium.cache_clear()
    configuration = Path(dict(toolchain.chromium().environment)["FONTCONFIG_FILE"]).read_text()
    (fonts,) = re.findall("<dir>(.*?)</dir>", configuration)
    assert fonts.startswith(str(tmp_path / "moved"))
    assert any(Path(fonts).iterdir())


def test_a_whole_chromium_is_not_unpacked_again() -> None:
    """Its file is the one that was there."""
    before = toolchain.chromium().executable.stat()
    toolchain.chromium.cache_clear()
    after = toolchain.chromium().executable.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_chromium_may_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by its own digest; what cannot be run is refused."""
    chosen = tmp_path / "chromium"
    chosen.write_text("#!/bin/sh\n")
    monkeypatch.setenv("CHROMIUM_PATH", str(chosen))
    with pytest.raises(ChromeUnavailable, match="not an executable file"):
        toolchain.chromium()
    chosen.chmod(0o755)
    assert toolchain.chromium().identity == toolchain.sha256_of(chosen)


@pytest.mark.parametrize(
    ("name", "found", "pinned"),
    [
        (RUNTIME, toolchain.page_runtime, toolchain.RUNTIME_SHA256),
        (EFFECTS, toolchain.audio_effects, toolchain.AUDIO_EFFECTS_SHA256),
    ],
)
def test_a_damaged_page_runtime_is_refused(packages: Path, name: str, found: Callable[[], object], pinned: str) -> None:
    """It, and the effects that come with it, decide what every composition looks and sounds like."""
    script = packages / "@hyperframes/core/dist" / name
    assert found()
    _damage(script)
    _forget()
    with pytest.raises(RuntimeUnavailable, match=pinned):
        found()
    script.unlink()
    with pytest.raises(RuntimeUnavailable, match="not installed"):
        found()


def test_the_pinned_ffmpeg_is_the_one_that_is_found() -> None:
    """By digest; its version is the one on the manifest."""
    found = toolchain.ffmpeg()
    assert (found.identity, found.version) == (toolchain.FFMPEG_SHA256, "7.0.2-static")


@pytest.mark.parametrize("script", [None, "not executable", "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n"])
def test_an_ffmpeg_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """Missing, not to be run, failing, or something else."""
    path = tmp_path / "ffmpeg"
    if script is not None:
        path.write_text(script)
        path.chmod(0o755 if script.startswith("#!") else 0o644)
    monkeypatch.setenv("FFMPEG_PATH", str(path))
    with pytest.raises(FfmpegUnavailable):
        toolchain.ffmpeg()


def test_a_damaged_ffmpeg_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when it still runs."""
    copy = tmp_path / "ffmpeg"
    copy.write_bytes(toolchain.ffmpeg().executable.read_bytes() + b"\0")
    copy.chmod(0o755)
    toolchain.ffmpeg.cache_clear()
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: str(copy))
    with pytest.raises(FfmpegUnavailable, match=toolchain.FFMPEG_SHA256):
        toolchain.ffmpeg()
