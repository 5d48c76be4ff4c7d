"""The tools inside an artifact: unpacked once, whole, and only what the stack was told it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.artifact import write_pack
from lambda_handler import packed, toolchain
from lambda_handler.errors import ChromeUnavailable
from lambda_handler.packed import PackDamaged, Packed


@pytest.fixture
def artifact(tmp_path: Path) -> Packed:
    """One tool of two files."""
    folder = tmp_path / "packed"
    folder.mkdir()
    files = {"tool": tmp_path / "tool", "lib/words": tmp_path / "words"}
    files["tool"].write_text("#!/bin/sh\necho hello\n")
    files["lib/words"].write_text("word " * 100_000)
    write_pack(files, folder / "tool.tar.zst", 3, far=False)
    told = {"chromeSource": "sparticuz", "chromiumIdentity": "c" * 64, "python": "3.13"}
    told |= {"tools": {"tool": {"sha256": "a" * 64, "executables": ["tool"]}}}  # type: ignore[dict-item]
    (folder / packed.LIST).write_text(json.dumps(told))
    read = packed.read(folder)
    assert read is not None
    return read


def test_a_checkout_has_nothing_packed(tmp_path: Path) -> None:
    assert packed.read(tmp_path) is None
    assert toolchain.artifact() is None


def test_a_tool_is_unpacked_once(artifact: Packed, tmp_path: Path) -> None:
    """Its files are the packed ones, those to be run can be, and the second time nothing is written."""
    folder = artifact.unpacked("tool", tmp_path / "tools")
    assert (folder / "lib/words").read_text() == "word " * 100_000
    assert (folder / "tool").stat().st_mode & 0o777 == 0o755
    before = (folder / "tool").stat().st_ino
    assert artifact.unpacked("tool", tmp_path / "tools") == folder
    assert (folder / "tool").stat().st_ino == before
    assert [path.name for path in (tmp_path / "tools").iterdir()] == [folder.name], "no scratch is left"


def test_an_unpacking_that_was_cut_short_repairs_itself(artifact: Packed, tmp_path: Path) -> None:
    """The environment died in the middle, or its disk was full."""
    folder = artifact.unpacked("tool", tmp_path / "tools")
    (folder / "lib/words").write_text("word")
    assert (artifact.unpacked("tool", tmp_path / "tools") / "lib/words").stat().st_size == 500_000


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_pack_is_refused(artifact: Packed, tmp_path: Path, damage: str) -> None:
    """Nothing of it is left where it would be found."""
    pack = artifact.folder / "tool.tar.zst"
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data if damage == "altered" else data[: len(data) // 2])
    if damage == "gone":
        pack.unlink()
    with pytest.raises(PackDamaged, match=r"tool\.tar\.zst"):
        artifact.unpacked("tool", tmp_path / "tools")
    assert list((tmp_path / "tools").iterdir()) == []


@pytest.fixture
def forgetting() -> Iterator[None]:
    toolchain.chromium.cache_clear()
    yield
    toolchain.chromium.cache_clear()


@pytest.mark.usefixtures("forgetting")
def test_a_stack_with_another_chrome_source_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are named, and what to do about it."""
    monkeypatch.delenv("CHROMIUM_PATH", raising=False)
    monkeypatch.setenv(toolchain.CHROME_SOURCE_VARIABLE, "chrome-headless-shell")
    with pytest.raises(ChromeUnavailable) as caught:
        toolchain.chromium()
    assert "'chrome-headless-shell'" in caught.value.summary
    assert "'sparticuz'" in caught.value.summary
    assert "make artifact CHROME_SOURCE=chrome-headless-shell" in caught.value.resolution
