"""Every format, planned, rendered in three chunks, assembled, and decoded again."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from rendering import MOVING, Render, alpha_pixels, described, page, pixels

from lambda_handler import toolchain
from lambda_handler.media import video_stream
from lambda_handler.storage import ROOTS_VARIABLE, file_uri, local_path

PATCHES = {
    (20, 20): ("#ff0000", (255, 0, 0, 255)),
    (120, 20): ("rgba(0, 128, 255, 0.5)", (0, 128, 255, 128)),
    (220, 20): ("rgba(10, 200, 30, 0.25)", (10, 200, 30, 64)),
}
FIELDS = "".join(
    f'<div style="position:absolute;left:{x}px;top:{y}px;width:80px;height:40px;background:{colour}"></div>'
    for (x, y), (colour, _) in PATCHES.items()
)
FRAMES = 12
CONFIGS: dict[str, dict[str, object]] = {
    "h265": {"codec": "h265"},
    "mov": {"format": "mov"},
    "webm": {"format": "webm"},
    "png-sequence": {"format": "png-sequence"},
    "gif": {"format": "gif"},
}
TRANSPARENT = ("mov", "webm", "png-sequence")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Render]]:
    """A project, and the renders that were made of it."""
    place = tmp_path_factory.mktemp("formats")
    (place / "project").mkdir()
    (place / "project" / "index.html").write_text(page(FIELDS + MOVING, duration="0.4"))
    return place, {}


@pytest.fixture
def renders(made: tuple[Path, dict[str, Render]], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Render]:
    """The render of a format, made when it is first asked for: 12 frames in three chunks."""
    place, finished = made
    monkeypatch.setenv(ROOTS_VARIABLE, str(place))

    def render(name: str) -> Render:
        if name not in finished:
            config = {"fps": 30, "chunkSize": 4, **CONFIGS[name]}
            finished[name] = Render(file_uri(place / "project"), file_uri(place / name), config)
            finished[name].whole()
        return finished[name]

    return render


def _output(render: Render) -> Path:
    return local_path(render.output)


def _at(frame: bytes, x: int, y: int, width: int = 320) -> tuple[int, ...]:
    return tuple(frame[(y * width + x) * 4 :][:4])


def _apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _over_white(colour: tuple[int, ...]) -> tuple[int, ...]:
    *rgb, alpha = colour
    return (*(round((level * alpha + 255 * (255 - alpha)) / 255) for level in rgb), 255)


def _left_edge(frame: bytes) -> int:
    """Where the moving box, which is red, begins in row 100."""
    return next(x for x in range(320) if _apart(_at(frame, x, 100), (0xEE, 0x33, 0x33, 255)) < 60)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_frame_is_there_once_and_shows_its_own_moment(renders: Callable[[str], Render], name: str) -> None:
    """Across both seams: the box stands 200 px further each second."""
    frames = alpha_pixels(_output(renders(name)))
    assert len(frames) == FRAMES
    for index, frame in enumerate(frames):
        assert abs(_left_edge(frame) - round(index / 30 * 200)) <= 1, f"frame {index}"


@pytest.mark.parametrize("name", TRANSPARENT)
def test_alpha_is_what_the_page_says_and_colour_is_not_multiplied(renders: Callable[[str], Render], name: str) -> None:
    """Opaque, half, a quarter, nothing; nothing is left of the stage's white."""
    tolerance = 0 if name == "png-sequence" else 2
    for frame in alpha_pixels(_output(renders(name))):
        for (x, y), (_, wanted) in PATCHES.items():
            found = _at(frame, x + 40, y + 20)
            # A colour behind alpha a is known to 255/a of its 255 levels only: Chromium keeps it multiplied.
            assert abs(found[3] - wanted[3]) <= max(1, tolerance), f"{wanted} became {found}"
            assert _apart(found[:3], wanted[:3]) <= tolerance + -(-255 // (2 * wanted[3])), f"{wanted} became {found}"
        assert _at(frame, 5, 5)[3] <= tolerance / 2
        assert _at(frame, 315, 175)[3] <= tolerance / 2


@pytest.mark.parametrize("name", ["h265", "gif"])
def test_an_opaque_format_shows_the_stage(renders: Callable[[str], Render], name: str) -> None:
    """Colours over its white, within what the format can hold."""
    for frame in alpha_pixels(_output(renders(name))):
        for (x, y), (_, wanted) in PATCHES.items():
            assert _apart(_at(frame, x + 40, y + 20), _over_white(wanted)) <= 3
        assert _apart(_at(frame, 5, 5), (255, 255, 255, 255)) <= 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("h265", ["hevc (Main) (hvc1", "yuv420p(tv, bt709", "320x180", " 30 fps", " 90k tbn"]),
        ("mov", ["prores (4444) (ap4h", "yuva444p", "bt709", "320x180", " 30 fps"]),
        ("webm", ["vp9 (Profile 0)", "tv, bt709", "320x180", " 30 fps", "ALPHA_MODE      : 1"]),
        ("gif", ["gif, bgra", "320x180"]),
    ],
)
def test_a_video_says_what_it_is(renders: Callable[[str], Render], name: str, told: list[str]) -> None:
    """Codec, tag, pixels and colours, as players look for them."""
    found = described(_output(renders(name)))
    assert all(each in found for each in told), found


@pytest.mark.parametrize("name", ["h265", "mov", "webm"])
def test_each_chunk_begins_with_its_only_key_frame(renders: Callable[[str], Render], name: str) -> None:
    """So chunks join by stream copy; ProRes has key frames only."""
    stream = video_stream(toolchain.ffmpeg(), _output(renders(name)), decode=True)
    assert stream.keeps_rate(Fraction(30))
    keys = [packet.key for packet in stream.packets]
    assert keys == [True] * FRAMES if name == "mov" else keys == [True, False, False, False] * 3


def test_a_png_sequence_counts_from_one_through_all_chunks(renders: Callable[[str], Render]) -> None:
    """In chunks too: frame_000005.png is the first of the second."""
    render = renders("png-sequence")
    with tarfile.open(_output(render)) as tar:
        assert tar.getnames() == [f"frame_{number:06d}.png" for number in range(1, FRAMES + 1)]
    chunk = local_path(f"{render.folder}/chunks/{render.chunk_names[1]}")
    with tarfile.open(chunk) as tar:
        assert tar.getnames()[0] == "frame_000005.png"


@pytest.mark.parametrize("name", CONFIGS)
def test_chunks_are_named_for_what_they_are(renders: Callable[[str], Render], name: str) -> None:
    """A GIF's are lossless H.264: the palette is the whole video's."""
    suffix = {"h265": ".mp4", "mov": ".mov", "webm": ".webm", "png-sequence": ".tar.gz", "gif": ".mp4"}[name]
    assert all(chunk.endswith(suffix) for chunk in renders(name).chunk_names)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_request_gives_the_same_bytes(renders: Callable[[str], Render], name: str) -> None:
    """A lost chunk is rendered to the bytes it had, and so is the video."""
    render = renders(name)
    video = _output(render).read_bytes()
    chunk = local_path(f"{render.folder}/chunks/{render.chunk_names[1]}")
    before = chunk.read_bytes()
    chunk.unlink()
    assert render.chunk(1)["FramesCaptured"] == 4
    assert chunk.read_bytes() == before
    render.assemble([f"{render.folder}/chunks/{each}" for each in render.chunk_names])
    assert _output(render).read_bytes() == video


CHECKER = (
    '<div style="position:absolute;inset:0;'
    "background:conic-gradient(#000 25%, #fff 0 50%, #000 0 75%, #fff 0) 0 0 / 2px 2px"
    '"></div>'
)


def test_a_page_is_drawn_at_twice_its_size(render: Callable[..., Render]) -> None:
    """Every px of a 1 px checker is 2 x 2 device pixels of the same colour, none of them grey."""
    html = page(CHECKER, width="960", height="540", duration="0.1").replace("width:320px;height:180px", "inset:0")
    made = render(html, format="png-sequence", outputResolution="1080p")
    planned = made.plan()
    assert (planned["Width"], planned["Height"]) == (1920, 1080)
    assert (made.manifest.capture.width, made.manifest.capture.scale) == (960, 2)
    made.assemble(made.chunks())
    frame = alpha_pixels(local_path(made.output), 1920, 1080)[-1]
    for y in (0, 1, 2, 3, 700, 1079):
        row = frame[y * 1920 * 4 :][: 1920 * 4]
        expected = [0 if (x // 2 + y // 2) % 2 else 255 for x in range(1920)]
        first = row[0]
        assert [row[4 * x] for x in range(1920)] == ([level ^ expected[0] ^ first for level in expected])
        assert first in (0, 255)


def test_an_odd_size_is_for_formats_that_have_it(render: Callable[..., Render]) -> None:
    """mp4 refuses it while planning and says what to do; webm keeps it to the pixel."""
    html = page(width="161", height="91", duration="0.1")
    with pytest.raises(
        RuntimeError, match=r"(?s)even sizes only, and data-width is 161.*Set data-width to 162"
    ) as caught:
        render(html).plan()
    assert type(caught.value).__name__ == "COMPOSITION_INVALID"
    made = render(html, folder="odd", format="webm")
    made.whole()
    assert len(alpha_pixels(local_path(made.output), 161, 91)) == 3


@pytest.mark.parametrize("name", ["mov", "gif"])
def test_other_formats_keep_an_odd_size_too(render: Callable[..., Render], name: str) -> None:
    """To the pixel."""
    made = render(page(width="161", height="91", duration="0.1"), format=name)
    made.whole()
    assert len(pixels(local_path(made.output), 161, 91)) == 3


@pytest.mark.parametrize(
    ("config", "attributes", "told"),
    [
        ({"outputResolution": "portrait"}, {}, "outputResolution: portrait is 1080 x 1920 px.*aspect-mismatch"),
        ({"outputResolution": "1080p"}, {"width": "3840", "height": "2160"}, "outputResolution: .*downsampling"),
        ({"outputResolution": "1080p"}, {"width": "1280", "height": "720"}, "outputResolution: .*non-integer-scale"),
        ({"format": "gif"}, {"fps": "60"}, "fps: format gif shows at most 50"),
    ],
)
def test_what_the_composition_contradicts_is_refused_while_planning(
    render: Callable[..., Render], config: dict[str, str], attributes: dict[str, str], told: str
) -> None:
    """Before a browser is started; the field is named."""
    with pytest.raises(RuntimeError, match=told) as caught:
        render(page(**attributes), **config).plan()
    assert type(caught.value).__name__ == "InvalidConfigError"


def test_a_plan_may_be_limited_in_size(render: Callable[..., Render]) -> None:
    """Refused before anything is stored."""
    with pytest.raises(RuntimeError, match="planDirSizeLimitBytes is 1000") as caught:
        render(planDirSizeLimitBytes=1000).plan()
    assert type(caught.value).__name__ == "PLAN_TOO_LARGE"


def test_an_event_for_another_format_is_refused(renders: Callable[[str], Render]) -> None:
    """The plan decides; an engine that says otherwise has mixed up two renders."""
    render = renders("webm")
    with pytest.raises(RuntimeError, match="the event says mp4, and the plan is for webm") as caught:
        render.chunk(0, Format="mp4")
    assert type(caught.value).__name__ == "InvalidConfigError"


def test_constant_frame_rate_is_refused_where_times_are_rounded(renders: Callable[[str], Render]) -> None:
    """While assembling too: the reference sends it only then."""
    render = renders("webm")
    with pytest.raises(RuntimeError, match="Cfr: format webm") as caught:
        render.assemble([], ChunkS3Uris=None, Cfr=True)
    assert type(caught.value).__name__ == "InvalidConfigError"


def test_a_webm_that_does_not_tell_of_its_alpha_is_not_published(
    renders: Callable[[str], Render], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pictures would be those of the chunks, and players would show them opaque."""
    render = renders("webm")
    monkeypatch.setattr("lambda_handler.encode.ALPHA_MODE", "comment=none")
    with pytest.raises(RuntimeError, match="does not say that it has alpha") as caught:
        render.assemble([], ChunkS3Uris=None, OutputS3Uri=f"{render.folder}/other.webm")
    assert type(caught.value).__name__ == "OUTPUT_INVALID"
    assert not local_path(f"{render.folder}/other.webm").exists()
