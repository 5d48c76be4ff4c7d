"""Which clips of a composition are heard, from when to when, how loud, and through what.

Heard are audio elements, and videos whose file has sound, unless they are muted (videos also by
data-has-audio="false") or hidden by data-hidden on them, on an element around them or on their group. An audio and a
video of the same file are both heard, as with the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lambda_handler.audio.automation import volume_lane
from lambda_handler.audio.effects import enabled_chain
from lambda_handler.audio.envelope import Envelope, clamped, sample_at
from lambda_handler.audio.sound import Stretch
from lambda_handler.errors import CompositionInvalid
from lambda_handler.media_clips import MediaClip
from lambda_handler.media_sources import MediaSource


@dataclass(frozen=True)
class Processing:
    """What is done to a sound: effects first, then the gain. `where` names the element in messages."""

    where: str
    gain: Envelope
    effects: str | None
    automation: str | None


@dataclass(frozen=True)
class Voice:
    """One clip that is heard, from sample `start` of the composition on; fades in seconds."""

    stretch: Stretch
    start: int
    processing: Processing
    fade_in: float
    fade_out: float
    group: int | None


@dataclass(frozen=True)
class Score:
    """All that is heard: clips, the groups they are in (by their numbers), what is done to the whole."""

    voices: tuple[Voice, ...]
    groups: Mapping[int, Processing]
    master: Processing


def score(
    clips: Sequence[MediaClip], sources: Mapping[str, MediaSource], files: Mapping[str, Path], told: Mapping[str, Any]
) -> Score:
    """What is heard of `clips`; `sources` and `files` by served path, `told` is what the page said (page/audio.js).

    Raises CompositionInvalid, FeatureNotSupported naming the element.
    """
    authored = {element["renderId"]: element for element in told["media"]}
    for clip in clips:
        if clip.render_id not in authored:
            raise CompositionInvalid(
                f'<{clip.tag} id="{clip.render_id}"> is taken off the page while the video runs.',
                resolution="Leave it where it is: what is over is neither seen nor heard.",
            )
    groups = dict(enumerate(told["groups"]))
    voices = tuple(
        _voice(clip, sources[clip.source], files[clip.source], authored[clip.render_id])
        for clip in clips
        if _is_heard(clip, sources[clip.source])
        and not ((group := authored[clip.render_id]["group"]) is not None and groups[group]["hidden"])
    )
    return Score(
        voices=voices,
        groups={
            number: _processing(f'<hf-audio-group id="{groups[number]["id"]}">', groups[number], None)
            for number in sorted({voice.group for voice in voices if voice.group is not None})
        },
        master=_processing("The root composition", {"volume": 1.0, "automation": None, **told["master"]}, None),
    )


def _is_heard(clip: MediaClip, source: MediaSource) -> bool:
    if clip.muted or clip.hidden:
        return False
    return clip.tag == "audio" or (clip.has_audio is not False and source.audio is not None)


def _voice(clip: MediaClip, source: MediaSource, file: Path, authored: Mapping[str, Any]) -> Voice:
    # What stands before the beginning of the composition is over when it begins.
    late = max(0.0, -clip.start)
    gains = authored["gains"] and Envelope(tuple((time, gain) for time, gain in authored["gains"]))
    processing = _processing(
        f'<{clip.tag} id="{clip.render_id}"> ({clip.source})',
        {**authored, "volume": clip.volume},
        gains and gains.between(clip.start, clip.end),
    )
    return Voice(
        stretch=Stretch(
            file=file,
            source=source,
            start=clip.media_start + late * clip.rate,
            rate=clip.rate,
            loop=clip.loop,
            # A film begins again when its pictures are over too.
            period=source.duration - clip.media_start if clip.tag == "video" else None,
            samples=sample_at(clip.end) - sample_at(clip.start + late),
        ),
        start=sample_at(clip.start + late),
        processing=replace(processing, gain=processing.gain.between(late, clip.end - clip.start)),
        fade_in=authored["fadeIn"],
        fade_out=authored["fadeOut"],
        group=authored["group"],
    )


def _processing(where: str, told: Mapping[str, Any], sampled: Envelope | None) -> Processing:
    """A volume lane goes before what a timeline does with the volume, and that before data-volume."""
    lane = volume_lane(told["automation"], where)
    return Processing(
        where=where,
        gain=lane or sampled or Envelope.constant(clamped(told["volume"])),
        effects=enabled_chain(told["effects"], where),
        automation=told["automation"],
    )
