"""The codec and the container of the mixed sound, by the video's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.audio.sound import RAW, run
from lambda_handler.toolchain import Ffmpeg


@dataclass(frozen=True)
class Codec:
    """How the mix is encoded: ffmpeg's name of the encoder, its bitrate, the suffix of the file."""

    encoder: str
    bitrate: str
    suffix: str


# In MPEG-4 and in Ogg (unlike in Matroska, to the millisecond) the encoder's delay survives a stream copy exactly.
AAC = Codec("aac", "192k", ".m4a")
OPUS = Codec("libopus", "128k", ".ogg")
CODECS = {"mp4": AAC, "mov": AAC, "png-sequence": AAC, "webm": OPUS}
"""By video format (composition contract, section 6). A format that is not here, gif, has no sound."""


def write(tool: Ffmpeg, raw: Path, codec: Codec, target: Path) -> None:
    """Encodes raw samples: the same bytes for the same samples. Raises EncoderInterrupted, StorageFull."""
    exact = {"movie_timescale": SAMPLE_RATE, "movflags": "+faststart"} if codec is AAC else {}
    settings = {"c:a": codec.encoder, "b:a": codec.bitrate, "threads": 1, "map_metadata": -1, **exact}
    bitexact = {"fflags": "+bitexact", "flags:a": "+bitexact"}
    run(tool, ffmpeg.input(str(raw), **RAW).output(str(target), **settings, **bitexact))
