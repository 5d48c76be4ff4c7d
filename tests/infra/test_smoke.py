"""What the smoke test compares, and what it says when it fails."""

from __future__ import annotations

import subprocess
import sys
from math import isinf
from pathlib import Path

import pytest

from infra import smoke
from infra.compare import compare
from lambda_handler import toolchain
from lambda_handler.toolchain import CHECKOUT


def _video(path: Path, source: str) -> Path:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, "-crf", "0", "-y", str(path)], check=True)
    return path


def test_frames_are_compared_one_by_one(tmp_path: Path) -> None:
    """Equal videos have no noise; one that differs in a part of its frames is told by how many."""
    one = _video(tmp_path / "one.mp4", "testsrc=size=64x64:rate=10:duration=1")
    same = _video(tmp_path / "same.mp4", "testsrc=size=64x64:rate=10:duration=1")
    likeness = compare(same, one)
    assert isinf(likeness.psnr)
    assert (likeness.identical, likeness.frames, likeness.same_frames) == (10, 10, True)
    marked = "testsrc=size=64x64:rate=10:duration=1,drawbox=x=8:y=8:w=8:h=8:color=red:t=fill:enable='gte(n,7)'"
    other = compare(_video(tmp_path / "other.mp4", marked), one)
    assert (other.identical, other.frames, other.same_frames) == (7, 10, False)
    assert 10 < other.psnr < 40
    shorter = compare(_video(tmp_path / "short.mp4", "testsrc=size=64x64:rate=10:duration=0.8"), one)
    assert (shorter.identical, shorter.frames, shorter.same_frames) == (8, 10, False)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--chunk-counts", "two"], 2, "--chunk-counts"),
        (["--local", "--function", "nothing.zip"], smoke.DEPLOY, "make artifact-local"),
    ],
)
def test_each_stage_has_an_exit_status_of_its_own(
    tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    command = [sys.executable, "-m", "infra.smoke", *arguments, "--work", str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
