"""Gives each medium of a flat page a name of its own, and keeps it from loading and playing by itself.

An `id` is unique in the file its author wrote, not in the page that all files make together.
"""

from __future__ import annotations

from lambda_handler.compile.dom import Document, Element, Node, attribute, elements, select, template_content

RENDER_ID = "data-hf-render-id"
AUTO_START = "data-hf-auto-start"


def assign_media_ids(document: Document) -> tuple[Element, ...]:
    """Set `data-hf-render-id` on every video, audio and `img[src]`; those, in document order.

    It is the element's own id, made unique with `__hf2`, `__hf3`, …. One that is already there and
    unique stays. `crossorigin` goes, for media are served from where the page is.
    """
    _keep_still(document)
    media = select(document, "video, audio, img[src]")
    taken: set[str] = set()
    unnamed: list[Element] = []
    for element in media:
        element.attrs.pop("crossorigin", None)
        existing = attribute(element, RENDER_ID)
        if existing and existing not in taken:
            taken.add(existing)
        else:
            unnamed.append(element)
    for element in unnamed:
        name = attribute(element, "id")
        render_id = _unique(name, taken) if name else _numbered(element.name, taken)
        taken.add(render_id)
        element.attrs[RENDER_ID] = render_id
    return tuple(media)


def media_sources(document: Document) -> tuple[str, ...]:
    """The URLs of all files that the page's video and audio elements name, each once, in document order."""
    named = [attribute(element, "src") for element in select(document, "video, audio, video source, audio source")]
    return tuple(dict.fromkeys(url for url in named if url))


def _keep_still(node: Node) -> None:
    """No video or audio below `node` loads its file, plays or shows controls: the renderer draws and mixes them.

    One without `data-start` starts with the composition it is in.
    """
    for element in elements(node):
        if element.name in ("video", "audio"):
            element.attrs["preload"] = "none"
            element.attrs.pop("autoplay", None)
            if element.name == "video":
                element.attrs.pop("controls", None)
                # Else the browser lays a button over it.
                element.attrs["disableremoteplayback"] = ""
            if not attribute(element, "data-start"):
                element.attrs |= {"data-start": "0", AUTO_START: ""}
        if element.template_content is not None:
            _keep_still(template_content(element))


def _unique(name: str, taken: set[str]) -> str:
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name}__hf{number}"
    return candidate


def _numbered(tag: str, taken: set[str]) -> str:
    number = 0
    while f"hf-{tag}-{number}" in taken:
        number += 1
    return f"hf-{tag}-{number}"
