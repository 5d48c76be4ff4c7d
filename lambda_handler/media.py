"""Looking into videos without ffprobe: their packets, and whether they decode."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lambda_handler.encode import failure
from lambda_handler.toolchain import Ffmpeg


@dataclass(frozen=True)
class Packet:
    """One encoded picture. Times in ticks of the stream's time base; `checksum` is ffmpeg's Adler-32.

    `beside` is what travels with it, as WebM's alpha does: size and checksum of each piece.
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
    """The video track of a file: seconds per tick, size in px, its packets in order."""

    time_base: Fraction
    width: int
    height: int
    packets: tuple[Packet, ...]

    def keeps_rate(self, fps: Fraction) -> bool:
        """Whether every packet stands where its frame belongs, the first at 0.

        Exactly so where a frame lasts a whole number of ticks, else (milliseconds in WebM, 1/100 s in GIF) less than
        one tick from it.
        """
        step = 1 / fps / self.time_base
        allowed = 0 if step.denominator == 1 else Fraction(999, 1000)
        return all(
            abs(packet.pts - index * step) <= allowed and abs(packet.duration - step) <= allowed
            for index, packet in enumerate(self.packets)
        )


def video_stream(tool: Ffmpeg, path: Path, *, decode: bool, decoder: str | None = None) -> VideoStream:
    """Lists the packets of the first video track; with `decode`, every one is decoded as well.

    `decoder`: ffmpeg's name of it, where its choice is not meant. Raises EncoderInterrupted when the file cannot be
    read or decoded without an error.
    """
    command = [str(tool.executable), "-hide_banner", "-loglevel", "error", "-nostats", "-xerror"]
    command += ["-c:v", decoder] if decoder else []
    command += ["-threads", "1", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "framecrc", "pipe:1"]
    if decode:
        command += ["-map", "0:v:0", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise failure(done.stderr)
    return _parsed(done.stdout)


def _parsed(listing: str) -> VideoStream:
    head = dict(line[1:].split(":", 1) for line in listing.splitlines() if line.startswith("#") and ":" in line)
    width, _, height = head["dimensions 0"].strip().partition("x")
    packets = []
    for line in listing.splitlines():
        if line.startswith("#"):
            continue
        _, _, pts, duration, size, checksum, *flags = (part.strip() for part in line.split(","))
        # framecrc names flags only where they are not those of a key frame.
        key = not any(flag.startswith("F=") and not int(flag[2:], 16) & 1 for flag in flags)
        beside = tuple(flag for flag in flags if not flag.startswith("F="))
        packets.append(Packet(int(pts), int(duration), int(size), checksum, key, beside))
    return VideoStream(Fraction(head["tb 0"].strip()), int(width), int(height), tuple(packets))
