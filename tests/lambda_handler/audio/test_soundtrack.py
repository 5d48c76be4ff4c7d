"""The soundtrack of whole compositions: planned with the real page, and listened to."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rendering import GSAP, Project, Render, page
from sounds import click_times, clicks, ffmpeg, heard, level, sine

from lambda_handler.storage import file_uri, local_path

TONE = -15.05
"""Decibels of the test tone, whose peaks are at 0.25."""

Listen = Callable[..., "array[float]"]
Plan = Callable[..., Render]


@pytest.fixture
def planned(roots: Path, project: Project) -> Plan:
    """Plans a composition of `seconds` around `body`; the project holds tone.wav (4 s) and click.wav (0.1 of 0.5 s)."""

    def made(
        body: str, *, seconds: float, script: str = "", files: dict[str, str] | None = None, **config: Any
    ) -> Render:
        timeline = f"<script>window.__timelines = {{}}; const tl = gsap.timeline({{paused: true}}); {script};"
        timeline += " window.__timelines.main = tl;</script>"
        html = page(
            body + (timeline if script else ""),
            head=f'<script src="{GSAP}"></script>',
            duration=str(seconds),
            no_timeline="" if script else "true",
        )
        folder = project(html, **files or {})
        sine(folder / "tone.wav", seconds=4)
        clicks(folder / "click.wav", 0.1, seconds=0.5)
        render = Render(file_uri(folder), file_uri(roots / "render"), {"fps": 30, **config})
        render.plan()
        return render

    return made


@pytest.fixture
def listen(planned: Plan) -> Listen:
    """Plans, and hears the left channel; the right one is the same."""

    def listened(body: str, **given: Any) -> array[float]:
        left, right = heard(local_path(planned(body, **given).planned["AudioS3Uri"]))
        assert max(abs(a - b) for a, b in zip(left, right, strict=True)) < 0.01
        return left

    return listened


def _levels(sound: array[float], *starts: float, length: float = 0.1) -> list[float]:
    return [level(sound, start, start + length) for start in starts]


def _tone(start: float, duration: float = 0.2, **attributes: str) -> str:
    written = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<audio src="tone.wav" data-start="{start}" data-duration="{duration}" {written}></audio>'


def _attribute(value: Any) -> str:
    return json.dumps(value).replace('"', "&quot;")


def _lane(*points: tuple[float, float]) -> str:
    return _attribute({"version": 1, "lanes": [{"target": "volume", "points": [{"t": t, "v": v} for t, v in points]}]})


def _effects(*nodes: dict[str, Any]) -> str:
    return _attribute({"version": 1, "nodes": list(nodes)})


def test_volumes_are_gains_up_to_twelve_decibels(listen: Listen) -> None:
    """Above 1 too, where a browser's own volume ends; what is no number is 1."""
    body = _tone(0) + _tone(0.3, data_volume="0.5") + _tone(0.6, data_volume="2") + _tone(0.9, data_volume="100")
    sound = listen(body + _tone(1.2, data_volume="loud") + _tone(1.5, data_volume="0"), seconds=2)
    wanted = [TONE, TONE - 6.02, TONE + 6.02, TONE + 12, TONE]
    assert _levels(sound, 0.05, 0.35, 0.65, 0.95, 1.25) == pytest.approx(wanted, abs=0.5)
    assert max(_levels(sound, 1.55, 1.8)) < -70


def test_what_is_hidden_or_muted_is_silent(listen: Listen) -> None:
    """By itself, by an element around it, by its group."""
    body = _tone(0, data_hidden="") + _tone(0.3, muted="") + f"<div data-hidden><p>{_tone(0.6)}</p></div>"
    body += _tone(0.9, data_audio_group="gone") + '<hf-audio-group id="gone" data-hidden></hf-audio-group>'
    sound = listen(body + _tone(1.2), seconds=1.5)
    assert max(_levels(sound, 0.05, 0.35, 0.65, 0.95)) < -70
    assert level(sound, 1.25, 1.35) == pytest.approx(TONE, abs=0.2)


def test_lanes_and_fades_shape_the_volume(listen: Listen) -> None:
    """A lane goes before data-volume, and fades are multiplied on it."""
    body = _tone(0, 0.5, data_volume="0.1", data_automation=_lane((0.1, 1), (0.3, 0.25)))
    body += _tone(0.6, 0.4, data_fade_in="0.2", data_fade_out="0.1") + _tone(
        1.1, 0.3, data_volume="0.5", data_fade_out="0.3"
    )
    sound = listen(body, seconds=1.5)
    assert _levels(sound, 0.03, 0.195, 0.4, length=0.01) == pytest.approx([TONE, TONE - 4.08, TONE - 12.04], abs=0.25)
    assert _levels(sound, 0.645, 0.695, 0.845, 0.945, length=0.01) == pytest.approx(
        [TONE - 12.04, TONE - 6.02, TONE, TONE - 6.02], abs=0.3
    )
    assert level(sound, 1.245, 1.255) == pytest.approx(TONE - 12.04, abs=0.3)


def test_timelines_move_volumes(listen: Listen) -> None:
    """From the authored volume, to and from above 1, and in the time of their host; a set changes nothing before it."""
    sub = '<template><div data-composition-id="sub" data-width="320" data-height="180" data-duration="1">'
    sub += '<audio id="c" src="tone.wav" data-start="0" data-duration="0.9"></audio><script>const own = gsap.timeline('
    sub += "{paused: true}); own.to('#c', {volume: 0, duration: 0.8, ease: 'none'}, 0); window.__timelines.sub = own;"
    body = _tone(0, 1, id="a", data_volume="2") + _tone(1.2, 0.8, id="b")
    body += '<div data-composition-id="sub" data-composition-src="sub.html" data-start="2.1"></div>'
    script = "tl.to('#a', {volume: 0.5, duration: 0.6, ease: 'none'}, 0.2); tl.set('#b', {volume: 2}, 1.6)"
    files = {"sub.html": f"{sub}</script></div></template>"}
    sound = listen(body, script=script, seconds=3, files=files)
    wanted = [TONE + 6.02, TONE + 6.02, TONE + 1.94, TONE - 6.02]
    assert _levels(sound, 0.05, 0.18, 0.495, 0.85, length=0.01) == pytest.approx(wanted, abs=0.3)
    assert _levels(sound, 1.25, 1.45, 1.65) == pytest.approx([TONE, TONE, TONE + 6.02], abs=0.3)
    assert _levels(sound, 2.295, 2.495, length=0.01) == pytest.approx([TONE - 2.5, TONE - 6.02], abs=0.3)
    assert level(sound, 2.92, 2.98) < -70


def test_groups_and_the_whole_have_gains_and_effects_of_their_own(listen: Listen) -> None:
    """On the sum of what is in them, whose own gains and effects stay; a group's lane counts from the beginning."""
    quieter = _effects({"type": "gain", "params": {"gain": -6}})
    body = f'<hf-audio-group id="quiet" data-volume="0.5" data-fx-chain="{quieter}"></hf-audio-group>'
    body += f'<hf-audio-group id="drawn" data-automation="{_lane((1, 1), (1, 0.25))}"></hf-audio-group>'
    body += _tone(0, 0.5, data_audio_group="quiet") + _tone(0.2, 0.3, data_audio_group="quiet", data_volume="2")
    body += _tone(0.6, data_audio_group="nowhere") + _tone(0.9, 0.5, data_audio_group="drawn")
    body += _tone(1.5, data_fx_chain=quieter)
    body += f"""<script>root.dataset.fxChain = '{quieter.replace("&quot;", '"')}'</script>"""
    whole = TONE - 6
    wanted = [whole - 12.02, whole - 12.02 + 9.54, whole, whole - 12.04, whole - 6]
    assert _levels(listen(body, seconds=2), 0.05, 0.3, 0.65, 1.2, 1.55) == pytest.approx(wanted, abs=0.3)


def test_clips_stand_where_references_hosts_and_rates_put_them(listen: Listen) -> None:
    """To the millisecond: nested compositions, one mounted twice, a start after another clip, a media start, an end."""
    inner = '<template><div data-composition-id="inner" data-width="320" data-height="180" data-duration="0.5">'
    inner += '<audio src="click.wav" data-start="0.1"></audio></div></template>'
    outer = '<template><div data-composition-id="outer" data-width="320" data-height="180" data-duration="1">'
    outer += (
        '<div data-composition-id="inner" data-composition-src="inner.html" data-start="0.3"></div></div></template>'
    )
    body = '<audio id="first" src="click.wav" data-start="0.05"></audio>'
    body += '<audio src="click.wav" data-start="first + 0.2" data-media-start="0.05" data-end="1"></audio>'
    body += '<div data-composition-id="outer" data-composition-src="outer.html" data-start="1"></div>'
    body += '<div data-composition-id="inner" data-composition-src="inner.html" data-start="2.5"></div>'
    body += '<audio src="click.wav" data-start="3.2" data-duration="0.05"></audio>'
    # The reference plays a loop once.
    body += '<audio src="click.wav" loop data-start="3.2" data-duration="1.2"></audio>'
    sound = listen(body, seconds=5, files={"inner.html": inner, "outer.html": outer})
    assert click_times(sound) == pytest.approx([0.15, 0.8, 1.5, 2.7, 3.3, 3.8, 4.3], abs=0.001)


def test_sounds_that_scripts_make_are_heard(listen: Listen) -> None:
    """At the start they are given, whether they have an id or share one."""
    made = "<script>for (const start of [0.2, 0.6]) { const made = document.createElement('audio'); made.id = 'made';"
    made += "made.setAttribute('src', 'click.wav'); made.setAttribute('data-start', start); root.append(made); }"
    assert click_times(listen(f"{made}</script>", seconds=1.2)) == pytest.approx([0.3, 0.7], abs=0.001)


def test_nothing_heard_is_no_sound(planned: Plan) -> None:
    """A composition without audio, and one that is silent on purpose."""
    assert planned("<p>Silence</p>", seconds=0.5).planned["HasAudio"] is False
    silent = planned(_tone(0, muted=""), seconds=0.5).planned
    assert (silent["HasAudio"], silent["AudioS3Uri"]) == (False, None)


def test_the_same_project_gives_the_same_bytes_and_chunks_do_not_get_them(planned: Plan) -> None:
    """The sound is named by its digest, is part of the plan's hash, and is for the assembler only."""
    body = _tone(0, data_fx_chain=_effects({"type": "reverb"}), data_automation=_lane((0, 1), (1, 0)))
    first = planned(body, seconds=0.5)
    again = Render(first.project, f"{first.folder}-again", {**first.config, "chunkSize": 7})
    again.plan()
    assert first.manifest.audio is not None
    assert first.manifest.audio == again.manifest.audio
    assert first.planned["PlanHash"] == again.planned["PlanHash"]
    assert first.manifest.audio.sha256 not in {artifact.sha256 for artifact in first.manifest.artifacts}
    assert first.planned["AudioS3Uri"].endswith(first.manifest.audio.sha256)
    quieter = planned(body.replace("tone.wav", "click.wav"), seconds=0.5)
    assert quieter.planned["PlanHash"] != first.planned["PlanHash"]


@pytest.mark.parametrize(
    ("attribute", "code", "told"),
    [
        (f'data-fx-chain="{_effects({"type": "vocoder"})}"', "FEATURE_NOT_SUPPORTED", "vocoder"),
        ('data-automation="{}"', "COMPOSITION_INVALID", "data-automation"),
    ],
)
def test_what_cannot_be_mixed_is_refused_by_name(planned: Plan, attribute: str, code: str, told: str) -> None:
    """Left out, it would be missing from the sound and nobody would know."""
    with pytest.raises(RuntimeError, match=told) as caught:
        planned(f'<audio id="bed" src="tone.wav" {attribute}></audio>', seconds=0.5)
    assert type(caught.value).__name__ == code
    assert '<audio id="bed">' in str(caught.value)


def test_a_file_that_is_no_sound_fails_the_plan_unless_told_to_do_its_best(planned: Plan) -> None:
    """Named by its file, and with best effort in the warnings by its element; the others are heard."""
    body = _tone(0) + '<audio id="bad" src="bad.mp3" data-start="0"></audio>'
    page_instead = {"bad.mp3": "<!doctype html><title>404</title>"}
    with pytest.raises(RuntimeError, match=r"bad\.mp3") as caught:
        planned(body, seconds=0.5, files=page_instead)
    assert type(caught.value).__name__ == "NOT_MEDIA_PAYLOAD"
    render = planned(body, seconds=0.5, files=page_instead, strictness="best-effort")
    (warning,) = render.manifest.warnings
    assert '<audio id="bad"> is not heard: bad.mp3 is a web page' in warning
    assert level(heard(local_path(render.planned["AudioS3Uri"]))[0], 0.05, 0.15) == pytest.approx(TONE, abs=0.2)


def test_videos_are_heard_unless_they_say_otherwise(listen: Listen, planned: Plan, tmp_path: Path) -> None:
    """At their own clip's time, rate and loop; muted ones, those without sound and a GIF's project are not."""
    film = ["-f", "lavfi", "-i", "color=size=32x32:rate=30:duration=0.5"]
    clicks(tmp_path / "click.wav", 0.1, seconds=0.5)
    (tmp_path / "project").mkdir()
    ffmpeg(*film, "-i", str(tmp_path / "click.wav"), "-c:a", "aac", str(tmp_path / "project" / "film.mp4"))
    ffmpeg(*film, str(tmp_path / "project" / "silent.mp4"))
    body = '<video src="film.mp4" data-start="0.2" data-duration="1.2" loop></video>'
    body += '<video src="film.mp4" data-start="1.5" data-media-start="0.05"></video><video src="silent.mp4"></video>'
    body += '<video src="film.mp4" data-start="0.01" muted></video>'
    body += '<video src="film.mp4" data-start="0.02" data-has-audio="false"></video>'
    assert click_times(listen(body, seconds=2)) == pytest.approx([0.3, 0.8, 1.3, 1.55], abs=0.001)
    gif = planned(body, seconds=2, format="gif")
    assert (gif.planned["HasAudio"], gif.planned["AudioS3Uri"]) == (False, None)
    assert "gif has no sound; 2 audible clips" in " ".join(gif.manifest.warnings)
