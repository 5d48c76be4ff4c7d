"""Effect chains, in the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sounds import level, raw_samples, sine

from lambda_handler import toolchain
from lambda_handler.audio import effects
from lambda_handler.audio.effects import Effects, enabled_chain
from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.audio.sound import Stretch, extract
from lambda_handler.browser import launched
from lambda_handler.errors import CompositionInvalid, FeatureNotSupported
from lambda_handler.media_sources import probe


@pytest.fixture(scope="module")
def page() -> Iterator[Effects]:
    with (
        launched(toolchain.chromium(), 320, 180, 1) as browser,
        effects.opened(browser, toolchain.audio_effects()) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of 1 kHz at -9 dB, as raw samples."""
    folder = tmp_path_factory.mktemp("tone")
    file = sine(folder / "tone.wav", seconds=0.5, level=0.5)
    source = probe(toolchain.ffmpeg(), file, file.name)
    extract(toolchain.ffmpeg(), Stretch(file, source, 0.0, 1.0, False, None, 24_000), folder / "tone.raw")
    return folder / "tone.raw"


def _chain(*nodes: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "nodes": list(nodes)})


def test_effects_are_heard(page: Effects, tone: Path, tmp_path: Path) -> None:
    """One after another: 6 dB less, then a filter that leaves next to nothing of the tone."""
    quieter = {"type": "gain", "params": {"gain": -6}}
    page.apply(_chain(quieter), None, tone, tmp_path / "out.raw", where="x")
    assert level(raw_samples(tmp_path / "out.raw")[0], 0.1, 0.4) == pytest.approx(-15.03, abs=0.1)
    dark = {"type": "lowpass", "params": {"frequency": 100}}
    page.apply(_chain(quieter, dark), None, tone, tmp_path / "out.raw", where="x")
    assert level(raw_samples(tmp_path / "out.raw")[0], 0.1, 0.4) < -50


def test_a_lane_moves_a_parameter(page: Effects, tone: Path, tmp_path: Path) -> None:
    """In the unit of the parameter: here decibels."""
    lane = {"target": "fx.n1.gain", "points": [{"t": 0, "v": 0}, {"t": 0.25, "v": 0}, {"t": 0.2501, "v": -20}]}
    automation = json.dumps({"version": 1, "lanes": [lane]})
    page.apply(_chain({"type": "gain", "id": "n1"}), automation, tone, tmp_path / "out.raw", where="x")
    left, _ = raw_samples(tmp_path / "out.raw")
    assert level(left, 0.1, 0.2) == pytest.approx(-9.03, abs=0.1)
    assert level(left, 0.3, 0.4) == pytest.approx(-29.03, abs=0.2)


def test_what_rings_on_is_kept(page: Effects, tone: Path, tmp_path: Path) -> None:
    """A room is heard after the sound in it has stopped; the same every time."""
    outcomes = set()
    for _ in range(2):
        page.apply(_chain({"type": "reverb"}), None, tone, tmp_path / "out.raw", where="x")
        outcomes.add((tmp_path / "out.raw").read_bytes())
    left, _ = raw_samples(tmp_path / "out.raw")
    assert len(left) > SAMPLE_RATE
    assert -60 < level(left, 0.6, 0.8) < -15
    assert len(outcomes) == 1


def test_long_sounds_go_through_in_blocks(
    page: Effects, tone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or doubled between them."""
    monkeypatch.setattr(effects, "BLOCK_FRAMES", 1000)
    page.apply(_chain({"type": "gain", "params": {"gain": 0}}), None, tone, tmp_path / "out.raw", where="x")
    assert (tmp_path / "out.raw").read_bytes() == tone.read_bytes()


def test_an_unknown_effect_is_named(page: Effects, tone: Path, tmp_path: Path) -> None:
    """With the element it is on: it would be missing from the sound."""
    with pytest.raises(FeatureNotSupported, match=r'<audio id="bed">.* unknown effect type: vocoder'):
        page.apply(_chain({"type": "vocoder"}), None, tone, tmp_path / "out.raw", where='<audio id="bed">')


def test_a_chain_with_everything_switched_off_is_none() -> None:
    """No browser page is opened for it."""
    assert enabled_chain(None, "x") is None
    assert enabled_chain(_chain(), "x") is None
    assert enabled_chain(_chain({"type": "reverb", "enabled": False}), "x") is None
    chain = _chain({"type": "reverb", "enabled": False}, {"type": "gain"})
    assert enabled_chain(chain, "x") == chain


@pytest.mark.parametrize("chain", ["[", "[]", '{"version": 1}', '{"version": 1, "nodes": [1]}'])
def test_what_is_no_chain_is_refused(chain: str) -> None:
    """By the element's name."""
    with pytest.raises(CompositionInvalid, match='<audio id="bed">: data-fx-chain'):
        enabled_chain(chain, '<audio id="bed">')
