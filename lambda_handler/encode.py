"""Frames into one closed group of pictures (composition contract, section 5), through ffmpeg's standard input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from lambda_handler.errors import EncoderInterrupted, StorageFull
from lambda_handler.events import Config
from lambda_handler.formats import FORMATS, PictureKind
from lambda_handler.manifest import Encoder
from lambda_handler.pipe import Pipe
from lambda_handler.toolchain import Ffmpeg

# Of x264's presets "veryfast" takes half of "medium"'s time, and with pictures predicted from both sides (below) it is
# smaller (docs/performance.md). x265's are another matter.
PRESETS = {
    "h264": {"draft": "ultrafast", "standard": "veryfast", "high": "slow"},
    "h265": {"draft": "ultrafast", "standard": "medium", "high": "slow"},
    "vp9": {"draft": "5", "standard": "4", "high": "2"},
}
# At a constant rate factor so much lower it comes as near to the pictures as "medium" does, which others encode with.
VERYFAST_NEARER = 0.5
CRF = {"draft": 28, "standard": 18, "high": 15}
TIMESCALE = 90_000
# Formats with one codec; that of mp4 is the request's choice.
CODECS = {"mov": "prores", "webm": "vp9", "png-sequence": "png", "gif": "h264-rgb"}
PIXELS = {"h264": "yuv420p", "h265": "yuv420p", "vp9": "yuva420p", "prores": "yuva444p10le"}
BT709 = {"colorspace:v": "bt709", "color_primaries:v": "bt709", "color_trc:v": "bt709", "color_range": "tv"}
# ffmpeg's own VP9 decoder does not look at alpha.
DECODERS = {"vp9": "libvpx-vp9"}
ALPHA_MODE = "alpha_mode=1"
# So of four pictures there is one that others are predicted from.
BOTH_SIDES_IN_A_ROW = 3
JPEG_SCALE = 3  # ffmpeg's -q:v, 2 to 31; 3 is about libjpeg's 92
QUIET = ("-hide_banner", "-loglevel", "error", "-nostats", "-y")


def encoder_for(config: Config) -> Encoder:
    """The encoder settings of a request: quality chooses the preset, and the CRF where no rate is given."""
    codec = CODECS.get(config.format) or config.codec or "h264"
    if not FORMATS[config.format].rated:
        return Encoder(codec=codec, preset="", crf=None, bitrate=None)
    crf = config.crf if config.crf is not None or config.bitrate else CRF[config.quality]
    return Encoder(codec=codec, preset=PRESETS[codec][config.quality], crf=crf, bitrate=config.bitrate)


def reordering(encoder: Encoder) -> int:
    """How many frames later than it is shown a picture is stored, at most: 1 where some are predicted from both sides.

    x264's "ultrafast" does without; x265's are left out, as are VP9's, which has none with alpha.
    """
    return int(encoder.codec == "h264" and encoder.preset != "ultrafast")


def told_repeats(encoder: Encoder) -> int | None:
    """How many repeats of a picture the encoder has to be told of, the others being written by `standstill.fill`.

    None for all: where a picture may be predicted from more than one before it, one put in would be in the way, and
    where nothing is lost none is predicted from both sides.
    """
    told_few = encoder.codec == "h264" and encoder.preset == "veryfast" and encoder.crf != 0
    return BOTH_SIDES_IN_A_ROW if told_few else None


def timescale(fps: Fraction) -> int:
    """Ticks per second in which every frame of `fps` lasts a whole number of ticks: 90,000 where that does."""
    return TIMESCALE if (TIMESCALE / fps).denominator == 1 else fps.numerator


@dataclass(frozen=True)
class Stills:
    """JPEGs of `width` x `height` px to be made beside: of the frames `indices`, counted from the first encoded one."""

    folder: Path
    indices: tuple[int, ...]
    width: int
    height: int

    @property
    def files(self) -> dict[int, Path]:
        """Where each of them is put."""
        return {index: self.folder / f"{number}.jpg" for number, index in enumerate(self.indices)}


def arguments(
    tool: Ffmpeg,
    encoder: Encoder,
    kind: PictureKind,
    *,
    frames: int,
    fps: Fraction,
    output: Path,
    stills: Stills | None = None,
) -> list[str]:
    """The command that encodes a `PictureStream` of `frames` pictures from standard input into `output`.

    One thread: the same bytes on every number of cores, and the chunks are what runs in parallel.
    """
    rate = f"{fps.numerator}/{fps.denominator}"
    pictures = ffmpeg.input("pipe:0", format="avi", threads=1).video
    filters = [*_converted(encoder.codec, jpeg=kind == "jpeg"), *_told(told_repeats(encoder)), f"fps={rate}"]
    options = _codec_options(encoder, frames) | {
        "vf": ",".join(filters),
        "threads": 1,
        "filter_threads": 1,
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "map_metadata": -1,
        "an": None,
    }
    if encoder.codec != "vp9":
        options["video_track_timescale"] = timescale(fps)
    written = ffmpeg.output(pictures, str(output), r=rate, **options)
    if stills:
        written = ffmpeg.merge_outputs(written, _drawn(pictures, rate, stills))
    return compiled(tool, written)


def compiled(tool: Ffmpeg, wanted: Any) -> list[str]:
    """The command that makes the output `wanted`, and tells of nothing but errors."""
    return list(ffmpeg.compile(wanted.global_args(*QUIET), cmd=str(tool.executable)))


def run(tool: Ffmpeg, wanted: Any) -> bytes:
    """Makes the output `wanted`; returns what goes to standard output. Raises EncoderInterrupted, StorageFull."""
    done = subprocess.run(compiled(tool, wanted), capture_output=True, check=False)
    if done.returncode:
        raise failure(done.stderr.decode(errors="replace"))
    return done.stdout


def _drawn(pictures: Any, rate: str, stills: Stills) -> Any:
    # In a graph of its own: one graph would keep all pictures between two stills before it let the encoder have them.
    chosen = "+".join(f"eq(n,{index})" for index in stills.indices)
    size = f"scale={stills.width}:{stills.height}:flags=area+accurate_rnd"
    return ffmpeg.output(
        pictures,
        str(stills.folder).replace("%", "%%") + "/%d.jpg",
        vf=f"fps={rate},select='{chosen}',{size},format=yuvj444p",
        f="image2",
        start_number=0,
        fps_mode="passthrough",
        threads=1,
        **{"c:v": "mjpeg", "q:v": JPEG_SCALE},
    )


def _told(repeats: int | None) -> Iterator[str]:
    """When the encoder is shown a picture, in frames: of a pause that is longer than `repeats` it hears nothing."""
    if repeats is not None:
        yield f"setpts='if(N,PREV_OUTPTS+if(gt(PTS-PREV_INPTS,{repeats}),1,PTS-PREV_INPTS),PTS)'"


def _converted(codec: str, *, jpeg: bool) -> Iterator[str]:
    """The pictures in the codec's own pixels."""
    if codec == "h264-rgb":
        yield "format=bgr24"
    elif jpeg:
        # Full-range BT.601, and the video is limited-range BT.709; swscale would come back a level darker.
        given = "iall=bt709:ispace=bt470bg:irange=pc"
        yield f"colorspace={given}:all=bt709:range=tv:format={PIXELS[codec]}"
    else:
        # Rounded down, as is swscale's habit, white would come back green. "bitexact" is as exact as "accurate_rnd",
        # and faster where chroma is the mean of four pixels.
        rounded = "area+bitexact" if "420p" in PIXELS[codec] else "bilinear+accurate_rnd"
        yield f"scale=out_color_matrix=bt709:out_range=tv:flags={rounded}+full_chroma_inp"
        yield f"format={PIXELS[codec]}"


def _codec_options(encoder: Encoder, frames: int) -> dict[str, object]:
    """ffmpeg's options for one closed group of `frames` pictures."""
    rate: dict[str, object] = {"b:v": encoder.bitrate} if encoder.bitrate else {"crf": encoder.crf}
    one_group = {"g": frames, "keyint_min": frames}
    tuned = "" if encoder.preset == "ultrafast" else ":aq-strength=0.8:deblock=1,1"
    parameters = (
        f"aq-mode=3{tuned}:colorprim=bt709:transfer=bt709:colormatrix=bt709:scenecut=0:open-gop=0:repeat-headers=1"
    )
    forced = {"sc_threshold": 0, "force_key_frames": f"expr:eq(mod(n,{frames}),0)", "bf": 0}
    match encoder.codec:
        case "h264":
            if reordering(encoder):
                # A picture predicted from both sides serves no other: so none is stored more than one frame late.
                forced["bf"] = BOTH_SIDES_IN_A_ROW
                parameters += ":b-pyramid=none"
            if encoder.preset == "veryfast":
                parameters += ":subme=1"
                if encoder.crf and encoder.crf > 1:  # below 1 nothing is lost, which only 0 asks for
                    rate = {"crf": encoder.crf - VERYFAST_NEARER}
            told = {"c:v": "libx264", "preset": encoder.preset, "x264-params": parameters}
            return told | one_group | forced | rate | BT709
        case "h265":
            one_thread = (
                f"info=0:pools=none:frame-threads=1:keyint={frames}:min-keyint={frames}:bframes=0:log-level=error"
            )
            told = {"c:v": "libx265", "preset": encoder.preset, "x265-params": f"{parameters}:{one_thread}"}
            return told | one_group | forced | rate | BT709 | {"tag:v": "hvc1"}
        case "vp9":
            # Without alternate reference frames: libvpx has none with alpha, and each packet is a shown frame.
            told = {"c:v": "libvpx-vp9", "deadline": "good", "cpu-used": encoder.preset, "metadata:s:v:0": ALPHA_MODE}
            return {"b:v": 0} | rate | told | {"auto-alt-ref": 0, "row-mt": 0} | one_group | BT709
        case "prores":
            return {"c:v": "prores_ks", "profile:v": "4444", "vendor": "apl0", "alpha_bits": 16} | BT709
        case "h264-rgb":
            told = {"c:v": "libx264rgb", "preset": "veryfast", "x264-params": "repeat-headers=1"}
            return told | {"qp": 0} | one_group | forced
    raise ValueError(encoder.codec)


@contextmanager
def encoding(command: list[str]) -> Iterator[Pipe]:
    """Runs an encoder; what is written to the result goes to its standard input, and is encoded at the end.

    Raises EncoderInterrupted with ffmpeg's own words, StorageFull when the disk was the reason.
    """
    # In memory: when the disk is full, ffmpeg has to be able to say so.
    with os.fdopen(os.memfd_create("ffmpeg"), "w+b") as told:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told)
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        # What it has lent stays until the process has ended.
        pipe = Pipe(process.stdin.fileno())
        try:
            yield pipe
            process.stdin.close()
            code = process.wait()
        except BrokenPipeError:
            code = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code:
            told.seek(0)
            raise failure(told.read().decode(errors="replace"))


def failure(told: str) -> EncoderInterrupted | StorageFull:
    """The error for an ffmpeg that ended with `told` on its standard error."""
    last = " ".join(told.strip().splitlines()[-2:])[-400:] or "no message"
    if "No space left on device" in told:
        return StorageFull(f"ffmpeg found no space to write: {last}")
    return EncoderInterrupted(f"ffmpeg ended early: {last}")
