"""What the comparison of two videos sees, on videos whose difference is known."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from lambda_handler import toolchain
from parity.measure import IDENTICAL_DB, SOUND_RATE, Limits, compare, sound_of

RED = "color=c=red:s=64x48:r=10"
NOISE = "anoisesrc=r=48000:c=pink:seed=7:a=0.5"


def _video(path: Path, *, picture: str = RED, seconds: float = 1, sound: str | None = None) -> Path:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "lavfi", "-i", picture]
    if sound:
        command += ["-f", "lavfi", "-i", sound, "-c:a", "aac"]
    subprocess.run([*command, "-t", str(seconds), "-c:v", "libx264", "-qp", "0", str(path)], check=True)
    return path


def test_a_video_is_the_same_as_itself(tmp_path: Path) -> None:
    """No frame differs, the sound agrees at lag 0, and nothing is complained of."""
    video = _video(tmp_path / "a.mp4", sound=NOISE)
    like = compare(video, video)
    assert like.psnr == (IDENTICAL_DB,) * 10
    assert like.sound and like.sound.correlation == pytest.approx(1) and like.sound.lag == 0
    assert like.complaints(Limits()) == ()


def test_the_frame_that_differs_is_named(tmp_path: Path) -> None:
    """One black frame among red ones is the worst, and leaves the others identical."""
    changed = _video(tmp_path / "b.mp4", picture=f"{RED},drawbox=c=black:t=fill:enable='eq(n,6)'")
    like = compare(_video(tmp_path / "a.mp4"), changed)
    assert like.worst_frame == 6
    assert [value == IDENTICAL_DB for value in like.psnr] == [index != 6 for index in range(10)]
    assert like.psnr[6] < 20


def test_another_picture_throughout_is_complained_of(tmp_path: Path) -> None:
    """The mean and the 5th percentile fall below their limits."""
    like = compare(_video(tmp_path / "a.mp4"), _video(tmp_path / "b.mp4", picture=RED.replace("red", "blue")))
    told = " ".join(like.complaints(Limits()))
    assert "mean" in told and "5th percentile" in told


def test_a_missing_frame_a_missing_sound_and_another_length_are_complained_of(tmp_path: Path) -> None:
    """Each is named with both sides' values, ours first."""
    ours, theirs = _video(tmp_path / "a.mp4", sound=NOISE), _video(tmp_path / "b.mp4", seconds=0.9)
    told = compare(ours, theirs).complaints(Limits())
    assert "10 frames against 9" in told
    assert "sound in one only: ours" in told
    assert any(complaint.startswith("1.0") and "s against 0.9" in complaint for complaint in told)


def test_videos_of_different_sizes_are_not_compared_by_their_pixels(tmp_path: Path) -> None:
    """The sizes are complained of, and no frame counts as alike."""
    like = compare(_video(tmp_path / "a.mp4"), _video(tmp_path / "b.mp4", picture=RED.replace("64x48", "32x24")))
    assert like.psnr == ()
    assert "64x48 px against 32x24" in like.complaints(Limits())


@pytest.mark.parametrize("delay", [0, 80, -1200])
def test_a_late_sound_is_told_by_how_much(delay: int) -> None:
    """The lag is found to the step of the search, positive when the second sound is the later one."""
    noise = random.Random(3)
    samples = [noise.randint(-9000, 9000) for _ in range(SOUND_RATE)]
    late = [0] * max(0, delay) + samples[max(0, -delay) :] + [0] * max(0, -delay)
    sound = sound_of(samples, late)
    assert sound and sound.lag == pytest.approx(delay / SOUND_RATE)
    assert (sound.correlation > 0.99) == (delay == 0)


def test_silence_is_not_correlated(tmp_path: Path) -> None:
    """Two silent tracks are both there, and agree without a number."""
    silent = _video(tmp_path / "a.mp4", sound="anullsrc=r=48000")
    like = compare(silent, silent)
    assert like.audible == (True, True) and like.sound is None
    assert like.complaints(Limits()) == ()
