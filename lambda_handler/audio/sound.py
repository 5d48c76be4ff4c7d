"""A stretch of a file's sound as raw samples.

Raw means 32-bit float, 48 kHz, stereo, interleaved, without a header.
"""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.encode import failure
from lambda_handler.errors import AudioSourceInvalid, EncoderInterrupted
from lambda_handler.media_sources import MediaSource
from lambda_handler.toolchain import Ffmpeg

CHANNELS = 2
FRAME_BYTES = CHANNELS * 4
RAW = {"format": "f32le", "ar": SAMPLE_RATE, "ac": CHANNELS}
MONO = ("mono", "1 channels", "FC")
STEREO = ("stereo", "2 channels", "downmix")
# The filters' float arithmetic depends on the processor's instructions: one set gives the same bytes everywhere.
COMMON_X86 = ("-cpuflags", "sse4.2")


@dataclass(frozen=True)
class Stretch:
    """`samples` (at 48 kHz) of the sound in `file` from `start` seconds on, played at `rate` times its speed.

    With `loop` it begins again at `start` when the sound is over, or after `period` seconds of it.
    """

    file: Path
    source: MediaSource
    start: float
    rate: float
    loop: bool
    period: float | None
    samples: int


def run(tool: Ffmpeg, node: Any) -> str:
    """Runs a graph on one thread; returns what it complained about. Raises EncoderInterrupted, StorageFull."""
    everywhere = COMMON_X86 if platform.machine() in ("x86_64", "AMD64") else ()
    settings = ("-hide_banner", "-loglevel", "error", "-nostats", "-y", "-filter_threads", "1", *everywhere)
    command = ffmpeg.compile(node, cmd=str(tool.executable))
    done = subprocess.run([command[0], *settings, *command[1:]], capture_output=True, check=False)
    told = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise failure(told)
    return told


def extract(tool: Ffmpeg, stretch: Stretch, target: Path) -> str:
    """Writes a stretch to `target` as raw samples, fewer where the file is over; returns ffmpeg's complaints.

    Raises AudioSourceInvalid when there is no sound in the file or it cannot be decoded.
    """
    track = stretch.source.audio
    if track is None:
        raise AudioSourceInvalid("there is no sound in it")
    # Of a file that begins before its time 0, with what a decoder needs but nobody hears, ffmpeg would move the
    # beginning to 0.
    kept = {"copyts": None} if stretch.source.start < 0 else {}
    sound = ffmpeg.input(f"file:{stretch.file}", protocol_whitelist="file", **kept)[str(track.index)]
    if stretch.source.video:
        # Beside pictures, times say when something is heard: the sound may begin late or have gaps.
        sound = sound.filter("aresample", **{"async": 1, "first_pts": 0})
    else:
        # Alone, it begins with its first sample: Ogg may count from what a decoder leaves out.
        sound = sound.filter("asetpts", "N/SR/TB")
    sound = sound.filter("atrim", start=f"{stretch.start:.9f}").filter("asetpts", "PTS-STARTPTS")
    sound = _stereo(sound, track.layout)
    told = ""
    try:
        if stretch.loop:
            once = target.with_suffix(".once")
            told = run(tool, sound.output(str(once), format="f32le"))
            sound = _repeated(once, track.sample_rate, stretch.period)
            if sound is None:
                target.write_bytes(b"")
                return told
        for tempo in _tempos(stretch.rate):
            sound = sound.filter("atempo", f"{tempo:.6f}")
        sound = sound.filter("aresample", SAMPLE_RATE).filter("atrim", end_sample=stretch.samples)
        return told + run(tool, sound.output(str(target), **RAW))
    except EncoderInterrupted as error:
        raise AudioSourceInvalid(f"its sound cannot be decoded: {error.summary.rstrip('.')}") from error


def _stereo(sound: Any, layout: str) -> Any:
    if layout in MONO:
        # ffmpeg's own way of making one channel two takes 3 dB off.
        return sound.filter("channelmap", "0|0", channel_layout="stereo")
    if layout in STEREO:
        return sound
    return sound.filter("aresample", ochl="stereo", rematrix_maxval=1)


def _repeated(once: Path, rate: int, period: float | None) -> Any:
    samples = once.stat().st_size // FRAME_BYTES
    if not samples:
        return None
    sound = ffmpeg.input(str(once), format="f32le", ar=rate, ac=CHANNELS).audio
    if period is not None:
        samples = max(1, round(period * rate))
        sound = sound.filter("apad", whole_len=samples).filter("atrim", end_sample=samples)
    return sound.filter("aloop", loop=-1, size=samples)


def _tempos(rate: float) -> list[float]:
    """Factors between 0.5 and 2, which keep the pitch (composition contract, section 4.6)."""
    factors = []
    while rate < 0.5 - 1e-9:
        factors.append(0.5)
        rate /= 0.5
    while rate > 2 + 1e-9:
        factors.append(2.0)
        rate /= 2
    return factors if abs(rate - 1) < 1e-9 else [*factors, rate]
