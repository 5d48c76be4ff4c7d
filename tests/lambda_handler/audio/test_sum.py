"""Adding up: every sound at its sample, at its gain."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from sounds import raw_samples

from lambda_handler import toolchain
from lambda_handler.audio.envelope import Envelope
from lambda_handler.audio.sum import Fades, Part, add_up


def _constant(path: Path, value: float, samples: int) -> Path:
    path.write_bytes((array("f", [value]) * (2 * samples)).tobytes())
    return path


def _sum(tmp_path: Path, *parts: Part, samples: int = 1000) -> array[float]:
    add_up(toolchain.ffmpeg(), parts, samples, tmp_path / "sum.raw")
    left, right = raw_samples(tmp_path / "sum.raw")
    assert left == right
    assert len(left) == samples
    return left


def test_sounds_add_up_and_are_not_normalised(tmp_path: Path) -> None:
    """One sound is as loud beside seven others as alone, also where the sum is above full scale."""
    file = _constant(tmp_path / "a.raw", 0.25, 600)
    assert set(_sum(tmp_path, Part(file, 0, Envelope.constant(1)))[:600]) == {0.25}
    eight = _sum(tmp_path, *[Part(file, 0, Envelope.constant(1))] * 8)
    assert set(eight[:600]) == {2.0}
    assert set(eight[600:]) == {0.0}


def test_a_sound_stands_at_its_sample(tmp_path: Path) -> None:
    """Not at the nearest millisecond; what reaches beyond the end is cut."""
    file = _constant(tmp_path / "a.raw", 0.5, 600)
    heard = _sum(tmp_path, Part(file, 123, Envelope.constant(1)), Part(file, 777, Envelope.constant(0.5)))
    assert [index for index in range(1, 1000) if heard[index] != heard[index - 1]] == [123, 723, 777]
    assert (heard[123], heard[777], heard[999]) == (0.5, 0.25, 0.25)


def test_a_gain_that_moves_is_applied_to_every_sample(tmp_path: Path) -> None:
    """In the time of the sound, wherever it stands."""
    file = _constant(tmp_path / "a.raw", 1.0, 480)
    heard = _sum(tmp_path, Part(file, 100, Envelope(((0.0, 0.0), (0.005, 1.0), (0.005, 0.5)))))
    assert list(heard[100:340]) == pytest.approx([index / 240 for index in range(240)], abs=1e-6)
    assert set(heard[340:580]) == {0.5}


def test_fades_begin_and_end_at_the_ends_of_the_clip(tmp_path: Path) -> None:
    """What an effect lets ring on behind the end is silent then."""
    file = _constant(tmp_path / "a.raw", 1.0, 900)
    heard = _sum(tmp_path, Part(file, 0, Envelope.constant(1), Fades(fade_in=100, fade_out=200, end=800)))
    assert list(heard[:100]) == pytest.approx([index / 100 for index in range(100)], abs=1e-6)
    assert set(heard[100:601]) == {1.0}
    assert list(heard[600:800]) == pytest.approx([1 - index / 200 for index in range(200)], abs=1e-6)
    assert set(heard[800:]) == {0.0}


def test_fades_that_would_meet_share_the_clip() -> None:
    """Both shorter by the same factor."""
    assert Fades.of(1.0, 0.5, 48_000 * 3) == Fades(48_000, 24_000, 48_000 * 3)
    assert Fades.of(2.0, 1.0, 48_000) == Fades(32_000, 16_000, 48_000)
    assert Fades.of(0.0, 0.0, 48_000) == Fades(0, 0, 48_000)
