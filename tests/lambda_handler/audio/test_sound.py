"""Stretches of files: what is heard when, at which level and pitch."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sounds import click_times, clicks, ffmpeg, frequency, level, raw_samples, sine

from lambda_handler import toolchain
from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.audio.sound import Stretch, extract
from lambda_handler.errors import AudioSourceInvalid
from lambda_handler.media_sources import probe

Listen = Callable[..., "array[float]"]


@pytest.fixture
def listen(tmp_path: Path) -> Listen:
    """Extracts a stretch of a file; its left channel, after a look that the right one is the same."""

    def listened(file: Path, *, seconds: float, **given: Any) -> array[float]:
        source = probe(toolchain.ffmpeg(), file, file.name)
        wanted: dict[str, Any] = {"start": 0.0, "rate": 1.0, "loop": False, "period": None, **given}
        extract(
            toolchain.ffmpeg(),
            Stretch(file=file, source=source, samples=round(seconds * SAMPLE_RATE), **wanted),
            tmp_path / "raw",
        )
        left, right = raw_samples(tmp_path / "raw")
        assert left == right
        return left

    return listened


def _with_video(target: Path, sound: Path, *, late: float = 0.0) -> Path:
    codecs = ("libvpx-vp9", "libopus") if target.suffix == ".webm" else ("libx264", "aac")
    pictures = ("-f", "lavfi", "-i", "color=size=64x64:rate=30:duration=1")
    fast = ("-deadline", "realtime") if target.suffix == ".webm" else ()
    ffmpeg(
        *pictures, "-itsoffset", str(late), "-i", str(sound), "-c:v", codecs[0], *fast, "-c:a", codecs[1], str(target)
    )
    return target


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "m4a", "ogg", "mp4", "webm"])
def test_a_click_is_heard_where_it_stands_in_the_file(tmp_path: Path, listen: Listen, suffix: str) -> None:
    """Whatever the codec needs to begin: nothing of it is heard, and nothing is late by it."""
    click = clicks(tmp_path / "click.wav", 0.25, 0.5, seconds=1)
    file = tmp_path / f"made.{suffix}"
    if suffix in ("mp4", "webm"):
        _with_video(file, click)
    else:
        ffmpeg("-i", str(click), str(file))
    times = click_times(listen(file, seconds=0.9))
    assert times == pytest.approx([0.25, 0.5], abs=0.0005)
    assert click_times(listen(click, start=0.2, seconds=0.9)) == pytest.approx([0.05, 0.3], abs=1e-5)


def test_a_sound_that_begins_later_than_its_film_is_late(tmp_path: Path, listen: Listen) -> None:
    """Times in the file count, not the order of its samples."""
    film = _with_video(tmp_path / "film.mp4", clicks(tmp_path / "click.wav", 0.1, seconds=0.5), late=0.5)
    assert click_times(listen(film, seconds=1)) == pytest.approx([0.6], abs=0.001)
    assert click_times(listen(film, start=0.4, seconds=1)) == pytest.approx([0.2], abs=0.001)


def test_mono_is_as_loud_in_both_channels(tmp_path: Path, listen: Listen) -> None:
    """Not 3 dB quieter, as ffmpeg would have it; at any sampling rate."""
    for rate in (48_000, 44_100, 22_050):
        mono = sine(tmp_path / f"{rate}.wav", seconds=0.5, level=0.5, rate=rate)
        assert level(listen(mono, seconds=0.5), 0.1, 0.4) == pytest.approx(-9.03, abs=0.05)
    stereo = sine(tmp_path / "stereo.wav", seconds=0.5, level=0.5, channels=2)
    assert level(listen(stereo, seconds=0.5), 0.1, 0.4) == pytest.approx(-9.03, abs=0.05)


def test_the_rate_changes_the_length_and_not_the_pitch(tmp_path: Path, listen: Listen) -> None:
    """Also beyond what one of ffmpeg's tempo filters can do."""
    tone = sine(tmp_path / "tone.wav", seconds=2, frequency=440)
    for rate in (0.4, 2.0, 3.0):
        heard = listen(tone, rate=rate, seconds=9)
        assert len(heard) / SAMPLE_RATE == pytest.approx(2 / rate, abs=0.08)
        assert frequency(heard, 0.2, 0.6) == pytest.approx(440, abs=6)


def test_a_stretch_is_no_longer_than_asked_for(tmp_path: Path, listen: Listen) -> None:
    """To the sample; and a file that is over is silent from there."""
    tone = sine(tmp_path / "tone.wav", seconds=0.5)
    assert len(listen(tone, seconds=0.3)) == 0.3 * SAMPLE_RATE
    assert len(listen(tone, start=0.4, seconds=3)) == pytest.approx(0.1 * SAMPLE_RATE, abs=1)
    assert len(listen(tone, start=2, seconds=3)) == 0


def test_a_loop_repeats_without_a_gap_and_without_drifting(tmp_path: Path, listen: Listen) -> None:
    """41 samples short of a tenth of a second at 44.1 kHz: after 90 rounds still to the sample."""
    short = clicks(tmp_path / "short.wav", 0.05, seconds=4369 / 44_100, rate=44_100)
    period = 4369 / 44_100
    heard = click_times(listen(short, loop=True, seconds=9))
    assert heard == pytest.approx([0.05 + round_ * period for round_ in range(len(heard))], abs=2 / SAMPLE_RATE)
    assert len(heard) == 91
    assert len(listen(short, loop=True, start=1, seconds=9)) == 0


def test_a_loop_begins_again_where_it_began(tmp_path: Path, listen: Listen) -> None:
    """At the media start, and for a film when its pictures are over."""
    file = clicks(tmp_path / "click.wav", 0.3, seconds=0.5)
    assert click_times(listen(file, loop=True, start=0.2, seconds=0.9)) == pytest.approx([0.1, 0.4, 0.7], abs=1e-4)
    longer = listen(file, loop=True, start=0.2, period=0.4, seconds=0.9)
    assert click_times(longer) == pytest.approx([0.1, 0.5], abs=1e-4)


def test_what_cannot_be_heard_is_refused(tmp_path: Path, listen: Listen) -> None:
    """A film without sound, named as the source of one."""
    ffmpeg("-f", "lavfi", "-i", "color=size=64x64:rate=30:duration=1", str(tmp_path / "silent.mp4"))
    with pytest.raises(AudioSourceInvalid, match="no sound"):
        listen(tmp_path / "silent.mp4", seconds=1)
