"""Sounds added up: each with its gain over time, at its sample, nothing normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from lambda_handler.audio.envelope import SAMPLE_RATE, Envelope
from lambda_handler.audio.sound import FRAME_BYTES, RAW, run
from lambda_handler.toolchain import Ffmpeg


@dataclass(frozen=True)
class Fades:
    """Straight fades at the ends of a clip; lengths in samples. After `end`, the clip's last sample, it is silent."""

    fade_in: int
    fade_out: int
    end: int

    @classmethod
    def of(cls, fade_in: float, fade_out: float, samples: int) -> Fades:
        """Fades of so many seconds in a clip of `samples`; both shorter where they would meet."""
        wanted = (fade_in + fade_out) * SAMPLE_RATE
        scale = SAMPLE_RATE * min(1.0, samples / wanted) if wanted else 0.0
        return cls(round(fade_in * scale), round(fade_out * scale), samples)


@dataclass(frozen=True)
class Part:
    """A raw sound in the sum: from sample `start` on, times `gain` (over the part's own time) and `fades`."""

    file: Path
    start: int
    gain: Envelope
    fades: Fades | None = None


def add_up(tool: Ffmpeg, parts: Sequence[Part], samples: int, target: Path) -> None:
    """Writes the sum of `parts`, exactly `samples` long, to `target` as raw samples.

    Raises EncoderInterrupted, StorageFull.
    """
    sounds = [_placed(part, target.with_suffix(f".gain{index}")) for index, part in enumerate(parts)]
    total = ffmpeg.filter(sounds, "amix", inputs=len(sounds), normalize=0, duration="longest", dropout_transition=0)
    total = total.filter("apad", whole_len=samples).filter("atrim", end_sample=samples)
    run(tool, total.output(str(target), **RAW))


def _placed(part: Part, gains: Path) -> Any:
    sound = ffmpeg.input(str(part.file), **RAW).audio
    level = part.gain.level
    if level is None:
        with gains.open("wb") as file:
            for block in part.gain.samples(part.file.stat().st_size // FRAME_BYTES):
                block.tofile(file)
        gain = ffmpeg.input(str(gains), format="f32le", ar=SAMPLE_RATE, ac=1).audio
        sound = ffmpeg.filter([sound, gain.filter("channelmap", "0|0", channel_layout="stereo")], "amultiply")
    elif level != 1:
        sound = sound.filter("volume", f"{level:.9f}", precision="float")
    if part.fades and part.fades.fade_in:
        sound = sound.filter("afade", type="in", start_sample=0, nb_samples=part.fades.fade_in)
    if part.fades and part.fades.fade_out:
        begin = part.fades.end - part.fades.fade_out
        sound = sound.filter("afade", type="out", start_sample=begin, nb_samples=part.fades.fade_out)
    return sound.filter("adelay", f"{part.start}S", all=1) if part.start else sound
