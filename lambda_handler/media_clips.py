"""Where each video and audio element of a composition stands in time, as the ready page resolves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MediaClip:
    """One element with a source. Seconds of the composition, but `media_start`, which counts in the source.

    `source` is the served path of its file; `end` is exclusive and at most the composition's duration; `rate` is how
    many seconds of the source pass in one of the composition. `volume` (linear gain), `loop`, `muted`, `hidden`
    and `has_audio` (None where nobody said) are as authored; `ramped`: an automation lane changes the rate on the way.
    """

    render_id: str
    tag: str
    source: str
    start: float
    end: float
    media_start: float
    rate: float
    loop: bool
    muted: bool
    hidden: bool
    has_audio: bool | None
    volume: float
    ramped: bool = False


def clips(told: Iterable[Mapping[str, Any]], duration: float) -> tuple[MediaClip, ...]:
    """The clips that the page driver told of (`media()`), cut at the composition's `duration` seconds.

    One that never plays, or has no source, is none.
    """
    found = []
    for clip in told:
        start, end = float(clip["start"]), min(float(clip["end"] or duration), duration)
        if clip["source"] and end > max(start, 0.0):
            found.append(
                MediaClip(
                    render_id=clip["renderId"],
                    tag=clip["tag"],
                    source=clip["source"],
                    start=start,
                    end=end,
                    media_start=float(clip["mediaStart"]),
                    rate=float(clip["rate"]),
                    loop=clip["loop"],
                    muted=clip["muted"],
                    hidden=clip["hidden"],
                    has_audio=clip["hasAudio"],
                    volume=float(clip["volume"]),
                    ramped=clip["ramped"],
                )
            )
    return tuple(found)
