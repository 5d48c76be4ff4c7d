"""What runs inside the composition's page: the virtual clock, the media elements and the page driver."""

from __future__ import annotations

from pathlib import Path

CLOCK_SCRIPT = (Path(__file__).parent / "clock.js").read_text("utf-8")
MEDIA_SCRIPT = "\n".join(
    (Path(__file__).parent / name).read_text("utf-8") for name in ("media.js", "timing.js", "animated.js")
)
DRIVER_SCRIPT = (Path(__file__).parent / "driver.js").read_text("utf-8")
AUDIO_QUESTION = (Path(__file__).parent / "audio.js").read_text("utf-8")
"""Not part of any page: a function that the plan evaluates in it."""
