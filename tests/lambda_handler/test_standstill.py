"""Pictures in which nothing changes, put in after encoding: as if the encoder had been told of them."""

from __future__ import annotations

import itertools
import random
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lambda_handler import encode, standstill, toolchain
from lambda_handler.errors import FfmpegUnavailable
from lambda_handler.events import FRAME_RATES, parse_config
from lambda_handler.manifest import Encoder
from lambda_handler.media import VideoStream, video_stream
from lambda_handler.picture_stream import PictureStream, Standstill

STANDARD = Encoder(codec="h264", preset="veryfast", crf=18, bitrate=None)
SMALL = (48, 32)
# How long each picture stands. Together more than frame_num and the order of pictures count before they begin anew.
TIMES = {
    "at the start": (70, 1, 1),
    "at the end": (1, 1, 1, 1, 1, 30),
    "in the middle": (1, 1, 1, 9, 1, 1, 1),
    "all the time": (100,),
    "one after another": (9, 5, 40, 4, 6),
    "between moving": (1, 2, 3, 4, 5, 1, 1, 1, 1, 1, 1, 20, 1, 1, 17, 1),
    "never long": (3, 3, 1, 4, 2, 3),
}


def _picture(number: int, width: int, height: int) -> bytes:
    """Blocks of 8 px in colours of its own."""
    colours = random.Random(number)
    rows = [
        b"".join(bytes([*colours.randbytes(3), 255]) * 8 for _ in range(-(-width // 8)))[: 4 * width]
        for _ in range(-(-height // 8))
    ]
    return b"".join(row * 8 for row in rows)[: 4 * width * height]


def _encoded(
    times: tuple[int, ...],
    video: Path,
    *,
    size: tuple[int, int] = SMALL,
    fps: str = "30",
    told: bool = False,
    settings: Encoder = STANDARD,
) -> list[Standstill]:
    """Pictures that stand so long each, `told` of to the encoder or put in; returns what was left out at first."""
    tool = toolchain.ffmpeg()
    timed: dict[str, Any] = {"frames": sum(times), "fps": Fraction(fps)}
    command = encode.arguments(tool, settings, "bgra", **timed, output=video)
    repeats = None if told else encode.told_repeats(settings)
    with encode.encoding(command) as encoder:
        stream = PictureStream(encoder, "bgra", **timed, width=size[0], height=size[1], told_repeats=repeats)
        for number, count in enumerate(times):
            picture = _picture(number, *size)
            for repeat in range(count):
                stream.add(picture, fresh=told or not repeat)
    if stream.standstills:
        standstill.fill(tool, video, stream.standstills, timed["fps"])
    return stream.standstills


def _decoded(video: Path, size: tuple[int, int]) -> list[bytes]:
    command = [str(toolchain.ffmpeg().executable), "-v", "warning", "-i", str(video), "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"], capture_output=True, check=True)
    assert done.stderr == b""
    area = size[0] * size[1]
    return [done.stdout[begin : begin + area] for begin in range(0, len(done.stdout), area)]


def _stream(video: Path) -> VideoStream:
    return video_stream(toolchain.ffmpeg(), video, decode=True)


def _off(one: bytes, other: bytes) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


@pytest.mark.parametrize("case", TIMES)
def test_every_picture_is_shown_as_long_as_it_stands(case: str, tmp_path: Path) -> None:
    """And as the encoder would have shown it, had it been told."""
    times = TIMES[case]
    _encoded(times, tmp_path / "filled.mp4")
    _encoded(times, tmp_path / "told.mp4", told=True)
    filled, told = (_decoded(tmp_path / name, SMALL) for name in ("filled.mp4", "told.mp4"))
    assert len(filled) == len(told) == sum(times)
    assert max(_off(*pair) for pair in zip(filled, told, strict=True)) < 4
    # As different as that would be any other picture in its place.
    each = [told[end - 1] for end in itertools.accumulate(times)]
    assert min((_off(*pair) for pair in itertools.pairwise(each)), default=99) > 20


@pytest.mark.parametrize(
    "rate",
    [{"crf": 0}, {"crf": 1}, {"crf": 2}, {"bitrate": "300k"}, {"quality": "draft"}, {"quality": "high"}],
    ids=str,
)
def test_every_rate_that_can_be_asked_for_keeps_every_picture(rate: dict[str, Any], tmp_path: Path) -> None:
    """Also those with which x264 writes what nothing can be put into: without loss, quickest, most thorough."""
    times = TIMES["between moving"]
    for name, told in (("filled.mp4", False), ("told.mp4", True)):
        _encoded(times, tmp_path / name, told=told, settings=encode.encoder_for(parse_config(rate)))
    filled, told_of = (_decoded(tmp_path / name, SMALL) for name in ("filled.mp4", "told.mp4"))
    assert len(filled) == len(told_of) == sum(times)
    assert max(_off(*pair) for pair in zip(filled, told_of, strict=True)) < 4


@pytest.mark.parametrize("frames", range(1, 11))
def test_a_chunk_of_few_frames_has_them_all(frames: int, tmp_path: Path) -> None:
    """Where what is told ends, what is filled in between begins, and the last frame is told again."""
    video = tmp_path / "chunk.mp4"
    found = _encoded((frames,), video)
    assert len(_decoded(video, SMALL)) == frames
    assert sum(each.pictures for each in found) == (frames - 5 if frames >= 8 else 0)


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_every_frame_stands_at_its_time_at_any_rate(fps: str, tmp_path: Path) -> None:
    """Exactly, and the chunk begins with its only key frame."""
    video = tmp_path / "chunk.mp4"
    _encoded(TIMES["between moving"], video, fps=fps)
    stream = _stream(video)
    assert stream.keeps_rate(Fraction(fps))
    assert len(stream.packets) == sum(TIMES["between moving"])
    assert [packet.key for packet in stream.packets] == [True] + [False] * (len(stream.packets) - 1)


@pytest.mark.parametrize("size", [(16, 16), (322, 182), (1920, 1080), (1080, 1920)], ids=str)
def test_a_picture_of_any_size_stands_still_to_the_bit(size: tuple[int, int], tmp_path: Path) -> None:
    """Also one whose last blocks lie partly outside."""
    video = tmp_path / "chunk.mp4"
    (found,) = _encoded((1, 1, 40, 1), video, size=size)
    frames = _decoded(video, size)
    assert len(frames) == 43
    longest = max(len(list(same)) for _, same in itertools.groupby(frames))
    assert longest > found.pictures > 30


def test_what_was_put_in_takes_hardly_any_bytes(tmp_path: Path) -> None:
    """A few for the header, and one for every few hundred blocks."""
    video = tmp_path / "chunk.mp4"
    (found,) = _encoded((1, 60), video, size=(1920, 1080))
    sizes = sorted(packet.size for packet in _stream(video).packets)
    assert found.pictures == 55
    assert sizes[: found.pictures][-1] < 100


@pytest.mark.parametrize(
    ("preset", "why"), [("ultrafast", "predicted from both sides"), ("slow", "predicted from several")]
)
def test_a_video_in_which_they_would_be_in_the_way_is_refused(preset: str, why: str, tmp_path: Path) -> None:
    """Nothing is put where what follows could look for another picture."""
    encoder = Encoder(codec="h264", preset=preset, crf=18, bitrate=None)
    assert encode.told_repeats(encoder) is None
    video = tmp_path / "chunk.mp4"
    command = encode.arguments(toolchain.ffmpeg(), encoder, "bgra", frames=9, fps=Fraction(30), output=video)
    with encode.encoding(command) as pipe:
        stream = PictureStream(pipe, "bgra", width=48, height=32, fps=Fraction(30), frames=9)
        for number in range(9):
            stream.add(_picture(number, *SMALL), fresh=True)
    with pytest.raises(FfmpegUnavailable, match=why) as raised:
        standstill.fill(toolchain.ffmpeg(), video, [Standstill(3, 5)], Fraction(30))
    assert "Leave FFMPEG_PATH unset" in raised.value.resolution
