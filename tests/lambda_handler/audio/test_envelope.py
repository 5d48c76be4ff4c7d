"""Gain over time: which sample gets which gain."""

from __future__ import annotations

from array import array
from itertools import chain

import pytest

from lambda_handler.audio import envelope
from lambda_handler.audio.envelope import MAX_GAIN, SAMPLE_RATE, Envelope, clamped


def _samples(gain: Envelope, count: int) -> array[float]:
    return array("f", chain.from_iterable(gain.samples(count)))


def test_a_line_reaches_every_sample_on_its_way() -> None:
    """Not in steps: a fade of one second has 48,000 gains."""
    gains = _samples(Envelope(((0.0, 0.0), (1.0, 1.0))), SAMPLE_RATE + 10)
    assert len(gains) == SAMPLE_RATE + 10
    assert all(abs(gain - index / SAMPLE_RATE) < 1e-6 for index, gain in enumerate(gains[:SAMPLE_RATE]))
    assert set(gains[SAMPLE_RATE:]) == {1.0}


def test_a_step_is_one_sample_wide() -> None:
    """Two points at the same time; before the first and after the last the gain is held."""
    gains = _samples(Envelope(((0.001, 0.25), (0.002, 0.25), (0.002, 0.75))), 192)
    assert set(gains[:96]) == {0.25}
    assert set(gains[96:]) == {0.75}


def test_blocks_make_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line is made in parts that are the line's."""
    line = Envelope(((0.0, 1.0), (0.01, 0.0)))
    whole = _samples(line, 480)
    monkeypatch.setattr(envelope, "BLOCK", 7)
    assert _samples(line, 480) == whole


def test_a_part_of_an_envelope_is_the_same_in_its_own_time() -> None:
    """What a timeline does with the volume, seen from the clip."""
    part = Envelope(((0.0, 0.0), (2.0, 1.0), (4.0, 1.0), (4.0, 0.5))).between(1.0, 5.0)
    assert [part.at(moment) for moment in (0.0, 0.5, 1.0, 2.5, 3.5)] == [0.5, 0.75, 1.0, 1.0, 0.5]


def test_a_gain_that_never_changes_is_known_as_such() -> None:
    """It needs no samples."""
    assert Envelope(((0.0, 0.5), (2.0, 0.5))).level == 0.5
    assert Envelope(((0.0, 0.5), (2.0, 0.6))).level is None


def test_gains_end_at_silence_and_twelve_decibels() -> None:
    """As the reference's; what is no number changes nothing."""
    assert [clamped(gain) for gain in (-1, 0.3, 9.0, float("nan"))] == [0.0, 0.3, MAX_GAIN, 1.0]
    assert pytest.approx(3.981, abs=1e-3) == MAX_GAIN
