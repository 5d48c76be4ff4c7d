"""Still pictures of a finished video, of any format, without rendering again: a poster, and a contact sheet.

The frame that makes the poster is the most detailed of those on the sheet, unless a time is given: a fade from
black, or an empty stage, is the least of them. Alpha is shown over a checkerboard.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lambda_handler import encode, png_sequence, toolchain
from lambda_handler.errors import ChunkInvalid, EncoderInterrupted, InvalidConfig, OutputInvalid
from lambda_handler.media import video_stream
from lambda_handler.stamp import stamp

SHEET_FRAMES = 12
SHEET_COLUMNS = 4
THUMBNAIL_WIDTH = 240
POSTER_WIDTH = 960
GAP = 4
SHADE = 32
WHAT_IS_SHOWN = "Name a video, or a .tar.gz of frame_000001.png, frame_000002.png and so on."
# A seek decodes half a chunk on average, so up to here all of a video is decoded once for less.
ONE_PASS_FRAMES = 1_000
CHECKER = "geq=lum='if(mod(floor(X/12)+floor(Y/12),2),190,240)'"


@dataclass(frozen=True)
class Film:
    """A finished video. `fps` is None for pictures that came without a rate; sizes in px."""

    path: Path
    frames: int
    fps: Fraction | None
    width: int
    height: int

    def index_at(self, seconds: float) -> int:
        """The frame shown at a moment. Raises InvalidConfig outside the video."""
        rate = self.fps or Fraction(1)
        index = int(Fraction(seconds) * rate + Fraction(1, 1_000_000)) if seconds >= 0 else -1
        if not 0 <= index < self.frames:
            raise InvalidConfig(f"at: {seconds:g} s is not in the video, which lasts {float(self.frames / rate):g} s.")
        return index

    def label(self, index: int) -> str:
        """When a frame is shown, as minutes:seconds.hundredths; its number where there is no rate."""
        if self.fps is None:
            return f"{index + 1}"
        hundredths = int(index * 100 / self.fps)
        return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def film(path: Path, fps: Fraction | None = None) -> Film:
    """Looks into a video file, or an archive of PNG pictures that are to be shown at `fps`.

    Raises OutputInvalid when it is neither.
    """
    if path.name.endswith(".tar.gz"):
        count, size = 0, None
        try:
            for name, content in png_sequence.frames_in(path):
                if name == png_sequence.name_of(count):
                    count, size = count + 1, size or png_sequence.size_of(content)
        except ChunkInvalid as error:
            raise OutputInvalid(
                f"{path.name} holds no PNG pictures: {error.summary}", resolution=WHAT_IS_SHOWN
            ) from error
        if size is None:
            raise OutputInvalid(f"{path.name} holds no PNG pictures.", resolution=WHAT_IS_SHOWN)
        return Film(path, count, fps, *size)
    try:
        stream = video_stream(toolchain.ffmpeg(), path, decode=False)
    except EncoderInterrupted as error:
        raise OutputInvalid(f"{path.name} is no video.", resolution=WHAT_IS_SHOWN) from error
    if not stream.packets:
        raise OutputInvalid(f"{path.name} holds no pictures.", resolution=WHAT_IS_SHOWN)
    # Packets stand in the order of decoding, which need not be that of showing.
    begins, ends = (min(each.pts for each in stream.packets), max(each.pts + each.duration for each in stream.packets))
    lasts = (ends - begins) * stream.time_base
    return Film(path, len(stream.packets), fps or len(stream.packets) / lasts, stream.width, stream.height)


def sheet_frames(frames: int, count: int = SHEET_FRAMES) -> list[int]:
    """The middles of `count` equal parts of a video of `frames` frames; each frame at most once."""
    count = min(frames, count)
    return [(2 * part + 1) * frames // (2 * count) for part in range(count)]


def poster(shown: Film, index: int, width: int | None = None) -> bytes:
    """Frame `index` as JPEG, `width` px wide or as wide as the video."""
    width = min(width or shown.width, shown.width)
    return _jpeg(_pixels(shown, [index], width)[0], width, height_at(width, shown.width, shown.height))


def contact_sheet(
    shown: Film,
    count: int = SHEET_FRAMES,
    columns: int = SHEET_COLUMNS,
    *,
    pictures: Sequence[bytes] = (),
) -> tuple[bytes, int]:
    """A grid of `count` frames with their times, as JPEG; and which of the frames is the most detailed.

    `pictures`: these very frames as JPEG, where they are at hand; else the film is decoded for them.
    """
    width = min(THUMBNAIL_WIDTH, shown.width)
    height = height_at(width, shown.width, shown.height)
    indices = sheet_frames(shown.frames, count)
    found = _shrunk(pictures, width, height) if pictures else _pixels(shown, indices, width)
    thumbnails = [bytearray(pixels) for pixels in found]
    # The more there is to see, the less it can be packed.
    detail = [len(zlib.compress(pixels, 1)) for pixels in thumbnails]
    for index, pixels in zip(indices, thumbnails, strict=True):
        stamp(pixels, width, height, shown.label(index))
    sheet, sheet_width, sheet_height = _grid(thumbnails, width, height, columns)
    return _jpeg(sheet, sheet_width, sheet_height), indices[detail.index(max(detail))]


def height_at(width: int, whole_width: int, whole_height: int) -> int:
    """How high something is when it is made `width` px wide."""
    return max(1, round(whole_height * width / whole_width))


def _grid(tiles: Sequence[bytes | bytearray], width: int, height: int, columns: int) -> tuple[bytes, int, int]:
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    whole_width = columns * (width + GAP) + GAP
    gap = bytes([SHADE]) * (GAP * 3)
    empty = bytes([SHADE]) * (width * 3)
    between = bytes([SHADE]) * (whole_width * 3 * GAP)
    sheet = bytearray(between)
    for row in range(rows):
        line = tiles[row * columns : (row + 1) * columns]
        for y in range(height):
            parts = [tile[y * width * 3 : (y + 1) * width * 3] for tile in line] + [empty] * (columns - len(line))
            sheet += gap + b"".join(bytes(part) + gap for part in parts)
        sheet += between
    return bytes(sheet), whole_width, rows * (height + GAP) + GAP


def _pixels(shown: Film, indices: Sequence[int], width: int) -> list[bytes]:
    """The frames `indices`, in rising order, `width` px wide: RGB, 3 bytes a pixel."""
    height = height_at(width, shown.width, shown.height)
    if shown.path.name.endswith(".tar.gz"):
        wanted = {png_sequence.name_of(index) for index in indices}
        pictures = (content for name, content in png_sequence.frames_in(shown.path) if name in wanted)
        source = ["-f", "image2pipe", "-c:v", "png", "-i", "pipe:0"]
        return [_drawn(source, width, height, picture) for picture in pictures]
    assert shown.fps is not None  # noqa: S101 - a video has a rate
    if len(indices) > 1 and _is_opaque(shown) and shown.frames <= ONE_PASS_FRAMES:
        chosen = "+".join(f"eq(n\\,{index})" for index in indices)
        told = ["-vf", f"select='{chosen}',{_scaled(width, height)}", "-fps_mode", "passthrough"]
        # Nothing else is to be done meanwhile.
        source = ["-i", str(shown.path)]
        data = _run([*source, *told, "-frames:v", str(len(indices)), "-f", "rawvideo", "pipe:1"], None)
        return _each(data, width, height)
    frames = []
    for index in indices:
        # Half a frame early: what is before that is left out, and rounding cannot lead to the frame after it.
        moment = max(Fraction(0), (index - Fraction(1, 2)) / shown.fps)
        decoder = ["-c:v", "libvpx-vp9"] if shown.path.suffix == ".webm" else []
        source = [*decoder, "-ss", f"{float(moment):.6f}", *_read(shown)]
        if _is_opaque(shown):
            told = ["-vf", _scaled(width, height), "-frames:v", "1", "-f", "rawvideo", "pipe:1"]
            frames.append(_run([*source, *told], None))
        else:
            frames.append(_drawn(source, width, height))
    return frames


def _shrunk(pictures: Sequence[bytes], width: int, height: int) -> list[bytes]:
    source = ["-f", "mjpeg", "-i", "pipe:0", "-fps_mode", "passthrough", "-vf", _scaled(width, height)]
    return _each(_run([*source, "-f", "rawvideo", "pipe:1"], b"".join(pictures)), width, height)


def _each(data: bytes, width: int, height: int) -> list[bytes]:
    size = width * height * 3
    return [data[start : start + size] for start in range(0, len(data), size)]


def _is_opaque(shown: Film) -> bool:
    return shown.path.suffix == ".mp4"


def _read(shown: Film) -> list[str]:
    return ["-threads", "1", "-i", str(shown.path)]


def _scaled(width: int, height: int) -> str:
    return f"scale={width}:{height}:flags=area+accurate_rnd,format=rgb24"


def _drawn(source: list[str], width: int, height: int, given: bytes | None = None) -> bytes:
    size = f"{width}x{height}"
    # Multiplied before it is scaled: what lies behind transparent pixels must not come out at edges.
    graph = (
        f"[0:v]setpts=PTS-STARTPTS,format=gbrap,premultiply=inplace=1,scale={width}:{height}:flags=area+accurate_rnd,format=gbrap[front];"
        "[1:v]format=gbrap[back];"
        "[back][front]overlay=format=rgb:alpha=premultiplied,format=rgb24"
    )
    checker = ["-f", "lavfi", "-i", f"color=white:size={size}:duration=1:rate=1,format=gray,{CHECKER}"]
    command = [*source, *checker, "-filter_complex", graph, "-frames:v", "1", "-f", "rawvideo", "pipe:1"]
    return _run(command, given)


def _jpeg(pixels: bytes, width: int, height: int) -> bytes:
    command = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{height}", "-i", "pipe:0"]
    return _run([*command, "-c:v", "mjpeg", "-q:v", str(encode.JPEG_SCALE), "-f", "image2pipe", "pipe:1"], pixels)


def _run(arguments: list[str], given: bytes | None) -> bytes:
    command = [str(toolchain.ffmpeg().executable), "-hide_banner", "-loglevel", "error", "-nostats", *arguments]
    done = subprocess.run(command, input=given or b"", capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise encode.failure(done.stderr.decode(errors="replace"))
    return done.stdout
