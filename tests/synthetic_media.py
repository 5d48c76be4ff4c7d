"""Media that the tests make with ffmpeg: videos that tell their own frame numbers."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

from rendering import HEIGHT, WIDTH

from lambda_handler import toolchain

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "20", "-b:v", "0"]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M", "-auto-alt-ref", "0"]
PRORES = ["-c:v", "prores_ks", "-profile:v", "4444"]
SIZE = (160, 90)
UNEVEN = "setpts=(N+floor(N/7)*3+mod(N\\,3)*0.4)/30/TB"
# Transparent in its left half.
HALF = "format=yuva444p,geq=lum=lum(X\\,Y):cb=128:cr=128:a=if(lt(X\\,W/2)\\,0\\,255)"
BITS = 8
_BIT = f"mod(floor(N/pow(2,floor(X*{BITS}/W))),2)"
_CODE = f"16+219*if(lt(Y,H/2),{_BIT},1-{_BIT})".replace(",", "\\,")


def made(path: Path, *arguments: str) -> Path:
    """Runs ffmpeg with `arguments` and `path` behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def counting(
    *, frames: int = 60, fps: str = "30", size: tuple[int, int] = (WIDTH, HEIGHT), filters: str = ""
) -> list[str]:
    """ffmpeg's input for a grey video in which frame n shows n: its bits from left to right, the lowest first, white
    for 1 in the upper half and for 0 in the lower."""
    picture = f"nullsrc=size={size[0]}x{size[1]}:rate={fps},format=yuv420p,trim=end_frame={frames}"
    return ["-f", "lavfi", "-i", f"{picture},geq=lum={_CODE}:cb=128:cr=128{',' + filters if filters else ''}"]


def number(picture: bytes, box: tuple[int, int, int, int] = (0, 0, WIDTH, HEIGHT), width: int = WIDTH) -> int | None:
    """The number that a counting video shows in the box (left, top, width, height) of an RGB picture; None if none."""
    left, top, across, down = box

    def brightness(column: float, row: float) -> int:
        at = (round(top + down * row) * width + round(left + across * column)) * 3
        return sum(picture[at : at + 3]) // 3

    found = 0
    for bit in range(BITS):
        upper, lower = (brightness((bit + 0.5) / BITS, row) for row in (0.25, 0.75))
        if abs(upper - lower) < 150:
            return None
        found |= (upper > lower) << bit
    return found


def shown(path: Path, *, fps: str, start: float = 0, seconds: float = 1) -> list[int]:
    """The numbers of a counting video that ffmpeg's own fps filter finds at each step of a grid."""
    grid = f"settb=intb/2,setpts=PTS-lte(TB\\,0.001),fps={fps}:start_time=0:round=up,scale={WIDTH}:{HEIGHT}"
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-noaccurate_seek", "-ss", str(start)]
    command += ["-i", str(path), "-t", str(seconds), "-vf", grid, "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    size = WIDTH * HEIGHT * 3
    numbers = [number(data[at : at + size]) for at in range(0, len(data), size)]
    return [each for each in numbers if each is not None]


def counting_videos(folder: Path) -> None:
    """Puts counting videos of 160 x 90 px, of many kinds, into `folder`."""
    made(folder / "v30.mp4", *counting(frames=75, size=SIZE), *X264)
    made(folder / "v24.mp4", *counting(frames=30, fps="24", size=SIZE), *X264)
    made(folder / "v60.webm", *counting(frames=60, fps="60", size=SIZE), *VP9, "-g", "25")
    made(folder / "ntsc.mp4", *counting(frames=60, fps="30000/1001", size=SIZE), *X264)
    made(folder / "vfr.mp4", *counting(frames=40, filters=UNEVEN, size=SIZE), "-fps_mode", "vfr", *X264)
    made(folder / "short.mp4", *counting(frames=17, size=SIZE), *X264)
    made(folder / "odd.webm", *counting(frames=5, size=(161, 91)), *VP8)
    made(folder / "yuv444.mp4", *counting(frames=60, size=(161, 91), filters="format=yuv444p"), *X264)
    made(folder / "ten.mov", *counting(frames=30, size=SIZE), "-c:v", "prores_ks", "-pix_fmt", "yuv422p10le")
    made(folder / "turned.mp4", "-display_rotation", "90", "-i", str(folder / "short.mp4"), "-c", "copy")
    see_through = counting(frames=4, size=SIZE, filters=HALF)
    made(folder / "alpha9.webm", *see_through, "-pix_fmt", "yuva420p", *VP9)
    made(folder / "alpha8.webm", *see_through, "-pix_fmt", "yuva420p", *VP8)
    made(folder / "alpha.mov", *see_through, "-pix_fmt", "yuva444p10le", *PRORES)
    made(folder / "sound.wav", "-f", "lavfi", "-i", "sine=duration=1")
    five = counting(frames=5, fps="10", size=SIZE)
    for name, loop in {"endless.gif": "0", "twice.gif": "2", "once.gif": "-1"}.items():
        made(folder / name, *five, "-loop", loop)
    made(
        folder / "uneven.gif", *counting(frames=4, fps="10", size=SIZE, filters="setpts=N*(N+1)/2/10/TB"), "-loop", "0"
    )
    made(folder / "endless.png", *five, "-f", "apng", "-plays", "0")
    made(folder / "twice.png", *five, "-f", "apng", "-plays", "2")
    made(folder / "endless.webp", *five, "-c:v", "libwebp_anim", "-lossless", "1", "-loop", "0")
    made(folder / "endless.avif", *five, "-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "10", "-loop", "0")
    red = ["-f", "lavfi", "-i", "color=red:size=160x90", "-frames:v", "1"]
    made(folder / "still.avif", *red, "-c:v", "libaom-av1", "-cpu-used", "8", "-still-picture", "1")
    made(folder / "still.webp", *red, "-c:v", "libwebp")


def grey_png(level: int, size: int) -> bytes:
    """A square PNG picture of one grey, opaque, RGBA, of `size` px."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + bytes([level, level, level, 255]) * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    begin = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header)
    return begin + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
