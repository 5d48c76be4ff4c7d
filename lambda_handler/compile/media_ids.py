"""Gives each medium of a flat page a name of its own.

An `id` is unique in the file its author wrote, not in the page that all files make together.
"""

from __future__ import annotations

from lambda_handler.compile.dom import Document, Element, attribute, select

RENDER_ID = "data-hf-render-id"


def assign_media_ids(document: Document) -> tuple[Element, ...]:
    """Set `data-hf-render-id` on every video, audio and `img[src]`; those, in document order.

    It is the element's own id, made unique with `__hf2`, `__hf3`, …. One that is already there and
    unique stays. `crossorigin` goes, for media are served from where the page is; so does
    `preload="none"`, for a medium that is never played would never load.
    """
    media = select(document, "video, audio, img[src]")
    taken: set[str] = set()
    unnamed: list[Element] = []
    for element in media:
        element.attrs.pop("crossorigin", None)
        if (attribute(element, "preload") or "").strip().lower() == "none":
            del element.attrs["preload"]
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
