"""Every medium of a flat page has a name of its own."""

from __future__ import annotations

from lambda_handler.compile.dom import attribute, parse
from lambda_handler.compile.media_ids import assign_media_ids


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


def test_attributes_that_would_keep_media_from_loading_go() -> None:
    """Media are served from where the page is, and are never played."""
    document = parse(
        '<video crossorigin preload="NONE"></video><img crossorigin="anonymous" src="a.png"><audio preload="auto">'
    )
    video, image, audio = assign_media_ids(document)
    assert set(video.attrs) | set(image.attrs) == {"src", "data-hf-render-id"}
    assert attribute(audio, "preload") == "auto"
