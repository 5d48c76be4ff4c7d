"""Media that the tests make with ffmpeg: videos that tell their own frame numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rendering import HEIGHT, WIDTH

from lambda_handler import toolchain

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
    """The numbers that ffmpeg's own fps filter shows of a counting video, frame after frame."""
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-ss", str(start), "-i", str(path)]
    command += ["-t", str(seconds), "-vf", f"fps={fps},scale={WIDTH}:{HEIGHT}", "-fps_mode", "cfr", "-r", fps]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    size = WIDTH * HEIGHT * 3
    numbers = [number(data[at : at + size]) for at in range(0, len(data), size)]
    return [each for each in numbers if each is not None]
