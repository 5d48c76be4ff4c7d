"""Every medium of a flat page has a name of its own."""

from __future__ import annotations

from lambda_handler.compile.dom import attribute, parse, serialise
from lambda_handler.compile.media_ids import assign_media_ids, media_sources


def _ids(html: str) -> list[str | None]:
    return [attribute(element, "data-hf-render-id") for element in assign_media_ids(parse(html))]


def test_a_medium_is_named_by_its_id_made_unique() -> None:
    """Two files may both have used an id; the first in the document keeps it."""
    html = '<video id="clip"></video><audio id="clip"></audio><img id="clip" src="a.png"><video id="other">'
    assert _ids(html) == ["clip", "clip__hf2", "clip__hf3", "other"]


def test_a_medium_without_an_id_is_numbered() -> None:
    """By its kind; an image without a source is none."""
    html = '<video></video><video id="hf-video-1"></video><video></video><audio></audio><img><img src="a.png">'
    assert _ids(html) == ["hf-video-0", "hf-video-1", "hf-video-2", "hf-audio-0", "hf-img-0"]


def test_names_stay_when_the_page_is_compiled_again() -> None:
    """Unless two elements have the same."""
    document = parse('<video id="a"></video><video id="a"></video>')
    first = [attribute(element, "data-hf-render-id") for element in assign_media_ids(document)]
    second = [attribute(element, "data-hf-render-id") for element in assign_media_ids(document)]
    assert first == second == ["a", "a__hf2"]
    assert _ids('<video data-hf-render-id="x"></video><video data-hf-render-id="x" id="y"></video>') == [
        "x",
        "y",
    ]


def test_no_medium_loads_or_plays_by_itself() -> None:
    """The renderer draws and mixes them; an image loads as ever."""
    document = parse(
        '<video crossorigin autoplay controls src="v.mp4" data-start="1"></video>'
        '<img crossorigin="anonymous" src="a.png"><audio preload="auto" src="a.mp3" data-start="2"></audio>'
    )
    video, image, audio = assign_media_ids(document)
    still = {"preload": "none", "disableremoteplayback": ""}
    assert video.attrs == {"src": "v.mp4", "data-start": "1", "data-hf-render-id": "hf-video-0", **still}
    assert set(image.attrs) == {"src", "data-hf-render-id"}
    assert attribute(audio, "preload") == "none"


def test_a_medium_without_a_start_starts_with_its_composition() -> None:
    """The runtime shows only what has a start, and reads the mark; templates are mounted by scripts as they are."""
    document = parse('<video src="a.mp4"></video><template><video src="b.mp4" autoplay></video></template>')
    (video,) = assign_media_ids(document)
    assert (attribute(video, "data-start"), attribute(video, "data-hf-auto-start")) == ("0", "")
    assert '<video src="b.mp4" preload="none" disableremoteplayback data-start="0" data-hf-auto-start' in serialise(
        document
    )


def test_media_sources_are_those_of_elements_and_their_children() -> None:
    """Each once, in order; pictures are none."""
    html = '<video><source src="b.webm"><source src="a.mp4"></video><audio src="c.mp3"></audio><audio src="a.mp4">'
    assert media_sources(parse(f'{html}</audio><img src="d.png">')) == ("b.webm", "a.mp4", "c.mp3")
