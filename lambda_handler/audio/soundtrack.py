"""The soundtrack of a plan: what the ready page and its files give, mixed for the video's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import mkdtemp

from lambda_handler import toolchain
from lambda_handler.audio import effects
from lambda_handler.audio.check import check_length
from lambda_handler.audio.codec import CODECS
from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.audio.heard import score
from lambda_handler.audio.mix import mix
from lambda_handler.devtools import Devtools
from lambda_handler.media_clips import MediaClip
from lambda_handler.media_sources import MediaSource
from lambda_handler.page.session import CompositionPage

MAX_SAMPLES_PER_SECOND = 60
"""How often a volume that a timeline moves is looked at, at most (composition contract, section 4.6)."""


@dataclass(frozen=True)
class Soundtrack:
    """The encoded sound, None where nothing is heard, and what is not as it should be."""

    file: Path | None
    warnings: tuple[str, ...] = ()


def length(frames: int, fps: Fraction) -> int:
    """How many samples are heard while `frames` frames are shown."""
    return round(frames / fps * SAMPLE_RATE)


def soundtrack(
    page: CompositionPage,
    browser: Devtools,
    clips: Sequence[MediaClip],
    sources: Mapping[str, MediaSource],
    site: Mapping[str, Path],
    *,
    root: str,
    frames: int,
    fps: Fraction,
    video_format: str,
    strict: bool,
    folder: Path,
) -> Soundtrack:
    """The mixed sound in the codec of `video_format`.

    `sources` and `site` by served path. The page is not to be used afterwards: its timelines have been moved.
    Raises what `score` and `mix` raise.
    """
    codec = CODECS.get(video_format)
    if not clips:
        return Soundtrack(None)
    seconds = float(frames / fps)
    told = page.audio(root, seconds, min(float(fps), MAX_SAMPLES_PER_SECOND))
    heard = score(clips, sources, site, told)
    if not heard.voices:
        return Soundtrack(None)
    if codec is None:
        unheard = f"Format {video_format} has no sound; {len(heard.voices)} audible clips are not heard."
        return Soundtrack(None, (unheard,))
    file, warnings = mix(
        toolchain.ffmpeg(),
        heard,
        length(frames, fps),
        codec,
        Path(mkdtemp(prefix="audio-", dir=folder)),
        effects=lambda: effects.opened(browser, toolchain.audio_effects()),
        strict=strict,
    )
    check_length(toolchain.ffmpeg(), file, frames / fps)
    return Soundtrack(file, warnings)
