"""What runs inside the composition's page: the virtual clock and the page driver."""

from __future__ import annotations

from pathlib import Path

CLOCK_SCRIPT = (Path(__file__).parent / "clock.js").read_text("utf-8")
DRIVER_SCRIPT = (Path(__file__).parent / "driver.js").read_text("utf-8")
