"""Chunks into one file: by stream copy, so that no picture is encoded twice, then as the format is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from lambda_handler import encode, png_sequence, toolchain
from lambda_handler.audio.codec import AAC
from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.grid import FrameRange
from lambda_handler.manifest import Manifest


def join(parts: Sequence[Path], joined: Path, manifest: Manifest) -> None:
    """Stream-copies `parts` one after another into `joined`, every frame at its exact time.

    Raises EncoderInterrupted.
    """
    listed = joined.with_suffix(".txt")
    # Relative to the list, so that no character of a folder's name has to be quoted.
    listed.write_text("".join(f"file '{part.relative_to(joined.parent)}'\n" for part in parts))
    fps = manifest.rate
    # Times are counted anew: the length of a chunk is rounded, to 1/1000 s in WebM, and would add up. Frames that are
    # stored in another order than they are shown in are MPEG-4's. Its chunks, 256 at most, are rounded to a millionth
    # of a second, which leaves no doubt what frame is meant.
    late = encode.reordering(manifest.encoder)
    shown = f"round(PTS*TB*{fps.numerator}/{fps.denominator})" if late else "N"
    counted = f"setts=time_base={fps.denominator}/{fps.numerator}:pts={shown}:dts=N-{late}:duration=1"
    options = _copied(manifest) | {"bsf:v": counted, "r": f"{fps.numerator}/{fps.denominator}"}
    encode.run(toolchain.ffmpeg(), ffmpeg.input(str(listed), format="concat", safe=0).output(str(joined), **options))


def finish(joined: Path, video: Path, manifest: Manifest, sound: Path | None) -> None:
    """Makes of the joined video, and the plan's sound beside it, the file that is published.

    What the sound's codec needs to begin stands before time 0, where no player lets it be heard: in MPEG-4 by the
    edit list, in WebM by the track's delay. Raises EncoderInterrupted.
    """
    if manifest.format == "gif":
        _gif(joined, video)
        return
    options = _copied(manifest)
    if manifest.format == "mp4":
        # The index first: playing begins before the file is whole.
        options["movflags"] = "+faststart"
    tracks = [ffmpeg.input(str(joined)).video]
    if sound:
        tracks.append(ffmpeg.input(str(sound)).audio)
        if manifest.format in ("mp4", "mov"):
            # In ticks of a sample, the edit list says to the sample where the sound begins and ends.
            options["movie_timescale"] = SAMPLE_RATE
    encode.run(toolchain.ffmpeg(), ffmpeg.output(*tracks, str(video), **options))


def join_pictures(parts: Sequence[Path], archive: Path, manifest: Manifest, sound: Path | None) -> None:
    """The pictures of all `parts`, each checked, in one archive, and the sound as audio.m4a. Raises ChunkInvalid."""
    every = FrameRange(0, manifest.total_frames)
    with png_sequence.writing(archive) as add:
        for name, picture in png_sequence.checked_frames(parts, every, manifest.width, manifest.height):
            add(name, picture)
        if sound:
            add(f"audio{AAC.suffix}", sound.read_bytes())


def _copied(manifest: Manifest) -> dict[str, Any]:
    options: dict[str, Any] = {"c": "copy", "fflags": "+bitexact", "map_metadata": -1}
    match manifest.encoder.codec:
        case "vp9":
            return options | {"metadata:s:v:0": encode.ALPHA_MODE}
        case "h265":
            options["tag:v"] = "hvc1"
    return options | {"video_track_timescale": encode.timescale(manifest.rate)}


def _gif(joined: Path, video: Path) -> None:
    """One palette for all frames: with one for each chunk, colours would jump at the seams."""
    palette = video.with_suffix(".png")
    exact: dict[str, Any] = {"threads": 1, "filter_complex_threads": 1, "fflags": "+bitexact", "flags:v": "+bitexact"}
    pictures = ffmpeg.input(str(joined), threads=1)
    encode.run(toolchain.ffmpeg(), pictures.filter("palettegen", stats_mode="full").output(str(palette), **exact))
    drawn = ffmpeg.filter(
        [pictures, ffmpeg.input(str(palette))], "paletteuse", dither="sierra2_4a", diff_mode="rectangle"
    )
    encode.run(toolchain.ffmpeg(), drawn.output(str(video), loop=0, fps_mode="passthrough", **exact))
