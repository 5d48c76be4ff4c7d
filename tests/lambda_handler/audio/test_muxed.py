"""Sound in the published file: rendered in chunks, assembled, and heard as a player hears it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rendering import MOVING, Render, described, page
from sounds import click_times, clicks, heard

from lambda_handler import storage
from lambda_handler.audio.envelope import SAMPLE_RATE
from lambda_handler.storage import ROOTS_VARIABLE, file_uri, local_path

FRAMES = 13
CLICKS = (0.0, 0.1, 0.3333, 0.41)
FORMATS: dict[str, dict[str, object]] = {
    "mp4": {"fps": "30000/1001"},
    "mov": {"fps": 30},
    "webm": {"fps": 30},
    "png-sequence": {"fps": 30},
}
Rendered = Callable[[str], Render]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rendered]:
    """The render of a format, made when it is first asked for: 13 frames in three chunks, four clicks."""
    place = tmp_path_factory.mktemp("muxed")
    (place / "project").mkdir()
    clicks(place / "project" / "clicks.wav", *CLICKS, seconds=0.6)
    sound = '<audio src="clicks.wav" data-start="0"></audio>'
    (place / "project" / "index.html").write_text(page(MOVING + sound, duration="0.4333"))
    made: dict[str, Render] = {}

    def render(name: str) -> Render:
        if name not in made:
            config = {"format": name, "chunkSize": 5, **FORMATS[name]}
            made[name] = Render(file_uri(place / "project"), file_uri(place / name), config)
            made[name].plan()
            made[name].assemble(made[name].chunks(), AudioS3Uri=made[name].planned["AudioS3Uri"])
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOTS_VARIABLE, str(place))
        yield render


def _sidecar(render: Render) -> Path:
    archive = storage.path_of(render.output)
    with tarfile.open(archive) as tar:
        assert tar.getnames()[-1] == "audio.m4a"
        tar.extract("audio.m4a", archive.parent, filter="data")
    return archive.parent / "audio.m4a"


@pytest.mark.parametrize("name", FORMATS)
def test_a_click_is_heard_at_its_moment(rendered: Rendered, name: str) -> None:
    """Within a millisecond: what the codec needs to begin stands before time 0, and is not heard."""
    render = rendered(name)
    file = _sidecar(render) if name == "png-sequence" else storage.path_of(render.output)
    left, right = heard(file)
    assert click_times(left) == pytest.approx(CLICKS, abs=0.001)
    assert click_times(right) == pytest.approx(CLICKS, abs=0.001)


@pytest.mark.parametrize("name", FORMATS)
def test_the_sound_is_as_long_as_the_pictures(rendered: Rendered, name: str) -> None:
    """Frames divided by the rate, to the millisecond; a decoder of AAC gives its last packet whole."""
    render = rendered(name)
    file = _sidecar(render) if name == "png-sequence" else storage.path_of(render.output)
    wanted = float(FRAMES / render.manifest.rate)
    length = len(heard(file)[0]) / SAMPLE_RATE
    assert wanted - 0.001 <= length <= wanted + (0.001 if name == "webm" else 1024 / SAMPLE_RATE)
    report = json.loads(storage.read(f"{render.folder}/report.json"))
    assert report["hasAudio"] is True
    assert report["durationSeconds"] == pytest.approx(wanted, abs=1e-6)


def test_the_codec_is_the_formats(rendered: Rendered) -> None:
    """AAC in MPEG-4, Opus in WebM; 48 kHz stereo."""
    assert "Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, stereo" in described(storage.path_of(rendered("mp4").output))
    assert "Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, stereo" in described(storage.path_of(rendered("mov").output))
    assert "Audio: opus, 48000 Hz, stereo" in described(storage.path_of(rendered("webm").output))


def test_a_sound_that_is_not_the_plans_is_refused(rendered: Rendered) -> None:
    """The plan names its sound; an event without one means the same."""
    render = rendered("mp4")
    uris = [f"{render.folder}/chunks/{name}" for name in render.chunk_names]
    before = storage.read(render.output)
    with pytest.raises(RuntimeError, match=r"AudioS3Uri: .* is not the plan's sound") as caught:
        render.assemble(uris, AudioS3Uri=f"{render.folder}/other.m4a")
    assert type(caught.value).__name__ == "InvalidConfigError"
    render.assemble(uris)
    assert storage.read(render.output) == before


def test_a_damaged_sound_is_refused(rendered: Rendered) -> None:
    """Its digest is in the plan."""
    render = rendered("mov")
    uris = [f"{render.folder}/chunks/{name}" for name in render.chunk_names]
    sound = local_path(render.planned["AudioS3Uri"])
    whole = sound.read_bytes()
    sound.write_bytes(whole[:-1] + b"\0")
    with pytest.raises(RuntimeError, match=r"audio\.m4a") as caught:
        render.assemble(uris)
    sound.write_bytes(whole)
    assert type(caught.value).__name__ == "PLAN_ARTIFACT_DIGEST_MISMATCH"
