"""The composition contract in pixels: mounted compositions, times and visibility, variables."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from rendering import GSAP, page
from showing import Colour, Shows

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
WHITE = (255, 255, 255)
Seen = tuple[float, int, int, Colour]


def _box(attributes: str, colour: str, left: int = 0, top: int = 0, inside: str = "") -> str:
    style = f"position:absolute;left:{left}px;top:{top}px;width:40px;height:40px;background:{colour}"
    return f'<div {attributes} style="{style}">{inside}</div>'


def _host(name: str, source: str, left: int = 0, attributes: str = 'data-start="0"') -> str:
    identity = f'data-composition-id="{name}"' if name else ""
    return (
        f'<div {identity} data-composition-src="{source}" {attributes} '
        f'style="position:absolute;left:{left}px;top:0;width:100px;height:100px"></div>'
    )


def _timed(composition: str, inside: str, script: str = "", attributes: str = "") -> str:
    """A mounted file whose timeline is made by `script`, which may use `tl`."""
    made = f"const tl = gsap.timeline({{paused: true}}); {script}; window.__timelines['{composition}'] = tl;"
    return (
        f'<template><div data-composition-id="{composition}" data-width="100" data-height="100" {attributes}>'
        f"{inside}<script>{made}</script></div></template>"
    )


@dataclass(frozen=True)
class Case:
    """A page, the other files of its project, values for it, and what is seen: seconds, x, y and the colour there."""

    what: str
    html: str
    seen: tuple[Seen, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)


def _main(body: str, head: str = "", **attributes: str) -> str:
    script = "window.__timelines = {...window.__timelines, main: gsap.timeline({paused: true})}"
    tools = f'<script src="{GSAP}"></script>{head}'
    return page(f"{body}<script>{script}</script>", head=tools, **{"no_timeline": "", **attributes})


GROWING = "tl.fromTo('.b', {opacity: 0}, {opacity: 1, duration: 0.01}, 0.5); tl.set({}, {}, 1)"
CARD_VARIABLES = '[{"id": "tone", "type": "color", "label": "Tone", "default": "#f00"}]'

MOUNTED = (
    Case(
        "the body of a file",
        _main(_host("card", "card.html")),
        ((0.2, 20, 20, RED),),
        {"card.html": f'<html><body><div data-composition-id="card" data-no-timeline>{_box("", "#f00")}</div></body>'},
    ),
    Case(
        "an anonymous host, twice, each with a timeline of its own",
        _main(_host("", "card.html") + _host("", "card.html", 100, 'data-start="0.3"')),
        ((0.4, 20, 20, WHITE), (0.6, 20, 20, RED), (0.7, 120, 20, WHITE), (0.9, 120, 20, RED)),
        {"card.html": _timed("card", _box('class="b"', "#f00"), GROWING)},
    ),
    Case(
        "three levels, each in a folder of its own, with a picture beside the innermost",
        _main(_host("one", "a/one.html")),
        ((0.2, 20, 20, GREEN), (0.2, 60, 20, WHITE)),
        {
            "a/one.html": _timed("one", _host("two", "a/b/two.html")),
            "a/b/two.html": _timed("two", _host("three", "a/b/c/three.html")),
            "a/b/c/three.html": _timed("three", '<img src="../pic.svg" width="40" height="40" style="display:block">'),
            "a/b/pic.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
            '<rect width="9" height="9" fill="#0f0"/></svg>',
        },
    ),
    Case(
        "styles stay inside",
        _main(
            _box('class="b" id="own"', "#f00", 0, 100) + _host("card", "card.html"),
            head="<style>#own { outline: 0 }</style>",
        ),
        ((0.2, 20, 120, RED), (0.2, 20, 20, BLUE), (0.2, 80, 80, GREEN), (0.2, 150, 20, WHITE)),
        {
            "card.html": _timed(
                "card",
                "<style>body { background: #0f0 } :root { --tone: #00f } @media (min-width: 10px) {"
                ".b { background: var(--tone) !important } } .none { .b { display: none } }</style>"
                + _box('class="b"', "#f00"),
            )
        },
    ),
    Case(
        "selectors of the root's id and class, and heights in percent",
        _main(_host("card", "card.html")),
        ((0.2, 50, 95, GREEN), (0.2, 20, 20, BLUE)),
        {
            "card.html": _timed(
                "card",
                "<style>#top { height: 100% } .fill { height: 100%; background: #0f0 }"
                "#top.wide .b { background: #00f !important } [data-composition-id='card'] .b { left: 0 }</style>"
                f'<div class="fill">{_box(chr(99) + "lass=b", "#f00")}</div>',
                attributes='id="top" class="wide"',
            )
        },
    ),
    Case(
        "scripts find what is theirs, modules too",
        _main(_box('id="b"', "#f00", 0, 100) + _host("card", "card.html") + _host("card", "card.html", 100)),
        ((0.2, 20, 120, RED), (0.2, 20, 20, GREEN), (0.2, 120, 20, GREEN), (0.2, 60, 20, BLUE), (0.2, 160, 20, BLUE)),
        {
            "card.html": _timed(
                "card",
                _box('id="b"', "#f00") + _box('id="m"', "#f00", 40)
                + "<script type=module>document.getElementById('m').style.background = '#00f'</script>",
                "tl.set(document.getElementById('b'), {background: '#0f0'}, 0)",
            )
        },
    ),
)  # fmt: skip

TIMES = (
    Case(
        "after another, with an offset, by the composition's id",
        _main(
            _box('id="a" data-start="0.1" data-duration="0.2"', "#f00")
            + _box('data-start="a + 0.1" data-end="0.6"', "#0f0", 50)
            + _box('data-start="a - 0.1" data-duration="0.2"', "#00f", 100)
            + _host("card", "card.html", 150, 'data-start="0" data-duration="0.5"')
            + _box('data-start="card" data-duration="0.3"', "#f00", 250)
        ),
        (
            (0.0, 20, 20, WHITE), (0.1, 20, 20, RED), (0.2, 20, 20, RED), (0.3, 20, 20, WHITE),
            (0.3, 70, 20, WHITE), (0.4, 70, 20, GREEN), (0.6, 70, 20, WHITE),
            (0.1, 120, 20, WHITE), (0.2, 120, 20, BLUE), (0.4, 120, 20, WHITE),
            (0.4, 270, 20, WHITE), (0.5, 270, 20, RED), (0.8, 270, 20, WHITE),
        ),
        {"card.html": _timed("card", "")},
    ),
    Case(
        "a cycle of references is cut: the second comes after a first that began at 0, and the first after the second",
        _main(
            _box('id="a" data-start="b" data-duration="0.2"', "#f00")
            + _box('id="b" data-start="a" data-duration="0.2"', "#0f0", 50)
        ),
        (
            (0.0, 20, 20, WHITE), (0.1, 20, 20, WHITE), (0.3, 20, 20, WHITE), (0.4, 20, 20, RED), (0.5, 20, 20, RED),
            (0.6, 20, 20, WHITE),
            (0.0, 70, 20, WHITE), (0.1, 70, 20, WHITE), (0.2, 70, 20, GREEN), (0.3, 70, 20, GREEN),
            (0.4, 70, 20, WHITE),
        ),
    ),
    Case(
        "what is in a late host begins with it, and ends with it",
        _main(_host("card", "card.html", 0, 'data-start="0.4" data-duration="0.3"')),
        ((0.3, 20, 20, WHITE), (0.4, 20, 20, WHITE), (0.5, 20, 20, RED), (0.6, 20, 20, RED), (0.7, 20, 20, WHITE)),
        {"card.html": _timed("card", _box('data-start="0.1" data-duration="9"', "#f00"))},
    ),
    Case(
        "a host's rate is its timeline's",
        _main(_host("card", "card.html", 0, 'data-start="0" data-playback-rate="2"')),
        ((0.2, 20, 20, WHITE), (0.3, 20, 20, RED)),
        {"card.html": _timed("card", _box('class="b"', "#f00"), GROWING)},
    ),
    Case(
        "a clip in the flow takes no room while it is hidden",
        _main(
            '<div style="position:absolute;inset:0"><div data-start="0.5" style="height:40px;background:#f00"></div>'
            '<div style="height:40px;background:#0f0"></div></div>'
        ),
        ((0.4, 20, 20, GREEN), (0.5, 20, 20, RED), (0.5, 20, 60, GREEN)),
    ),
    Case(
        "data-hidden hides, and a parent hides its children",
        _main(
            _box('data-hidden data-start="0"', "#f00")
            + _box('data-start="0" data-duration="0.5"', "#0f0", 50,
                   inside='<p data-start="0" data-duration="9" style="visibility:visible;margin:0;height:40px;'
                          'background:#00f"></p>')
        ),
        ((0.2, 20, 20, WHITE), (0.2, 70, 20, BLUE), (0.5, 70, 20, WHITE)),
    ),
    Case(
        "a clip without a place or size fills the stage",
        _main('<div data-start="0" style="background:#f00"></div>'),
        ((0.2, 2, 2, RED), (0.2, 317, 177, RED)),
    ),
)  # fmt: skip

DECLARED = (
    '[{"id": "Main Tone", "type": "color", "label": "a", "default": "#f00"},'
    '{"id": "word", "type": "string", "label": "b", "default": "x"},'
    '{"id": "pic", "type": "image", "label": "c", "default": {"url": "red.svg"}},'
    '{"id": "face", "type": "font", "label": "d", "default": {"name": "Inter", "source": "google"}},'
    '{"id": "wide", "type": "number", "label": "e", "default": 40},'
    '{"id": "shown", "type": "boolean", "label": "f", "default": false}]'
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="{}"/></svg>'
PICTURES = {"red.svg": SVG.format("#f00"), "blue.svg": SVG.format("#00f")}
BOUND = _main(
    _box("", "var(--main-tone)")
    + '<img data-var-src="pic" src="red.svg" width="40" height="40" style="position:absolute;left:50px;top:0">'
    '<b data-var-text="word" style="position:absolute;left:100px;top:0;font:40px/40px Inter;color:#0f0;'
    'background:#0f0">x</b>'
    '<i style="position:absolute;left:0;top:100px;height:40px;background:#00f;width:calc(var(--wide) * 1px)"></i>'
    "<script>document.body.style.outline = __hyperframes.getVariables().shown ? '0 solid' : '';"
    "if (__hyperframes.getVariables().shown) document.querySelector('i').style.background = '#0f0'</script>",
    composition_variables=html.escape(DECLARED),
)

VARIABLES = (
    Case(
        "defaults",
        BOUND,
        ((0, 20, 20, RED), (0, 70, 20, RED), (0, 105, 20, GREEN), (0, 150, 20, WHITE), (0, 20, 120, BLUE),
         (0, 60, 120, WHITE)),
        PICTURES,
    ),
    Case(
        "values of the request",
        BOUND,
        ((0, 20, 20, BLUE), (0, 70, 20, BLUE), (0, 150, 20, GREEN), (0, 60, 120, GREEN)),
        PICTURES,
        {"Main Tone": "#00f", "pic": {"url": "blue.svg"}, "word": "xxxxxxxx", "wide": 80, "shown": True},
    ),
    Case(
        "each instance has its own, and the request's win",
        _main(
            _host("card", "card.html")
            + _host("card", "card.html", 100, """data-start="0" data-variable-values='{"tone": "#0f0"}'""")
        ),
        ((0, 20, 20, RED), (0, 120, 20, GREEN), (0, 60, 20, RED), (0, 160, 20, GREEN)),
        {
            "card.html": _timed(
                "card",
                _box("", "var(--tone)") + _box('class="b"', "#fff", 40),
                "document.querySelector('.b').style.background = __hyperframes.getVariables().tone",
                f"data-composition-variables='{CARD_VARIABLES}'",
            )
        },
    ),
)  # fmt: skip


def _look(shows: Shows, case: Case) -> None:
    with shows(case.html, case.files, case.variables) as shown:
        moments: dict[float, list[tuple[int, int]]] = {}
        for moment, x, y, _ in case.seen:
            moments.setdefault(moment, []).append((x, y))
        found = {
            (moment, *place): colour
            for moment, places in sorted(moments.items())
            for place, colour in zip(places, shown.colours(moment, *places), strict=True)
        }
        assert found == {(moment, x, y): colour for moment, x, y, colour in case.seen}


@pytest.mark.parametrize("case", MOUNTED, ids=lambda case: case.what)
def test_a_mounted_composition_is_drawn_as_its_author_drew_it(shows: Shows, case: Case) -> None:
    """Wherever it comes from, however often, and whatever is around it."""
    _look(shows, case)


@pytest.mark.parametrize("case", TIMES, ids=lambda case: case.what)
def test_a_clip_shows_in_its_time(shows: Shows, case: Case) -> None:
    """From its start on, and no longer at its end."""
    _look(shows, case)


@pytest.mark.parametrize("case", VARIABLES, ids=lambda case: case.what)
def test_variables_reach_the_picture(shows: Shows, case: Case) -> None:
    """Texts, pictures, custom properties and what scripts read."""
    _look(shows, case)
