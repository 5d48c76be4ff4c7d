"""Effect chains (`data-fx-chain`): the reference's own effects, in an OfflineAudioContext of the pinned Chromium.

The effects are published in @hyperframes/core as a script of their own, pinned like the page runtime. They run in
a blank page beside the composition's, whose clock and scripts know nothing of them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.audio.sound import CHANNELS, FRAME_BYTES
from lambda_handler.devtools import Devtools
from lambda_handler.errors import CompositionInvalid, FeatureNotSupported
from lambda_handler.page import tab
from lambda_handler.page.tab import Answer, Request, ScriptThrew, Tab

# A secure context: AudioWorklet exists in no other.
ORIGIN = "https://effects.local"
BLOCK_FRAMES = 1 << 20
_SCRIPT = (Path(__file__).parent / "effects.js").read_text("utf-8")


def enabled_chain(chain: str | None, where: str) -> str | None:
    """The chain, where an effect of it is switched on. Raises CompositionInvalid naming `where`."""
    if not chain:
        return None
    try:
        told: Any = json.loads(chain)
    except ValueError as error:
        raise CompositionInvalid(f"{where}: data-fx-chain is not JSON: {error}.") from error
    nodes = told.get("nodes") if isinstance(told, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise CompositionInvalid(f'{where}: data-fx-chain is not {{"version": 1, "nodes": […]}}.')
    return chain if any(node.get("enabled") is not False for node in nodes) else None


class Effects:
    """A page that applies effect chains. Make it with `opened`."""

    def __init__(self, page: Tab, script: Path) -> None:
        self._page = page
        self._script = script
        self._source: Path | None = None
        page.answer = self._answer
        page.open(f"{ORIGIN}/")
        page.run(_SCRIPT)
        page.evaluate("url => hf.load(url)", f"{ORIGIN}/effects.js")

    def apply(self, chain: str, automation: str | None, source: Path, target: Path, *, where: str) -> None:
        """Puts raw samples through a chain; what rings on makes `target` longer than `source`.

        Raises FeatureNotSupported naming `where` and the effect that is not known.
        """
        self._source = source
        asked = {
            "source": f"{ORIGIN}/samples",
            "frames": source.stat().st_size // FRAME_BYTES,
            "channels": CHANNELS,
            "rate": SAMPLE_RATE,
            "blockFrames": BLOCK_FRAMES,
            "chain": chain,
            "automation": automation,
        }
        try:
            made = self._page.evaluate("asked => hf.run(asked)", asked)
        except ScriptThrew as error:
            told = error.message.splitlines()[0].rpartition("Error: ")[2]
            raise FeatureNotSupported(
                f"{where}: data-fx-chain cannot be rendered: {told}",
                resolution="Remove the effect named above; it would be missing from the sound.",
            ) from error
        with target.open("wb") as file:
            for first in range(0, made, BLOCK_FRAMES):
                block = {"first": first, "frames": BLOCK_FRAMES}
                file.write(base64.b64decode(self._page.evaluate("block => hf.block(block)", block)))

    def _answer(self, request: Request) -> Answer | None:
        path = request.url.removeprefix(ORIGIN)
        if path == "/":
            return Answer(b"<!doctype html><title>effects</title>", "text/html")
        if path == "/effects.js":
            return Answer(self._script.read_bytes(), "text/javascript")
        if path.startswith("/samples/") and self._source:
            with self._source.open("rb") as file:
                file.seek(int(path.removeprefix("/samples/")) * FRAME_BYTES)
                return Answer(file.read(BLOCK_FRAMES * FRAME_BYTES), "application/octet-stream")
        return None


@contextmanager
def opened(browser: Devtools, script: Path) -> Iterator[Effects]:
    """A page for effects in `browser`; `script` is toolchain's audio_effects. Raises BrowserFailed."""
    with tab.opened(browser) as page:
        yield Effects(page, script)
