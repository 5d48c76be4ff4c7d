"""What a media file holds, found out without ffprobe: its tracks, their times, and whether it is media at all."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from lambda_handler.errors import InvalidVideoMetadata, NotMediaPayload, VideoSourceUnrenderable
from lambda_handler.toolchain import Ffmpeg

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
# Formats whose tracks carry no useful times or that are texts in truth: ffmpeg reads a subtitle or a playlist too.
_TEXT_FORMATS = frozenset({"hls", "concat", "dash", "srt", "webvtt", "ass", "tty", "ffmetadata", "lrc", "subviewer"})
# Formats with an index, or with times on every packet: ffmpeg finds the key frame before any moment in them.
_SEEKABLE_FORMATS = frozenset({"mov", "matroska", "webm"})
# The color matrix of a video that names none, as Chromium takes it: by its height in px.
UNTAGGED_HD_HEIGHT = 720
PROBES = 4
_ALPHA_FORMATS = ("yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16", "ayuv", "pal8")
_DISCARD = 4
_KEY = 1

_FORMAT = re.compile(r"^Input #0, (?P<names>\S+), from ", re.MULTILINE)
_START = re.compile(r"^  Duration: .*?, start: (?P<seconds>-?[\d.]+)", re.MULTILINE)
_STREAM = re.compile(
    r"^  Stream #0:(?P<index>\d+)[^:]*: (?P<type>Video|Audio): (?P<codec>\w+)(?P<rest>.*)(?P<more>(?:\n {4,}.*)*)",
    re.MULTILINE,
)
_PIXELS = re.compile(
    r", (?P<format>[a-z]\w+)(?:\((?P<colors>[^)]*)\))?, (?P<width>\d+)x(?P<height>\d+)"
    r"(?:,? \[?SAR (?P<sar>\d+:\d+) DAR [\d:]+\]?)?"
)
_ROTATION = re.compile(r"displaymatrix: rotation of (?P<degrees>-?[\d.]+) degrees")
_SOUND = re.compile(r", (?P<rate>\d+) Hz, (?P<layout>[^,]+)")
_MATRICES = frozenset({"bt709", "bt470bg", "smpte170m", "fcc", "smpte240m", "bt2020nc", "bt2020c", "gbr", "ycgco"})


class Packet(NamedTuple):
    """One packet of a track: presentation time and duration in ticks, and whether decoding can begin there."""

    pts: int
    duration: int
    key: bool


@dataclass(frozen=True)
class VideoTrack:
    """The pictures. `width` x `height` px is what a browser shows: turned by `rotation` degrees, pixels made square.

    `square`: they are so in the file too. `pts` are the presentation times of all frames in order, `keys` those of
    them where decoding can begin, in ticks of `time_base` seconds; `end` is where the last frame ends; `file_start`, in
    seconds, is the moment that composition times count from. `steady`: all frames last equally long. `seekable`: the
    file can be read from any key frame. `matrix` and `full_range` say how its colors are coded.
    """

    index: int
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    square: bool
    alpha: bool
    matrix: str
    full_range: bool
    file_start: Fraction
    seekable: bool
    time_base: Fraction
    steady: bool
    pts: tuple[int, ...]
    keys: tuple[int, ...]
    end: int


@dataclass(frozen=True)
class AudioTrack:
    """The sound: `start` and `end` of its packets in seconds after the file's start, priming left out."""

    index: int
    codec: str
    sample_rate: int
    layout: str
    start: float
    end: float


@dataclass(frozen=True)
class MediaSource:
    """One media file. `start`: the file's own first moment, in seconds; every other time here and in a composition
    counts from there. `duration` in seconds, as a browser tells it."""

    formats: tuple[str, ...]
    start: Fraction
    duration: float
    video: VideoTrack | None
    audio: AudioTrack | None


def probe(tool: Ffmpeg, path: Path, name: str) -> MediaSource:
    """Looks into the file at `path`, which messages call `name`.

    Raises NotMediaPayload when it is something else, VideoSourceUnrenderable when it cannot be read,
    InvalidVideoMetadata when it has no duration or its pictures no size.
    """
    _require_media(path, name)
    told = _described(tool, path)
    found = _FORMAT.search(told)
    if found is None or _TEXT_FORMATS & set(found["names"].rstrip(",").split(",")):
        raise VideoSourceUnrenderable(f"{name} cannot be read: {_complaint(told)}.")
    clock = _START.search(told)
    start = Fraction(clock["seconds"]) if clock else Fraction(0)
    streams = {match["type"]: match for match in reversed(list(_STREAM.finditer(told))) if _plays(match)}
    indexes = [int(streams[kind]["index"]) for kind in ("Video", "Audio") if kind in streams]
    if not indexes:
        raise VideoSourceUnrenderable(f"{name} has neither pictures nor sound.")
    listing = _packets(tool, path, indexes, name)
    tracks = dict(zip([kind for kind in ("Video", "Audio") if kind in streams], listing, strict=True))
    formats = tuple(found["names"].rstrip(",").split(","))
    seekable = not _SEEKABLE_FORMATS.isdisjoint(formats)
    video = _video(streams["Video"], *tracks["Video"], start, seekable, name) if "Video" in tracks else None
    audio = _audio(streams["Audio"], *tracks["Audio"], start) if "Audio" in tracks else None
    seen = float(video.end * video.time_base - start) if video else 0.0
    duration = max(seen, audio.end if audio else 0.0)
    if not duration > 0:
        raise InvalidVideoMetadata(f"{name} lasts {duration:g} s.")
    return MediaSource(formats, start, duration, video, audio)


def probe_all(tool: Ffmpeg, files: Mapping[str, Path]) -> dict[str, MediaSource]:
    """`probe` for every file, by the name that messages call it."""
    with ThreadPoolExecutor(PROBES) as pool:
        found = pool.map(lambda item: probe(tool, item[1], item[0]), files.items())
        return dict(zip(files, found, strict=True))


def _require_media(path: Path, name: str) -> None:
    """What stands in a media file's place when a download or a checkout went wrong is told as what it is."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise NotMediaPayload(f"{name} is empty.")
    if head.startswith(LFS_POINTER):
        raise NotMediaPayload(
            f"{name} is a Git LFS pointer, not the file itself.",
            resolution="Fetch it (git lfs pull) before the project is rendered.",
        )
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        raise NotMediaPayload(f"{name} is a web page, probably an error message of the server it came from.")
    if beginning.startswith((b"{", b"[")) and b"\0" not in head:
        raise NotMediaPayload(f"{name} is JSON, probably an error message of the server it came from.")


def _described(tool: Ffmpeg, path: Path) -> str:
    command = [str(tool.executable), "-hide_banner", "-nostdin", *_confined(path)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stderr


def _confined(path: Path) -> list[str]:
    """The input, kept from naming other files or hosts: what it holds was written by others."""
    return ["-protocol_whitelist", "file", "-i", f"file:{path}"]


def _complaint(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip() and not line.startswith(("At least one", "Input #"))]
    return re.sub(r"\[[^]]*@ 0x[0-9a-f]+\] ", "", lines[-1]).strip().rstrip(".") if lines else "no reason was given"


def _plays(stream: re.Match[str]) -> bool:
    return "(attached pic)" not in stream["rest"]


def _packets(tool: Ffmpeg, path: Path, indexes: list[int], name: str) -> list[tuple[Fraction, list[Packet]]]:
    """Of every track its time base and the packets that are shown or heard, in presentation order."""
    maps = [part for index in indexes for part in ("-map", f"0:{index}")]
    command = [str(tool.executable), "-hide_banner", "-nostdin", "-loglevel", "error", "-copyts", *_confined(path)]
    command += [*maps, "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise VideoSourceUnrenderable(f"{name} cannot be read: {_complaint(done.stderr)}.")
    lines = done.stdout.splitlines()
    bases = dict(line[4:].split(":") for line in lines if line.startswith("#tb "))
    tracks: list[list[Packet]] = [[] for _ in indexes]
    for line in lines:
        if not line.startswith("#"):
            number, _, pts, duration, _, _, *more = (part.strip() for part in line.split(","))
            flags = next((int(part[2:], 16) for part in more if part.startswith("F=")), _KEY)
            if not flags & _DISCARD:
                tracks[int(number)].append(Packet(int(pts), int(duration), bool(flags & _KEY)))
    return [(Fraction(bases[str(at)].strip()), sorted(track)) for at, track in enumerate(tracks)]


def _video(
    stream: re.Match[str], time_base: Fraction, packets: list[Packet], start: Fraction, seekable: bool, name: str
) -> VideoTrack:
    pixels = _PIXELS.search(stream["rest"])
    if pixels is None or not packets:
        raise InvalidVideoMetadata(f"The video track of {name} has {'no size' if packets else 'no frames'}.")
    colors = [part.strip() for part in (pixels["colors"] or "").replace("/", ",").split(",")]
    rotation = _ROTATION.search(stream["more"])
    degrees = round(float(rotation["degrees"])) if rotation else 0
    numerator, _, denominator = (pixels["sar"] or "1:1").partition(":")
    square = Fraction(int(numerator), int(denominator)) if int(numerator) and int(denominator) else Fraction(1)
    width, height = int(pixels["width"]), int(pixels["height"])
    size = round(width * square), height
    if degrees % 180:
        size = size[1], size[0]
    untagged = "bt709" if height >= UNTAGGED_HD_HEIGHT else "smpte170m"
    # A frame is shown once, whatever a damaged file says twice.
    times = {packet.pts: packet for packet in packets}
    last, steps = packets[-1], {after - before for before, after in pairwise(times)}
    return VideoTrack(
        index=int(stream["index"]),
        codec=stream["codec"],
        pixel_format=pixels["format"],
        width=size[0],
        height=size[1],
        rotation=degrees,
        square=square == 1,
        alpha=pixels["format"].startswith(_ALPHA_FORMATS) or "alpha_mode" in stream["more"].lower(),
        matrix=next((color for color in colors if color in _MATRICES), untagged),
        full_range="pc" in colors or pixels["format"].startswith("yuvj"),
        file_start=start,
        seekable=seekable,
        time_base=time_base,
        steady=len(steps) <= 1,
        pts=tuple(times),
        keys=tuple(packet.pts for packet in times.values() if packet.key),
        end=last.pts + (last.duration or _usual_step(list(times))),
    )


def _usual_step(times: list[int]) -> int:
    """How long a frame lasts in a track that does not say so of its last one."""
    steps = sorted(after - before for before, after in pairwise(times))
    return steps[len(steps) // 2] if steps else 1


def _audio(stream: re.Match[str], time_base: Fraction, packets: list[Packet], start: Fraction) -> AudioTrack:
    sound = _SOUND.search(stream["rest"])
    first, last = (packets[0], packets[-1]) if packets else (Packet(0, 0, True),) * 2
    return AudioTrack(
        index=int(stream["index"]),
        codec=stream["codec"],
        sample_rate=int(sound["rate"]) if sound else 0,
        layout=sound["layout"].strip() if sound else "",
        start=float(first.pts * time_base - start),
        end=float((last.pts + last.duration) * time_base - start),
    )


def page_facts(sources: Mapping[str, MediaSource]) -> dict[str, dict[str, float]]:
    """What the page has to know of each file it names: seconds, and px where there are pictures."""
    return dict(sorted(_facts(sources)))


def _facts(sources: Mapping[str, MediaSource]) -> Iterator[tuple[str, dict[str, float]]]:
    for path, source in sources.items():
        facts: dict[str, float] = {"duration": source.duration}
        if source.video:
            facts |= {"width": source.video.width, "height": source.video.height}
        yield path, facts
