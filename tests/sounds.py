"""Sounds for the tests: made by ffmpeg, and listened to sample by sample."""

from __future__ import annotations

import subprocess
from array import array
from itertools import pairwise
from math import log10, sqrt
from pathlib import Path

from lambda_handler import toolchain
from lambda_handler.audio.envelope import SAMPLE_RATE


def ffmpeg(*arguments: str) -> bytes:
    """Runs ffmpeg; what it writes to standard output."""
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-y", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def clicks(target: Path, *at: float, seconds: float, level: float = 0.8, rate: int = SAMPLE_RATE) -> Path:
    """A mono file with one sample of `level` at each moment."""
    wanted = "+".join(f"eq(n,{round(moment * rate)})" for moment in at)
    return _written(target, f"{level}*({wanted})", seconds, rate, 1)


def sine(
    target: Path,
    *,
    seconds: float,
    frequency: float = 1000,
    level: float = 0.25,
    rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Path:
    """A tone of `level` at its peaks, the same in all channels."""
    return _written(target, f"{level}*sin(2*PI*{frequency}*t)", seconds, rate, channels)


def _written(target: Path, wave: str, seconds: float, rate: int, channels: int) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{'|'.join([wave] * channels)}':s={rate}:d={seconds}", str(target))
    return target


def raw_samples(path: Path) -> tuple[array[float], array[float]]:
    """Left and right of a file of raw samples."""
    both = array("f", path.read_bytes())
    return both[::2], both[1::2]


def heard(path: Path) -> tuple[array[float], array[float]]:
    """Left and right as a player hears them, from time 0 of the file on: delays and edit lists are honoured."""
    # Timestamps as they are in the file, or ffmpeg would move the first packet to 0.
    aligned = f"aresample={SAMPLE_RATE}:async=1:first_pts=0"
    arguments = ["-copyts", "-i", str(path), "-map", "0:a:0", "-af", aligned, "-ac", "2", "-f", "f32le", "pipe:1"]
    both = array("f", ffmpeg(*arguments))
    return both[::2], both[1::2]


def click_times(samples: array[float], threshold: float = 0.2) -> list[float]:
    """Where the clicks are, in seconds: the loudest sample of each."""
    found = []
    index = 0
    while index < len(samples):
        if abs(samples[index]) > threshold:
            near = range(index, min(len(samples), index + 480))
            found.append(max(near, key=lambda at: abs(samples[at])) / SAMPLE_RATE)
            index += 480
        index += 1
    return found


def level(samples: array[float], start: float, end: float) -> float:
    """The root mean square between two moments, in dB of full scale; -120 for silence."""
    part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    mean = sqrt(sum(value * value for value in part) / len(part))
    return 20 * log10(max(mean, 1e-6))


def frequency(samples: array[float], start: float, end: float) -> float:
    """Of a tone, counted by its zero crossings, in Hz."""
    part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    crossings = sum(before < 0 <= after for before, after in pairwise(part))
    return crossings / (end - start)
