"""What a page that is not ready waits for, and what its author can do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_handler.errors import PageNotReady

BROKEN_PROMISE = "(waitUntil)"
"""What marks the page's message about a promise that was not kept."""

PAGE_TIMEOUT_VARIABLE = "HYPERFRAMES_PAGE_TIMEOUT"
LIMIT = f"{PAGE_TIMEOUT_VARIABLE} (seconds) sets the limit."


@dataclass(frozen=True)
class Gate:
    """What is waited for, as the end of "the page still waits for"; {} is what the page names. And what to do."""

    waits_for: str
    resolution: str


GATES = {
    "document": Gate(
        "its document: a script or a style sheet is still loading",
        "Close what document.open() opened, and keep scripts that take so long out of the page's head.",
    ),
    "runtime": Gate(
        "the page runtime to be ready; what the page registered for it to wait for: {}",
        "See that what the page registers (a map, an animation) loads from the project's own files, and leave the "
        "runtime's own globals alone.",
    ),
    "timeline": Gate(
        'composition "{}" to register its timeline in window.__timelines',
        "Register the timeline in window.__timelines under the composition's id, or mark the composition "
        "data-no-timeline.",
    ),
    "image": Gate("image {}", "Make the image smaller, or replace it by one that a browser can open."),
    "answer": Gate(
        "the answer to {}", "Put what the page fetches into the project, and end each stream of data that it reads."
    ),
    "tailwind": Gate(
        "tailwind (window.__tailwindReady)",
        "Set window.__tailwindReady to true, or resolve the promise in it, when the styles are there.",
    ),
}
"""Why a page is not ready: the driver's names."""


def not_ready(reasons: Sequence[Mapping[str, str]], limit: float) -> PageNotReady:
    """After `limit` seconds the page still waits for what the driver gave as `reasons`: each a "gate" and a "what"."""
    told = "; ".join(GATES[reason["gate"]].waits_for.format(reason.get("what") or "nothing") for reason in reasons)
    advice = dict.fromkeys(GATES[reason["gate"]].resolution for reason in reasons)
    return PageNotReady(f"After {limit:g} s the page still waits for {told}.", resolution=" ".join((*advice, LIMIT)))


def not_kept(told: str) -> PageNotReady:
    """A listener's promise about a moment was not kept; `told` is what the page says of it."""
    return PageNotReady(
        f"{told}.", resolution=f"Resolve each promise that is given to an hf-seek event's waitUntil. {LIMIT}"
    )
