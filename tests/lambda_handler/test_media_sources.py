"""What a media file holds is found out without ffprobe, and what is no media is told as what it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from synthetic_media import counting, made

from lambda_handler import toolchain
from lambda_handler.errors import InvalidVideoMetadata, NotMediaPayload, RenderError, VideoSourceUnrenderable
from lambda_handler.media_sources import MediaSource, VideoTrack, page_facts, probe

TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast"]


def _probed(path: Path) -> MediaSource:
    return probe(toolchain.ffmpeg(), path, path.name)


def _video(path: Path) -> VideoTrack:
    video = _probed(path).video
    assert video is not None
    return video


def test_a_video_with_sound(tmp_path: Path) -> None:
    """Its tracks, their lengths, the time of every picture, and where decoding can begin."""
    source = _probed(made(tmp_path / "a.mp4", *counting(frames=20), *TONE, *X264, "-g", "8", "-bf", "2", "-c:a", "aac"))
    video, audio = source.video, source.audio
    assert video is not None
    assert audio is not None
    assert (video.codec, video.width, video.height, video.rotation, video.alpha) == ("h264", 320, 180, 0, False)
    assert [pts * video.time_base for pts in video.pts] == [Fraction(n, 30) for n in range(20)]
    assert [pts * video.time_base for pts in video.keys] == [0, Fraction(8, 30), Fraction(16, 30)]
    assert video.end * video.time_base == Fraction(20, 30)
    assert (audio.codec, audio.sample_rate, audio.layout) == ("aac", 44100, "mono")
    assert audio.start == pytest.approx(0, abs=0.001)
    assert audio.end == pytest.approx(1, abs=0.03)
    assert source.duration == pytest.approx(1, abs=0.03)


def test_sound_alone(tmp_path: Path) -> None:
    """The picture on a record's sleeve is no video."""
    cover = made(tmp_path / "cover.png", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1")
    song = ["-i", str(cover), *TONE, "-map", "1", "-map", "0", "-c:v", "copy", "-disposition:v", "attached_pic"]
    source = _probed(made(tmp_path / "song.mp3", *song))
    assert source.video is None
    assert source.audio is not None
    assert source.duration == pytest.approx(1, abs=0.06)


def test_a_turned_video_has_the_size_it_is_shown_in(tmp_path: Path) -> None:
    """As a phone held upright writes it."""
    lying = made(tmp_path / "lying.mp4", *counting(frames=5), *X264)
    turned = made(tmp_path / "turned.mp4", "-display_rotation", "90", "-i", str(lying), "-c", "copy")
    video = _video(turned)
    assert (video.width, video.height, video.rotation % 360) == (180, 320, 90)


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    """A browser stretches the width."""
    video = _video(made(tmp_path / "a.mp4", *counting(frames=5, filters="setsar=4/3"), *X264))
    assert (video.width, video.height) == (427, 180)


def test_colors_are_those_of_the_file_or_what_a_browser_takes_them_for(tmp_path: Path) -> None:
    """Small untagged videos are BT.601, large ones BT.709."""
    tagged = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "pc"]
    full = _video(made(tmp_path / "full.mp4", *counting(frames=2), *X264, *tagged))
    small = _video(made(tmp_path / "small.mp4", *counting(frames=2), *X264))
    large = _video(made(tmp_path / "large.mp4", *counting(frames=2, size=(1280, 720)), *X264))
    assert [(each.matrix, each.full_range) for each in (full, small, large)] == [
        ("bt709", True),
        ("smpte170m", False),
        ("bt709", False),
    ]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vp9.webm", ["-vf", "format=yuva420p", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]),
        ("vp8.webm", ["-vf", "format=yuva420p", "-c:v", "libvpx", "-auto-alt-ref", "0", "-deadline", "realtime"]),
        ("prores.mov", ["-vf", "format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"]),
    ],
)
def test_alpha_is_found(tmp_path: Path, name: str, arguments: list[str]) -> None:
    """VP8 and VP9 keep it beside the pictures, ProRes 4444 inside."""
    assert _video(made(tmp_path / name, *counting(frames=3), *arguments)).alpha


def test_the_times_of_a_video_with_a_changing_rate(tmp_path: Path) -> None:
    """Every frame has its own."""
    slowing = "setpts=if(lt(N\\,5)\\,N\\,5+(N-5)*4)/30/TB"
    path = made(tmp_path / "vfr.mp4", *counting(frames=10, filters=slowing), "-fps_mode", "vfr", *X264)
    video = _video(path)
    assert [pts * video.time_base * 30 for pts in video.pts] == [0, 1, 2, 3, 4, 5, 9, 13, 17, 21]


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", NotMediaPayload, "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", NotMediaPayload, "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404</body></html>", NotMediaPayload, "web page"),
        (b'{"error": "no such key"}', NotMediaPayload, "JSON"),
        (b"\0\1\2\3" * 300, VideoSourceUnrenderable, "Invalid data"),
        (b"1\n00:00:00,000 --> 00:00:01,000\nHello\n", VideoSourceUnrenderable, "clip.mp4"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1\nhttp://example.com/a.ts\n", VideoSourceUnrenderable, "clip"),
    ],
)
def test_what_is_no_media_is_told_as_what_it_is(
    tmp_path: Path, content: bytes, error: type[RenderError], says: str
) -> None:
    """The message names the file, and the remedy that fits."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(error, match=says) as caught:
        _probed(path)
    assert "clip.mp4" in str(caught.value)


def test_a_file_without_a_frame_is_refused(tmp_path: Path) -> None:
    """A header alone shows nothing."""
    path = made(tmp_path / "none.mp4", *counting(frames=5), *X264, "-movflags", "frag_keyframe+empty_moov")
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises((InvalidVideoMetadata, VideoSourceUnrenderable), match=r"none\.mp4"):
        _probed(path)


def test_the_page_is_told_lengths_and_sizes(tmp_path: Path) -> None:
    """Sound has no size."""
    facts = page_facts(
        {
            "b.wav": _probed(made(tmp_path / "b.wav", *TONE)),
            "a.mp4": _probed(made(tmp_path / "a.mp4", *counting(frames=30), *X264)),
        }
    )
    assert facts == {"a.mp4": {"duration": 1.0, "width": 320, "height": 180}, "b.wav": {"duration": 1.0}}
