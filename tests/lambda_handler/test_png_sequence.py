"""PNG sequences: the same archive every time, and every picture checked."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from synthetic_media import grey_png

from lambda_handler.errors import ChunkInvalid
from lambda_handler.grid import FrameRange
from lambda_handler.png_sequence import checked_frames, name_of, size_of, writing

SIZE = 16
PICTURE = grey_png(100, SIZE)


def _archive(path: Path, pictures: Mapping[str, bytes]) -> Path:
    with writing(path) as add:
        for name, content in pictures.items():
            add(name, content)
    return path


def _pictures(which: range) -> dict[str, bytes]:
    return {name_of(index): grey_png(10 * index, SIZE) for index in which}


def _check(*archives: Path) -> list[str]:
    return [name for name, _ in checked_frames(archives, FrameRange(3, 7), SIZE, SIZE)]


def test_the_same_pictures_give_the_same_archive(tmp_path: Path) -> None:
    """No names, times or owners of the machine's, whatever the archive is called."""
    one = _archive(tmp_path / "one.tar.gz", _pictures(range(3)))
    other = _archive(tmp_path / "other.tar.gz", _pictures(range(3)))
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as tar:
        assert [(each.mtime, each.uid, each.gid, each.uname, each.isfile()) for each in tar] == [
            (0, 0, 0, "", True)
        ] * 3


def test_pictures_go_on_from_archive_to_archive(tmp_path: Path) -> None:
    """Names count from one, frames from zero."""
    first = _archive(tmp_path / "1.tar.gz", _pictures(range(3, 5)))
    second = _archive(tmp_path / "2.tar.gz", _pictures(range(5, 7)))
    assert _check(first, second) == [f"frame_{number:06d}.png" for number in range(4, 8)]


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (_pictures(range(3, 6)), r"frame_000007\.png is missing"),
        (_pictures(range(4, 7)), r"holds frame_000005\.png where frame_000004\.png belongs"),
        (_pictures(range(3, 8)), r"holds frame_000008\.png where nothing more belongs"),
        ({**_pictures(range(3, 7)), name_of(5): grey_png(0, 8)}, r"frame_000006\.png of .* is 8 x 8 px, not 16 x 16"),
        ({**_pictures(range(3, 7)), name_of(4): PICTURE[:-1]}, r"frame_000005\.png of .* is no whole PNG picture"),
    ],
    ids=["too few", "too late", "too many", "too small", "cut short"],
)
def test_other_pictures_than_the_plans_are_refused(tmp_path: Path, pictures: dict[str, bytes], told: str) -> None:
    """The picture is named, and what is wrong with it."""
    with pytest.raises(ChunkInvalid, match=told):
        _check(_archive(tmp_path / "chunk.tar.gz", pictures))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, kept: float) -> None:
    """Wherever it was cut."""
    whole = _archive(tmp_path / "whole.tar.gz", _pictures(range(3, 7))).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ChunkInvalid):
        _check(cut)


def test_a_picture_is_whole_or_none() -> None:
    """Every bit of it counts; so does what is behind its end."""
    assert size_of(PICTURE) == (SIZE, SIZE)
    for place in (0, 20, 40, len(PICTURE) - 1):
        assert size_of(PICTURE[:place] + bytes([PICTURE[place] ^ 1]) + PICTURE[place + 1 :]) is None
    assert size_of(PICTURE + b"x") is None
    assert size_of(PICTURE[:-12]) is None
