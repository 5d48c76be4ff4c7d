"""Frames into one closed group of pictures (composition contract, section 5), through ffmpeg's standard input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO

import ffmpeg

from lambda_handler.errors import EncoderInterrupted, StorageFull
from lambda_handler.events import Config
from lambda_handler.manifest import Encoder
from lambda_handler.toolchain import Ffmpeg

PRESETS = {"draft": "ultrafast", "standard": "medium", "high": "slow"}
CRF = {"draft": 28, "standard": 18, "high": 15}
TIMESCALE = 90_000


def encoder_for(config: Config) -> Encoder:
    """The encoder settings of a request: quality chooses the preset, and the CRF where no rate is given."""
    crf = config.crf if config.crf is not None or config.bitrate else CRF[config.quality]
    return Encoder(codec=config.codec, preset=PRESETS[config.quality], crf=crf, bitrate=config.bitrate)


def timescale(fps: Fraction) -> int:
    """Ticks per second in which every frame of `fps` lasts a whole number of ticks: 90,000 where that does."""
    return TIMESCALE if (TIMESCALE / fps).denominator == 1 else fps.numerator


def arguments(tool: Ffmpeg, encoder: Encoder, *, frames: int, fps: Fraction, output: Path) -> list[str]:
    """The command that encodes `frames` JPEG pictures from standard input into `output`.

    One thread: the same bytes on every number of cores, and the chunks are what runs in parallel.
    """
    rate = f"{fps.numerator}/{fps.denominator}"
    tuned = "" if encoder.preset == "ultrafast" else ":aq-strength=0.8:deblock=1,1"
    pictures = ffmpeg.input("pipe:0", format="image2pipe", vcodec="mjpeg", framerate=rate, threads=1)
    # JPEG pictures are full-range BT.601; the video is limited-range BT.709. Rounded down, as is swscale's habit,
    # white would come back green.
    video = pictures.video.filter(
        "scale",
        in_color_matrix="bt601",
        in_range="pc",
        out_color_matrix="bt709",
        out_range="tv",
        flags="bilinear+accurate_rnd",
    )
    options: dict[str, object] = {
        "c:v": "libx264",
        "preset": encoder.preset,
        "g": frames,
        "keyint_min": frames,
        "sc_threshold": 0,
        "force_key_frames": f"expr:eq(mod(n,{frames}),0)",
        "bf": 0,
        "x264-params": f"aq-mode=3{tuned}:colorprim=bt709:transfer=bt709:colormatrix=bt709"
        ":scenecut=0:open-gop=0:repeat-headers=1",
        "colorspace:v": "bt709",
        "color_primaries:v": "bt709",
        "color_trc:v": "bt709",
        "color_range": "tv",
        "pix_fmt": "yuv420p",
        "video_track_timescale": timescale(fps),
        "avoid_negative_ts": "make_zero",
        "threads": 1,
        "filter_threads": 1,
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "map_metadata": -1,
        "an": None,
    } | ({"b:v": encoder.bitrate} if encoder.bitrate else {"crf": encoder.crf if encoder.crf is not None else 18})
    written = ffmpeg.output(video, str(output), r=rate, **options).global_args(
        "-hide_banner", "-loglevel", "error", "-nostats", "-y"
    )
    return list(ffmpeg.compile(written, cmd=str(tool.executable)))


@contextmanager
def encoding(command: list[str]) -> Iterator[IO[bytes]]:
    """Runs an encoder; what is written to the result goes to its standard input, and is encoded at the end.

    Raises EncoderInterrupted with ffmpeg's own words, StorageFull when the disk was the reason.
    """
    # In memory: when the disk is full, ffmpeg has to be able to say so.
    with os.fdopen(os.memfd_create("ffmpeg"), "w+b") as told:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told)
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        try:
            yield process.stdin
            process.stdin.close()
            code = process.wait()
        except BrokenPipeError:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code:
            told.seek(0)
            raise failure(told.read().decode(errors="replace"))


def failure(told: str) -> EncoderInterrupted | StorageFull:
    """The error for an ffmpeg that ended with `told` on its standard error."""
    last = " ".join(told.strip().splitlines()[-2:])[-400:] or "no message"
    if "No space left on device" in told:
        return StorageFull(f"ffmpeg found no space to write: {last}")
    return EncoderInterrupted(f"ffmpeg ended early: {last}")
