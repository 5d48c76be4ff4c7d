"""Every rate in every container: encoded in three chunks, joined, and each frame found at its time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rendering import alpha_pixels, described
from synthetic_media import grey_png

from lambda_handler import encode, toolchain
from lambda_handler.events import FRAME_RATES, parse_config
from lambda_handler.formats import FASTEST_GIF
from lambda_handler.join import finish, join
from lambda_handler.manifest import Manifest
from lambda_handler.media import VideoStream, video_stream
from lambda_handler.picture_stream import PictureStream

SIZE = 16
# Odd lengths: rounded to 1/1000 s, as WebM has them, they would put later frames elsewhere.
CHUNKS = ((0, 7), (7, 14), (14, 19), (19, 20))
CONFIGS: dict[str, dict[str, Any]] = {
    "h264": {"quality": "draft"},
    "h264-reordered": {"quality": "standard"},
    "h265": {"codec": "h265", "quality": "draft"},
    "mov": {"format": "mov"},
    "webm": {"format": "webm", "quality": "draft"},
    "gif": {"format": "gif"},
}
EVERY = [(name, rate) for name in CONFIGS for rate in FRAME_RATES if name != "gif" or Fraction(rate) <= FASTEST_GIF]


def _made(name: str, rate: str, folder: Path) -> Path:
    """A video of 20 frames, each brighter than the one before it."""
    config = parse_config(CONFIGS[name])
    fields: dict[str, Any] = {"fps": rate, "format": config.format, "encoder": encode.encoder_for(config)}
    manifest = Manifest.model_construct(**fields)
    output = manifest.output
    parts = []
    for start, end in CHUNKS:
        parts.append(folder / f"{start}{output.chunk_suffix}")
        timed: dict[str, Any] = {"frames": end - start, "fps": manifest.rate}
        command = encode.arguments(toolchain.ffmpeg(), manifest.encoder, "png", **timed, output=parts[-1])
        with encode.encoding(command) as encoder:
            pictures = PictureStream(encoder, "png", **timed, width=SIZE, height=SIZE)
            for index in range(start, end):
                pictures.add(grey_png(12 * index, SIZE), fresh=True)
        assert _stream(parts[-1]).keeps_rate(manifest.rate)
    joined = folder / f"joined{output.chunk_suffix}"
    join(parts, joined, manifest)
    video = folder / f"video{output.suffix}"
    finish(joined, video, manifest, None)
    return video


def _stream(video: Path) -> VideoStream:
    return video_stream(toolchain.ffmpeg(), video, decode=True)


@pytest.mark.parametrize(("name", "rate"), EVERY)
def test_every_frame_stands_at_its_time_across_the_seams(name: str, rate: str, tmp_path: Path) -> None:
    """Exactly, where the container counts in ticks that fit; as near as it can count, where it does not."""
    video = _made(name, rate, tmp_path)
    stream = _stream(video)
    fps = Fraction(rate)
    assert stream.keeps_rate(fps)
    assert (stream.shown != list(stream.packets)) == (name == "h264-reordered")
    for index, packet in enumerate(stream.shown):
        off = abs(packet.pts * stream.time_base - index / fps)
        assert off == 0 if name in ("h264", "h264-reordered", "h265", "mov") else off <= stream.time_base / 2
    frames = alpha_pixels(video, SIZE, SIZE)
    levels = [frame[(SIZE * 8 + 8) * 4] for frame in frames]
    assert len(levels) == 20
    assert all(abs(level - 12 * index) <= 5 for index, level in enumerate(levels)), levels


@pytest.mark.parametrize(("rate", "told"), [("30", "30 fps"), ("30000/1001", "29.97 fps"), ("50", "50 fps")])
@pytest.mark.parametrize("name", ["h264", "h264-reordered", "webm"])
def test_a_player_is_told_the_rate(name: str, rate: str, told: str, tmp_path: Path) -> None:
    """In WebM too, whose times alone would not say it."""
    assert f" {told}, " in described(_made(name, rate, tmp_path))


def test_a_frame_in_another_place_is_noticed(tmp_path: Path) -> None:
    """Even in WebM, by one frame in a thousand."""
    stream = _stream(_made("webm", "30", tmp_path))
    assert not stream.keeps_rate(Fraction(24))
    late = [*stream.packets[:10], *stream.packets[11:]]
    assert not VideoStream(stream.time_base, SIZE, SIZE, tuple(late)).keeps_rate(Fraction(30))


def test_an_mp4_begins_with_its_index(tmp_path: Path) -> None:
    """So that playing begins before the file is whole."""
    content = _made("h265", "30", tmp_path).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
