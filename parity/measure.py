"""How alike two videos are: frame counts, PSNR of each frame, and whether they sound the same.

The limits are those at which two renderers of one composition count as the same (`LIMITS`).
"""

from __future__ import annotations

import re
import statistics
import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from pathlib import Path
from tempfile import TemporaryDirectory

from lambda_handler import toolchain
from lambda_handler.errors import EncoderInterrupted
from lambda_handler.media import video_stream

# Two identical pictures have no noise at all; a mean needs a number.
IDENTICAL_DB = 100.0
# Frames are paired by their place, not by times that two muxers may round differently.
PAIRED = "settb=1/1000,setpts=N"
SOUND_RATE = 8000
# A quarter of a second either way: a mixer that is further off than that plays another part of the sound.
FARTHEST_LAG = SOUND_RATE // 4
LAG_STEP = 4
SILENCE = 8.0


@dataclass(frozen=True)
class Limits:
    """What counts as the same: decibels, seconds, a correlation between -1 and 1."""

    mean_db: float = 40.0
    low_db: float = 30.0
    seconds: float = 0.05
    correlation: float = 0.9


@dataclass(frozen=True)
class Sound:
    """The sound of two videos, at SOUND_RATE in one channel. `lag` in seconds is where they agree best: positive
    when the second comes later. `correlation` is the one at lag 0, between -1 and 1."""

    correlation: float
    lag: float


@dataclass(frozen=True)
class Likeness:
    """Two videos of one composition, ours first. PSNR in dB over all planes, for each frame that both have."""

    frames: tuple[int, int]
    seconds: tuple[float, float]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    psnr: tuple[float, ...]
    audible: tuple[bool, bool]
    sound: Sound | None

    @property
    def mean_db(self) -> float:
        """The average over the frames."""
        return statistics.fmean(self.psnr) if self.psnr else 0.0

    @property
    def low_db(self) -> float:
        """The 5th percentile: nineteen frames of twenty are at least this good."""
        return sorted(self.psnr)[int(0.05 * (len(self.psnr) - 1))] if self.psnr else 0.0

    @property
    def worst_frame(self) -> int:
        """The index of the least like frame."""
        return min(range(len(self.psnr)), key=self.psnr.__getitem__, default=0)

    def complaints(self, limits: Limits) -> tuple[str, ...]:
        """What is not the same, in words; none when the two count as the same."""
        told = []
        if self.sizes[0] != self.sizes[1]:
            told.append(f"{'x'.join(map(str, self.sizes[0]))} px against {'x'.join(map(str, self.sizes[1]))}")
        if self.frames[0] != self.frames[1]:
            told.append(f"{self.frames[0]} frames against {self.frames[1]}")
        if self.mean_db < limits.mean_db:
            told.append(f"mean {self.mean_db:.1f} dB")
        if self.low_db < limits.low_db:
            told.append(f"5th percentile {self.low_db:.1f} dB (frame {self.worst_frame})")
        if self.audible[0] != self.audible[1]:
            told.append("sound in one only: " + ("ours" if self.audible[0] else "theirs"))
        if abs(self.seconds[0] - self.seconds[1]) > limits.seconds:
            told.append(f"{self.seconds[0]:.3f} s against {self.seconds[1]:.3f}")
        if self.sound and (self.sound.correlation < limits.correlation or self.sound.lag):
            told.append(f"sound correlates {self.sound.correlation:.2f}, best at {1000 * self.sound.lag:+.1f} ms")
        return tuple(told)


def compare(ours: Path, theirs: Path) -> Likeness:
    """Measures two videos. Raises EncoderInterrupted when one cannot be read."""
    first, second = (video_stream(toolchain.ffmpeg(), video, decode=False) for video in (ours, theirs))
    sizes = ((first.width, first.height), (second.width, second.height))
    sounds = [_samples(video) for video in (ours, theirs)]
    heard = [samples for samples in sounds if samples is not None]
    return Likeness(
        frames=(len(first.packets), len(second.packets)),
        seconds=(_seconds(ours), _seconds(theirs)),
        sizes=sizes,
        psnr=_psnr(ours, theirs) if sizes[0] == sizes[1] else (),
        audible=(sounds[0] is not None, sounds[1] is not None),
        sound=sound_of(heard[0], heard[1]) if len(heard) == len(sounds) else None,
    )


def sound_of(ours: Sequence[int], theirs: Sequence[int]) -> Sound | None:
    """How two sounds agree. None when both are silent: silence agrees with itself at every lag."""
    length = min(len(ours), len(theirs))
    first, second = ours[:length], theirs[:length]
    if _loudness(first) < SILENCE and _loudness(second) < SILENCE:
        return None
    at_zero = _correlation(first, second, 0)
    best = max(range(-FARTHEST_LAG, FARTHEST_LAG + 1, LAG_STEP), key=lambda lag: _correlation(first, second, lag))
    # Sounds that repeat agree at many lags; another one is only where they agree better than by chance.
    lag = best if _correlation(first, second, best) > at_zero + 0.01 else 0
    return Sound(at_zero, lag / SOUND_RATE)


def _correlation(first: Sequence[int], second: Sequence[int], lag: int) -> float:
    a = first[: len(first) - lag] if lag >= 0 else first[-lag:]
    b = second[lag:] if lag >= 0 else second[:lag]
    power = (sum(map(mul, a, a)) * sum(map(mul, b, b))) ** 0.5
    return sum(map(mul, a, b)) / power if power else 0.0


def _loudness(samples: Sequence[int]) -> float:
    return (sum(map(mul, samples, samples)) / len(samples)) ** 0.5 if samples else 0.0


def _psnr(ours: Path, theirs: Path) -> tuple[float, ...]:
    with TemporaryDirectory(prefix="hf-parity-") as folder:
        stats = Path(folder) / "psnr.log"
        graph = f"[0:v]{PAIRED}[a];[1:v]{PAIRED}[b];[a][b]psnr=shortest=1:stats_file={stats}"
        _ffmpeg(["-i", ours, "-i", theirs, "-lavfi", graph, "-f", "null", "-"])
        values = re.findall(r"psnr_avg:(\S+)", stats.read_text())
    return tuple(IDENTICAL_DB if value == "inf" else min(IDENTICAL_DB, float(value)) for value in values)


def _samples(video: Path) -> array[int] | None:
    """The sound in one channel, 16 bit; None where there is none."""
    if "Audio:" not in _described(video):
        return None
    return array("h", _ffmpeg(["-i", video, "-map", "0:a:0", "-ac", "1", "-ar", str(SOUND_RATE), "-f", "s16le", "-"]))


def _seconds(video: Path) -> float:
    """The length of the whole file, the longest of its tracks."""
    found = re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", _described(video))
    if found is None:
        return 0.0
    hours, minutes, seconds = map(Fraction, found.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def _described(video: Path) -> str:
    command = [str(toolchain.ffmpeg().executable), "-hide_banner", "-i", str(video)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def _ffmpeg(arguments: Sequence[str | Path]) -> bytes:
    command = [toolchain.ffmpeg().executable, "-hide_banner", "-loglevel", "error", "-nostats", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise EncoderInterrupted(f"ffmpeg could not compare: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout
