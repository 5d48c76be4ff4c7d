"""Requests: what is refused before anything is started, and what an output's name asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.request import RenderRequest, check, format_for
from lambda_handler.errors import InvalidConfig
from lambda_handler.events import parse_config
from tasks.local_stack import LocalStack


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("film.mp4", "mp4"),
        ("out/film.MOV", "mov"),
        ("s3://bucket/film.webm", "webm"),
        ("film.gif", "gif"),
        ("frames.tar.gz", "png-sequence"),
    ],
)
def test_an_outputs_name_says_its_format(output: str, name: str) -> None:
    """As its ending does, in any case of letters."""
    assert format_for(output) == name


def test_a_name_that_says_no_format_is_refused() -> None:
    """With the endings there are."""
    with pytest.raises(InvalidConfig, match=r"(?s)film\.avi.*\.mp4 \(mp4\).*\.tar\.gz \(png-sequence\)"):
        format_for("film.avi")


@pytest.mark.parametrize(
    ("output", "config"),
    [("film.mp4", {"format": "webm"}), ("film.webm", {}), ("frames.zip", {"format": "png-sequence"})],
)
def test_a_name_that_contradicts_the_format_is_refused(tmp_path: Path, output: str, config: dict[str, str]) -> None:
    """Nobody looks for VP9 in film.mp4."""
    request = RenderRequest(project=str(tmp_path), output=output, config=parse_config(config))
    with pytest.raises(InvalidConfig, match=rf"format is .*{output}"):
        check(request, LocalStack(root=tmp_path))
