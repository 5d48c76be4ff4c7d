"""Whether the mixed sound is as long as the pictures, and is found beside them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from lambda_handler.errors import OutputInvalid
from lambda_handler.media import AudioStream, audio_stream
from lambda_handler.toolchain import Ffmpeg

TOLERANCE = Fraction(1, 1000)
"""Seconds by which a sound may be early, late, long or short (composition contract, section 6); a tick of WebM."""


def check_length(tool: Ffmpeg, sound: Path, seconds: Fraction) -> AudioStream:
    """The sound's packets. Raises OutputInvalid unless it ends when the pictures do."""
    stream = audio_stream(tool, sound)
    if stream is None:
        raise OutputInvalid(f"The mixed sound {sound.name} holds no sound.")
    if abs(stream.end - seconds) > TOLERANCE:
        raise OutputInvalid(f"The sound lasts {float(stream.end):.4f} s, the pictures {float(seconds):.4f} s.")
    return stream


def check_muxed(tool: Ffmpeg, video: Path, sound: AudioStream) -> None:
    """Raises OutputInvalid unless the sound of `video` is `sound`, packet by packet, each at its time."""
    found = audio_stream(tool, video)
    if found is None:
        raise OutputInvalid("The video has no sound, and the plan has.")
    if [(packet.size, packet.checksum) for packet in found.packets] != [
        (packet.size, packet.checksum) for packet in sound.packets
    ]:
        raise OutputInvalid("The video's sound is not that of the plan.")
    for packet, planned in zip(found.packets, sound.packets, strict=True):
        at = planned.pts * sound.time_base
        if abs(packet.pts * found.time_base - at) > TOLERANCE:
            raise OutputInvalid(f"What is to be heard at {float(at):.4f} s stands elsewhere in the video.")
