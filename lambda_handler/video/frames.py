"""Frames out of a source file, one after another, as pictures a browser can show.

Opaque sources give JPEG that differs from them by 50 dB and more, those with alpha
PNG. ffmpeg tells of each picture which moment of the source it is, so a wrong one is never taken for the right one.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from lambda_handler.errors import VideoSourceUnrenderable
from lambda_handler.media_sources import VideoTrack
from lambda_handler.toolchain import Ffmpeg

# The decoders that know of the alpha beside the pictures.
_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Frames that are rather decoded and thrown away than sought for anew.
_READ_ON = 48
_AHEAD_BYTES = 1 << 20
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"
_MATRICES = frozenset({"bt709", "bt470bg", "smpte170m", "bt2020nc"})
_SUBSAMPLINGS = {"444": "444p", "422": "422p"}
_EXTENSIONS = {True: "png", False: "jpg"}


def extension(track: VideoTrack) -> str:
    """The kind of the pictures that frames of `track` become: "jpg", or "png" where they may have alpha."""
    return _EXTENSIONS[track.alpha]


def command(tool: Ffmpeg, path: Path, track: VideoTrack, *, first: int, step: int, told: int) -> list[str]:
    """The command that writes every `step`-th frame of `track` from index `first` on to standard output.

    The presentation time of each, in the track's ticks, goes to the file descriptor `told`, a line a picture.
    """
    begins = track.pts[first]
    arguments = [str(tool.executable), "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"]
    key = max((pts for pts in track.keys if pts <= begins), default=track.pts[0])
    if track.seekable and key > track.pts[0]:
        # To the key frame before; what lies between is decoded and left out by its time.
        seconds = float(key * track.time_base - track.file_start)
        arguments += ["-ss", f"{seconds:.6f}", "-noaccurate_seek"]
    if track.codec in _DECODERS:
        arguments += ["-c:v", _DECODERS[track.codec]]
    chosen = f"gte(pts,{begins})"
    if step > 1:
        chosen += f"*not(mod(pts-{begins},{track.pts[first + step] - begins}))"
    filters = [f"select='{chosen}'", *_shown(track)]
    arguments += ["-copyts", "-protocol_whitelist", "file", "-i", f"file:{path}", "-map", f"0:{track.index}"]
    arguments += ["-vf", ",".join(filters), "-fps_mode", "passthrough", "-filter_threads", "1", "-threads", "1"]
    arguments += ["-stats_enc_pre:v", f"pipe:{told}", "-stats_enc_pre_fmt:v", "{ptsi}"]
    encoder = ["png", "-compression_level", "1"] if track.alpha else ["mjpeg", "-q:v", "1", "-qmin", "1"]
    return [*arguments, "-c:v", *encoder, "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "image2pipe", "pipe:1"]


def _shown(track: VideoTrack) -> Iterator[str]:
    """The filters that make of a decoded frame what a browser would show: square pixels, JPEG's or RGB's colors."""
    if not track.square:
        yield f"scale={track.width}:{track.height}:flags=bicubic"
    levels = "pc" if track.full_range else "tv"
    if track.alpha:
        matrix = "" if track.matrix == "gbr" else f"in_color_matrix={track.matrix}:in_range={levels}:"
        yield f"scale={matrix}flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
        yield "format=rgba"
        return
    samples = next((name for part, name in _SUBSAMPLINGS.items() if part in track.pixel_format), "420p")
    if track.pixel_format.startswith(("yuv", "nv12", "p010")) and track.matrix in _MATRICES:
        # swscale leaves the matrix as it is between two YUV formats.
        if not track.pixel_format.startswith("yuv"):
            yield f"format=yuv{samples}"
        # The filter wants whole chroma samples.
        odd = track.width % 2 or track.height % 2
        if odd:
            yield "pad=iw+mod(iw\\,2):ih+mod(ih\\,2)"
        yield (
            f"colorspace=iall=bt709:ispace={track.matrix}:irange={levels}"
            f":all=bt709:space=bt470bg:range=pc:format=yuv{samples}"
        )
        if odd:
            yield f"crop={track.width}:{track.height}:0:0:exact=1"
    else:
        yield "scale=out_color_matrix=bt601:out_range=pc:flags=bicubic+accurate_rnd+full_chroma_int"
        samples = "444p"
    yield f"format=yuvj{samples}"


class FrameReader:
    """The frames of one source, in whatever order they are asked for; in order is cheapest. Close it."""

    def __init__(self, tool: Ffmpeg, path: Path, track: VideoTrack, name: str) -> None:
        self._tool, self._path, self._track, self._name = tool, path, track, name
        self._running: _Running | None = None
        self._held = -1, b""

    def read(self, index: int, step: int = 1) -> bytes:
        """The picture of frame `index`; `step` says which is probably asked for next: `index + step`.

        Raises VideoSourceUnrenderable when the source does not have it.
        """
        if self._held[0] != index:
            running = self._running
            if running is None or not running.leads_to(index):
                self.close()
                running = self._running = _Running(self._tool, self._path, self._track, index, step)
            while (found := running.read(self._name))[0] != index:
                pass
            self._held = found
        return self._held[1]

    def close(self) -> None:
        """Ends the decoder."""
        if self._running:
            self._running.close()
            self._running = None


class _Running:
    """An ffmpeg that writes every `step`-th frame from `first` on."""

    def __init__(self, tool: Ffmpeg, path: Path, track: VideoTrack, first: int, step: int) -> None:
        steady = first + step < len(track.pts) and track.steady
        self._track, self._next, self._step = track, first, step if steady else 1
        times, told = os.pipe()
        self._complaints = os.fdopen(os.memfd_create("ffmpeg"), "w+b")
        try:
            self._process = subprocess.Popen(
                command(tool, path, track, first=first, step=self._step, told=told),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                pass_fds=[told],
                bufsize=_AHEAD_BYTES,
            )
        finally:
            os.close(told)
        assert isinstance(self._process.stdout, BufferedReader)  # noqa: S101 - PIPE was asked for
        # Room for it to work ahead while the page draws.
        fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _AHEAD_BYTES)
        self._pictures = self._process.stdout
        self._times = os.fdopen(times)

    def leads_to(self, index: int) -> bool:
        ahead = index - self._next
        return 0 <= ahead <= _READ_ON and ahead % self._step == 0

    def read(self, name: str) -> tuple[int, bytes]:
        """The next frame's index and picture."""
        index = self._next
        picture = _picture(self._pictures)
        time = self._times.readline().strip()
        if not picture or int(time) != self._track.pts[index]:
            seconds = float(self._track.pts[index] * self._track.time_base - self._track.file_start)
            raise VideoSourceUnrenderable(
                f"{name}: the frame at {seconds:.3f} s cannot be decoded: {self._complaint() or 'it is missing'}."
            )
        self._next += self._step
        return index, picture

    def _complaint(self) -> str:
        self._process.kill()
        self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1].rpartition("] ")[2].rstrip(".")[-300:] if lines else ""

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pictures.close()
        self._times.close()
        self._complaints.close()


def _picture(stream: BufferedReader) -> bytes:
    """The next picture of a stream of JPEG or PNG pictures; empty at its end, or where it breaks off."""
    start = stream.read(2)
    if start == b"\xff\xd8":
        return _rest_of_jpeg(stream, start)
    return _rest_of_png(stream, start + stream.read(6)) if start else b""


def _rest_of_png(stream: BufferedReader, signature: bytes) -> bytes:
    parts = [signature]
    while True:
        head = stream.read(8)
        size = int.from_bytes(head[:4], "big") + 4
        body = stream.read(size)
        if len(body) < size:
            return b""
        parts += [head, body]
        if head[4:] == b"IEND":
            return b"".join(parts)


def _rest_of_jpeg(stream: BufferedReader, start: bytes) -> bytes:
    parts = [start]
    while True:
        head = stream.read(4)
        size = int.from_bytes(head[2:], "big") - 2
        body = stream.read(size) if len(head) == 4 else b""
        if len(head) < 4 or len(body) < size:
            return b""
        parts += [head, body]
        if head[1] == _START_OF_SCAN:
            break
    # In the scan itself 0xFF is always followed by 0: the marker of the end occurs only there.
    scan = bytearray()
    while block := stream.peek():
        before = scan[-1:]
        at = (before + block).find(_END_OF_IMAGE)
        if at >= 0:
            return b"".join([*parts, scan, stream.read(at + len(_END_OF_IMAGE) - len(before))])
        scan += stream.read(len(block))
    return b""
