"""Stills of finished videos: which frame they show, of every format, and what the sheet looks like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from lambda_handler import png_sequence, toolchain
from lambda_handler.errors import InvalidConfig, OutputInvalid
from lambda_handler.stamp import stamp
from lambda_handler.stills import GAP, Film, contact_sheet, film, poster, sheet_frames

FRAMES, WIDTH, HEIGHT = 20, 64, 36
SUFFIXES = (".mp4", ".mov", ".webm", ".gif", ".tar.gz")
# Frame n is grey of level 10 n on its left half, and its right half is transparent where the format can be so.
DRAWN = "geq=r='10*N':g='10*N':b='10*N':a='if(lt(X,32),255,0)'"
BT709 = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709"]
CODECS = {
    ".mp4": [*BT709, "-c:v", "libx264", "-crf", "10", "-pix_fmt", "yuv420p", "-g", "7"],
    ".mov": [*BT709, "-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"],
    ".webm": [*BT709, "-c:v", "libvpx-vp9", "-crf", "10", "-b:v", "0", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p"],
    ".gif": ["-vf", "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"],
}


def _ffmpeg(*arguments: str | Path, given: bytes = b"") -> bytes:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A video of 20 frames at 25 frames/s, by its suffix."""
    folder = tmp_path_factory.mktemp("videos")
    source = ["-f", "lavfi", "-i", f"color=black:size={WIDTH}x{HEIGHT}:rate=25:duration=0.8,format=rgba,{DRAWN}"]

    def video(suffix: str) -> Path:
        path = folder / f"video{suffix}"
        if not path.exists() and suffix == ".tar.gz":
            _ffmpeg(*source, folder / "%d.png")
            with png_sequence.writing(path) as add:
                for index in range(FRAMES):
                    add(png_sequence.name_of(index), (folder / f"{index + 1}.png").read_bytes())
        elif not path.exists():
            _ffmpeg(*source, *CODECS[suffix], path)
        return path

    return video


def _decoded(jpeg: bytes) -> tuple[bytes, int]:
    """RGB pixels, and the width."""
    data = _ffmpeg("-f", "mjpeg", "-i", "pipe:0", "-f", "image2pipe", "-c:v", "ppm", "pipe:1", given=jpeg)
    _, size, _, pixels = data.split(b"\n", 3)
    return pixels, int(size.split()[0])


def _level(jpeg: bytes, x: int, y: int) -> int:
    pixels, width = _decoded(jpeg)
    return pixels[(y * width + x) * 3 + 1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("index", [0, 7, 13, 19])
def test_a_poster_shows_exactly_the_frame_it_is_asked_for(
    videos: Callable[[str], Path], suffix: str, index: int
) -> None:
    """Not its neighbour, whose grey is ten levels away."""
    shown = film(videos(suffix), Fraction(25))
    assert (shown.frames, shown.width, shown.height) == (FRAMES, WIDTH, HEIGHT)
    assert abs(_level(poster(shown, index), 10, 18) - 10 * index) <= 4


@pytest.mark.parametrize("suffix", [".mov", ".webm", ".tar.gz"])
def test_alpha_is_shown_over_a_checkerboard(videos: Callable[[str], Path], suffix: str) -> None:
    """Light and dark squares of 12 px where nothing is drawn."""
    still = poster(film(videos(suffix), Fraction(25)), 3)
    assert abs(_level(still, 40, 6) - 190) <= 6
    assert abs(_level(still, 54, 6) - 240) <= 6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_sheet_has_its_frames_in_order(videos: Callable[[str], Path], suffix: str) -> None:
    """Four of twenty in two columns: 2, 7, 12 and 17, with a gap between them."""
    sheet, _ = contact_sheet(film(videos(suffix), Fraction(25)), 4, 2)
    pixels, width = _decoded(sheet)
    assert (width, len(pixels) // 3 // width) == (2 * WIDTH + 3 * GAP, 2 * HEIGHT + 3 * GAP)
    for place, index in enumerate((2, 7, 12, 17)):
        x, y = GAP + (place % 2) * (WIDTH + GAP) + 8, GAP + (place // 2) * (HEIGHT + GAP) + 8
        assert abs(_level(sheet, x, y) - 10 * index) <= 6, index


def test_the_poster_is_the_most_detailed_frame(tmp_path: Path) -> None:
    """A flat colour for most of the time, a test picture in the third quarter."""
    path = tmp_path / "video.mp4"
    _ffmpeg(
        *("-f", "lavfi", "-i", "color=navy:size=320x180:rate=10:duration=4"),
        *("-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=4"),
        *("-filter_complex", "[0][1]overlay=enable='between(t,2,2.95)'", "-pix_fmt", "yuv420p", path),
    )
    _, best = contact_sheet(film(path))
    assert 20 <= best <= 29


def test_sheet_frames_are_the_middles_of_equal_parts() -> None:
    """Each at most once; a video shorter than the sheet has each of its frames on it."""
    assert sheet_frames(120, 4) == [15, 45, 75, 105]
    assert sheet_frames(5, 12) == [0, 1, 2, 3, 4]
    assert sheet_frames(1) == [0]


def test_a_moment_is_the_frame_that_is_shown_then() -> None:
    """Up to, not including, the next one's; outside the video there is none."""
    shown = Film(Path("video.mp4"), 30, Fraction(30), 64, 36)
    assert [shown.index_at(seconds) for seconds in (0, 0.033, 1 / 30, 0.5, 0.999)] == [0, 0, 1, 15, 29]
    for outside in (-0.1, 1.0):
        with pytest.raises(InvalidConfig, match="lasts 1 s"):
            shown.index_at(outside)


def test_labels_are_times_or_numbers() -> None:
    """Pictures without a rate have no times."""
    shown = Film(Path("video.mp4"), 5000, Fraction(30), 64, 36)
    assert [shown.label(index) for index in (0, 1, 45, 1830, 4999)] == [
        "0:00.00", "0:00.03", "0:01.50", "1:01.00", "2:46.63",
    ]  # fmt: skip
    assert Film(Path("frames.tar.gz"), 5, None, 64, 36).label(4) == "5"


def test_a_stamp_is_white_on_black_in_the_lower_left_corner() -> None:
    """A one, point by point; where there is no room the picture stays as it is."""
    pixels = bytearray(b"\x80" * (20 * 16 * 3))
    stamp(pixels, 20, 16, "1")
    rows = [
        "".join(".#-"[{0: 0, 255: 1, 128: 2}[pixels[(y * 20 + x) * 3]]] for x in range(0, 20, 2))
        for y in range(0, 16, 2)
    ]
    assert [row[:6] for row in rows] == ["------", ".....-", "..#..-", ".##..-", "..#..-", "..#..-", ".###.-", ".....-"]
    small = bytearray(b"\x80" * (8 * 8 * 3))
    stamp(small, 8, 8, "1")
    assert set(small) == {0x80}


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    """By name, with what can be shown."""
    for name, content in (("notes.mp4", b"not a video"), ("notes.tar.gz", b"not an archive")):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(OutputInvalid, match=r"notes\.tar\.gz holds no PNG pictures"):
        film(tmp_path / "notes.tar.gz")
    with pytest.raises(OutputInvalid, match=r"notes\.mp4 is no video"):
        film(tmp_path / "notes.mp4")
    with png_sequence.writing(tmp_path / "none.tar.gz") as add:
        add("notes.txt", b"")
    with pytest.raises(OutputInvalid, match="holds no PNG pictures"):
        film(tmp_path / "none.tar.gz")
