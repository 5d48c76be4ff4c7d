"""Pictures in which nothing changes, put into an encoded video when it is encoded.

x264 takes for a picture that is the one before it most of the time that it takes for any. So it is told of a few, among
which there is one that others are predicted from, and behind that one the others are written without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from lambda_handler import encode, flv, h264
from lambda_handler.errors import FfmpegUnavailable
from lambda_handler.picture_stream import Standstill
from lambda_handler.toolchain import Ffmpeg


def fill(tool: Ffmpeg, video: Path, standstills: Sequence[Standstill], fps: Fraction) -> None:
    """Puts `standstills`, in order, into a video of one closed group of pictures.

    Raises FfmpegUnavailable where it is not as x264 makes them, EncoderInterrupted, StorageFull.
    """
    copied: dict[str, Any] = {"c": "copy"}
    read = encode.run(tool, ffmpeg.input(str(video)).output("pipe:1", format="flv", **copied))
    configuration, pictures = flv.read(read)
    copied |= {"fflags": "+bitexact", "map_metadata": -1, "video_track_timescale": encode.timescale(fps)}
    # What is counted in milliseconds there are frames.
    copied["bsf:v"] = f"setts=time_base={fps.denominator}/{fps.numerator}:pts=PTS-1:dts=DTS-1:duration=1"
    whole = video.with_stem(f"{video.stem}-whole")
    written = ffmpeg.input("pipe:0", format="flv", copyts=None).output(str(whole), **copied)
    try:
        sets = h264.ParameterSets.configured(configuration)
        with encode.encoding(encode.compiled(tool, written)) as pipe:
            for part in flv.written(configuration, filled(pictures, sets, standstills)):
                pipe.write(part)
    except h264.Unsupported as error:
        raise FfmpegUnavailable(
            f"{tool.executable} encodes in a way in which pictures that stand still cannot be put in: {error}",
            resolution="Leave FFMPEG_PATH unset: the pinned build, which make setup installs, is known to do it.",
        ) from error
    whole.replace(video)


def filled(
    pictures: Sequence[flv.Picture], sets: h264.ParameterSets, standstills: Sequence[Standstill]
) -> Iterator[flv.Picture]:
    """All pictures, in the order in which they are decoded. Times are frames, shown from 1 on. Raises Unsupported."""
    shown = {time: number for number, time in enumerate(sorted(each.shown for each in pictures))}
    slices = [h264.split(each.content) for each in pictures]
    references = [number for number, units in enumerate(slices) if h264.is_reference(units[-1])]
    wanted = dict(_before(references, [shown[each.shown] for each in pictures], standstills))
    added = 0
    place, at = h264.Place(0, 0), 0
    for number, units in enumerate((*slices, ())):
        for _ in range(wanted.get(number, 0)):
            place, at, added = place.later(1), at + 1, added + 1
            yield flv.Picture(number + added - 1, at + 1, False, h264.joined([h264.skipped(place, sets)]))
        if not units:
            return
        now = shown[pictures[number].shown] + added
        moved = [*units[:-1], h264.moved(units[-1], sets, added) if added else units[-1]]
        if h264.is_reference(units[-1]):
            place, at = h264.place_of(moved[-1], sets), now
        yield flv.Picture(number + added, now + 1, pictures[number].key, h264.joined(moved))


def _before(
    references: Sequence[int], shown: Sequence[int], standstills: Sequence[Standstill]
) -> Iterator[tuple[int, int]]:
    """Before which of the encoded pictures how many are put: behind a reference, and what is decoded with it."""
    for after, pictures in standstills:
        anchor = max((number for number in references if shown[number] <= after), key=lambda number: shown[number])
        yield next((number for number in references if number > anchor), len(shown)), pictures
