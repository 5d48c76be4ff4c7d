"""Output sizes by name: the page keeps its size and is drawn with more device pixels (composition contract, 3.6)."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_handler.errors import InvalidConfig

PRESETS: Mapping[str, tuple[int, int]] = {
    "landscape": (1920, 1080),
    "portrait": (1080, 1920),
    "square": (1080, 1080),
    "landscape-4k": (3840, 2160),
    "portrait-4k": (2160, 3840),
    "square-4k": (2160, 2160),
}
# A tier fits any orientation.
TIERS: Mapping[str, str] = {"1080p": "landscape", "4k": "landscape-4k"}
ALIASES: Mapping[str, str] = {
    "hd": "1080p",
    "uhd": "4k",
    "1080p-landscape": "landscape",
    "landscape-1080p": "landscape",
    "1080p-portrait": "portrait",
    "portrait-1080p": "portrait",
    "1080p-square": "square",
    "square-1080p": "square",
    "4k-landscape": "landscape-4k",
    "4k-portrait": "portrait-4k",
    "4k-square": "square-4k",
}
NAMES = (*PRESETS, *TIERS)


def parse_resolution(value: object) -> str:
    """A preset or a tier by any of its names, in any case. Raises ValueError for anything else."""
    name = str(value).strip().lower()
    name = ALIASES.get(name, name)
    if name not in NAMES:
        raise ValueError(f"{value!r} is not one of {', '.join((*NAMES, *ALIASES))}")
    return name


def device_scale(name: str | None, *, any_orientation: bool, width: int, height: int) -> int:
    """Device pixels per CSS px for a page of `width` x `height` px to come out as `name`; 1 where that is None.

    With `any_orientation` a preset means its tier. Raises InvalidConfig: aspect-mismatch, downsampling,
    non-integer-scale.
    """
    if name is None:
        return 1
    preset = TIERS.get(name, name)
    if any_orientation or name in TIERS:
        preset = _in_orientation(preset, width, height)
    wide, high = PRESETS[preset]
    told = f"outputResolution: {preset} is {wide} x {high} px, and the composition {width} x {height}"
    if wide * height != high * width:
        fitting = [each for each, (w, h) in PRESETS.items() if w * height == h * width and not w % width]
        raise InvalidConfig(
            f"{told}: aspect-mismatch.",
            resolution=f"Ask for {' or '.join(fitting)}." if fitting else "Leave outputResolution out.",
        )
    if wide < width:
        raise InvalidConfig(f"{told}: downsampling.", resolution="Leave outputResolution out, or ask for a larger one.")
    if wide % width:
        raise InvalidConfig(
            f"{told}: non-integer-scale, {wide / width:g} device pixels for one px.",
            resolution="Leave outputResolution out, or ask for a whole multiple of the composition's size.",
        )
    return wide // width


def _in_orientation(preset: str, width: int, height: int) -> str:
    orientation = "landscape" if width > height else "portrait" if width < height else "square"
    return f"{orientation}-4k" if preset.endswith("-4k") else orientation
