"""Two videos side by side: PSNR, and how many frames are the same to the bit."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from math import inf
from pathlib import Path

from lambda_handler import toolchain


@dataclass(frozen=True)
class Likeness:
    """`psnr` is the average over all frames in dB, infinite for equal ones; `identical` of `frames` decode alike."""

    psnr: float
    identical: int
    frames: int

    @property
    def same_frames(self) -> bool:
        """Whether every frame is the same, and both have as many."""
        return self.identical == self.frames > 0


def compare(video: Path, baseline: Path) -> Likeness:
    """How alike `video` is to `baseline`."""
    mine, theirs = _digests(video), _digests(baseline)
    command = [str(toolchain.ffmpeg().executable), "-hide_banner", "-nostats", "-i", str(video), "-i", str(baseline)]
    told = subprocess.run([*command, "-lavfi", "psnr", "-f", "null", "-"], capture_output=True, text=True, check=True)
    found = re.search(r"average:(\S+)", told.stderr)
    if found is None:
        raise ValueError(f"ffmpeg gave no PSNR for {video}: {told.stderr[-200:]}")
    same = sum(one == other for one, other in zip(mine, theirs, strict=False))
    return Likeness(inf if found[1] == "inf" else float(found[1]), same, max(len(mine), len(theirs)))


def _digests(video: Path) -> list[str]:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-i", str(video), "-map", "0:v:0"]
    command += ["-f", "framemd5", "-"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.rpartition(",")[2].strip() for line in listing.splitlines() if not line.startswith("#")]
