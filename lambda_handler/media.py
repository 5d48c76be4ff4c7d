"""Looking into videos and sounds without ffprobe: their packets, and whether they decode."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lambda_handler.encode import failure
from lambda_handler.toolchain import Ffmpeg


@dataclass(frozen=True)
class Packet:
    """One encoded picture, or a few milliseconds of sound.

    Times in ticks of the stream's time base; `checksum` is ffmpeg's Adler-32. `beside` is what travels with it, as
    WebM's alpha does: size and checksum of each piece.
    """

    pts: int
    duration: int
    size: int
    checksum: str
    key: bool
    beside: tuple[str, ...]

    @property
    def content(self) -> tuple[int, str, tuple[str, ...]]:
        """What stream copy keeps."""
        return self.size, self.checksum, self.beside


@dataclass(frozen=True)
class VideoStream:
    """The video track of a file: seconds per tick, size in px, its packets in the order in which they are stored."""

    time_base: Fraction
    width: int
    height: int
    packets: tuple[Packet, ...]

    def keeps_rate(self, fps: Fraction) -> bool:
        """Whether every packet is shown where its frame belongs, the first at 0.

        Exactly so where a frame lasts a whole number of ticks, else (milliseconds in WebM, 1/100 s in GIF) less than
        one tick from it.
        """
        step = 1 / fps / self.time_base
        allowed = 0 if step.denominator == 1 else Fraction(999, 1000)
        return all(
            abs(packet.pts - index * step) <= allowed and abs(packet.duration - step) <= allowed
            for index, packet in enumerate(self.shown)
        )

    @property
    def shown(self) -> list[Packet]:
        """Its packets in the order in which they are shown."""
        return sorted(self.packets, key=lambda packet: packet.pts)


@dataclass(frozen=True)
class AudioStream:
    """The sound track of a file: its codec, seconds per tick, its packets in order."""

    codec: str
    time_base: Fraction
    packets: tuple[Packet, ...]

    @property
    def start(self) -> Fraction:
        """Where the first packet stands, in seconds: before 0 by what the codec needs to begin and nobody hears."""
        return self.packets[0].pts * self.time_base

    @property
    def end(self) -> Fraction:
        """Where the last packet ends, in seconds."""
        return (self.packets[-1].pts + self.packets[-1].duration) * self.time_base


def video_stream(tool: Ffmpeg, path: Path, *, decode: bool, decoder: str | None = None) -> VideoStream:
    """Lists the packets of the first video track; with `decode`, every one is decoded as well.

    `decoder`: ffmpeg's name of it, where its choice is not meant. Raises EncoderInterrupted when the file cannot be
    read or decoded without an error.
    """
    head, packets = _listed(tool, path, "0:v:0", ["-c:v", decoder] if decoder else [], decode=decode)
    width, _, height = head["dimensions 0"].partition("x")
    return VideoStream(Fraction(head["tb 0"]), int(width), int(height), packets)


def audio_stream(tool: Ffmpeg, path: Path) -> AudioStream | None:
    """Lists the packets of the first sound track; None where there is none.

    Raises EncoderInterrupted when the file cannot be read without an error.
    """
    head, packets = _listed(tool, path, "0:a:0?", [], decode=False)
    return AudioStream(head["codec_id 0"], Fraction(head["tb 0"]), packets) if packets else None


def _listed(
    tool: Ffmpeg, path: Path, track: str, settings: list[str], *, decode: bool
) -> tuple[dict[str, str], tuple[Packet, ...]]:
    command = [str(tool.executable), "-hide_banner", "-loglevel", "error", "-nostats", "-xerror", *settings]
    # Smoothing the edges of blocks can find nothing wrong, and is a seventh of decoding.
    command += ["-threads", "1", "-skip_loop_filter", "all"]
    # Times as they are in the file: ffmpeg would move the earliest, that of a sound's beginning, to 0.
    command += ["-copyts", "-i", str(path), "-map", track, "-c", "copy", "-f", "framecrc", "pipe:1"]
    if decode:
        command += ["-map", track, "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise failure(done.stderr)
    return _parsed(done.stdout)


def tags(tool: Ffmpeg, path: Path) -> dict[str, str]:
    """What a file's first track says of itself, by lower-case name. Raises EncoderInterrupted."""
    command = [str(tool.executable), "-hide_banner", "-loglevel", "error", "-nostats"]
    command += ["-i", str(path), "-map_metadata", "0:s:0", "-f", "ffmetadata", "pipe:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise failure(done.stderr)
    pairs = (line.partition("=") for line in done.stdout.splitlines() if not line.startswith(";"))
    return {name.lower(): value for name, _, value in pairs}


def _parsed(listing: str) -> tuple[dict[str, str], tuple[Packet, ...]]:
    lines = listing.splitlines()
    told = [line[1:].partition(":") for line in lines if line.startswith("#")]
    packets = []
    for line in lines:
        if line.startswith("#"):
            continue
        _, _, pts, duration, size, checksum, *flags = (part.strip() for part in line.split(","))
        # framecrc names flags only where they are not those of a key frame.
        key = not any(flag.startswith("F=") and not int(flag[2:], 16) & 1 for flag in flags)
        beside = tuple(flag for flag in flags if not flag.startswith("F="))
        packets.append(Packet(int(pts), int(duration), int(size), checksum, key, beside))
    return {name: value.strip() for name, _, value in told}, tuple(packets)
