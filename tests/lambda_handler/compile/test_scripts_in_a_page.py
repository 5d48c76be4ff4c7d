"""What mounted scripts see and do, in a real browser with the real GSAP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambda_handler.browser import launched
from lambda_handler.compile.dom import parse, serialise
from lambda_handler.compile.script_scope import FAILURE_LABEL
from lambda_handler.compile.subcompositions import flatten
from lambda_handler.compile.variable_page import apply_variables
from lambda_handler.devtools import Devtools
from lambda_handler.page import tab
from lambda_handler.page.tab import Answer
from lambda_handler.toolchain import chromium, node_modules

PAGE = """<!doctype html><html><head><script>{gsap}</script></head><body>
<div data-composition-id="main" data-width="640" data-height="360"><p class="title">outside</p>{hosts}</div>
<script>window.__timelines = {{main: gsap.timeline({{paused: true}})}};</script></body></html>"""

HOST = '<div data-composition-id="card" data-composition-src="card.html" data-start="0"></div>'

CARD = """<template><div id="card-root" data-composition-id="card">
<p class="title" id="heading">card</p><script>{script}</script></div></template>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Devtools]:
    with launched(chromium(), 640, 360) as started:
        yield started


@dataclass
class Opened:
    """A flattened page after its scripts have run."""

    browser: Devtools
    errors: list[str] = field(default_factory=list)

    def run(self, script: str, asked: str, hosts: str = HOST, head: str = "", card: str = CARD) -> Any:
        """What `asked` gives on a page that mounts a card with `script`."""
        gsap = (node_modules() / "gsap/dist/gsap.min.js").read_text("utf-8")
        files = {"card.html": card.replace("{script}", script)}
        flat = flatten(parse(PAGE.format(gsap=gsap, hosts=hosts) + head), files.get)
        apply_variables(flat.document, flat.scopes, {})
        with tab.opened(self.browser) as page:
            page.said = lambda kind, text: self.errors.append(text) if kind == "error" else None
            page.thrown = lambda error: self.errors.append(error.message)
            page.answer = lambda _: Answer(serialise(flat.document).encode(), "text/html; charset=utf-8")
            page.open("https://page.test/")
            return page.evaluate(asked)


@pytest.fixture
def opened(browser: Devtools) -> Opened:
    return Opened(browser)


def test_queries_find_only_what_is_mounted(opened: Opened) -> None:
    """The page's own .title is not the card's business."""
    found = opened.run(
        """const all = document.querySelectorAll('.title');
        window.found = [document.querySelector('.title').textContent, all.length, all.item(0).id,
            document.getElementById('heading').textContent, document.getElementsByClassName('title').length,
            window.document.querySelectorAll('.title').length]""",
        "found",
    )
    assert found == ["card", 1, "heading", "card", 1, 1]
    assert opened.errors == []


def test_methods_that_others_replaced_still_work(opened: Opened) -> None:
    """Whatever stands in for a method of the document is given the real document."""
    script = """const native = Document.prototype.createElement;
        Document.prototype.createElement = function (...names) { return native.apply(this, names) };
        window.found = document.createElement('i').localName"""
    assert opened.run(script, "found") == "i"
    assert opened.errors == []


def test_a_script_finds_its_own_root_by_its_id_and_its_composition_id(opened: Opened) -> None:
    """Both were rewritten when the card was mounted twice."""
    script = """(window.found ||= []).push([
        document.getElementById('card-root').dataset.hfInnerRoot,
        document.querySelector('#card-root > .title').textContent,
        document.querySelector('[data-composition-id="card"][data-start="7"] .title').textContent,
        document.querySelector('[title="#card-root"]'),
        document.querySelector('body').dataset.hfInnerRoot,
        document.querySelector('[data-composition-id="card"]').dataset.compositionId])"""
    assert opened.run(script, "found", hosts=HOST * 2) == [
        ["true", "card", "card", None, "true", "card__hf1"],
        ["true", "card", "card", None, "true", "card__hf2"],
    ]
    assert opened.errors == []


def test_each_instance_registers_and_animates_its_own_timeline(opened: Opened) -> None:
    """Two mounts of one file: two timelines under two ids, each moving its own elements."""
    script = """window.__timelines = window.__timelines || {};
        const tl = gsap.timeline({paused: true});
        tl.to('.title', {x: 100, duration: 1}).to(['#heading'], {y: 10});
        window.__timelines['card'] = tl;
        window.same = (window.same ?? true) && window.__timelines.card === tl;"""
    result = opened.run(
        script,
        """() => {
            const {main, card__hf1, card__hf2} = window.__timelines;
            card__hf2.progress(1);
            const moved = [...document.querySelectorAll('.title')].map((node) => gsap.getProperty(node, 'x'));
            return [moved, card__hf1 !== card__hf2, !!main, window.same];
        }""",
        hosts=HOST * 2,
    )
    assert result == [[0, 0, 100], True, True, True]
    assert opened.errors == []


def test_an_instance_does_not_see_the_timeline_of_another(opened: Opened) -> None:
    """A script that registers once only must run for each instance."""
    script = "window.__timelines ||= {}; if (!window.__timelines.card) window.__timelines.card = gsap.timeline();"
    ids = opened.run(script, "Object.keys(window.__timelines).sort()", hosts=HOST * 2)
    assert {"card__hf1", "card__hf2"} <= set(ids)


def test_the_registry_is_the_same_by_every_name(opened: Opened) -> None:
    """Bare, through self and through globalThis."""
    script = "__timelines.card = 1; window.seen = [self.__timelines.card, globalThis.__timelines.card]"
    result = opened.run(script, "[seen, window.__timelines.card__hf1]", hosts=HOST * 2)
    assert result == [[1, 1], 1]


def test_gsap_helpers_look_inside_the_composition(opened: Opened) -> None:
    """Direct tweens, toArray and selector, and their string targets."""
    script = """gsap.set('.title', {x: 5});
        gsap.set('body', {opacity: 0.5});
        window.counts = [gsap.utils.toArray('.title').length,
            gsap.utils.selector('#card-root')('.title').length,
            gsap.utils.clamp(0, 1, 3), window.gsap.getProperty('.title', 'x')]"""
    result = opened.run(
        script,
        """[counts, gsap.getProperty(document.querySelector('.title'), 'x'),
            getComputedStyle(document.body).opacity]""",
    )
    assert result == [[1, 1, 1, 5], 0, "1"]
    assert opened.errors == []


def test_window_methods_keep_working_and_classes_keep_their_statics(opened: Opened) -> None:
    """Native methods refuse a foreign this; bind would drop the static members of a class."""
    script = """window.Texts = class { static all = 3 };
        window.addEventListener('x', () => { window.heard = true }); window.dispatchEvent(new Event('x'));
        document.title = 'set';
        window.results = [window.Texts.all, window.heard, window.getComputedStyle(document.body).display,
            document.createElement('b').tagName, document.title, window.window === self]"""
    assert opened.run(script, "results") == [3, True, "block", "B", "set", True]
    assert opened.errors == []


def test_a_script_may_declare_the_shadowed_names_itself(opened: Opened) -> None:
    """`const gsap = window.gsap` is common, and legal in a script of its own."""
    script = "const gsap = window.gsap; const __timelines = {}; window.done = typeof gsap.to"
    assert opened.run(script, "done") == "function"
    assert opened.errors == []


def test_an_exception_is_logged_with_the_composition_and_stops_nothing_else(opened: Opened) -> None:
    """The second instance and later scripts still run."""
    script = "window.runs = (window.runs || 0) + 1; throw new Error('broken heading')"
    assert opened.run(script, "runs", hosts=HOST * 2) == 2
    assert [error.startswith(f"{FAILURE_LABEL} card__hf") for error in opened.errors] == [True, True]
    assert "broken heading" in opened.errors[0]


def test_variables_of_an_instance_are_its_own(opened: Opened) -> None:
    """Declared defaults under the host's values, per instance."""
    declared = """data-composition-variables='[{"id": "name", "type": "string", "default": "A"}]'"""
    card = CARD.replace('<div id="card-root"', f'<div id="card-root" {declared}')
    hosts = HOST + HOST.replace("data-start", """data-variable-values='{"name": "B</script>"}' data-start""")
    script = """(window.names ||= []).push(__hyperframes.getVariables().name,
        window.__hyperframes.getVariables().name)"""
    assert opened.run(script, "names", hosts=hosts, card=card) == ["A", "A", "B</script>", "B</script>"]


def test_a_module_is_scoped_too(opened: Opened) -> None:
    """Modules run after the page is parsed, with the same names; one that it declares itself is its own."""
    card = CARD.replace("<script>", '<script type="module">')
    script = "const gsap = {own: 1}; window.found = [document.querySelector('.title').textContent, gsap.own]"
    assert opened.run(script, "found", card=card) == ["card", 1]
    assert opened.errors == []


def test_data_scripts_stay_where_scripts_look_for_them(opened: Opened) -> None:
    """JSON beside the root goes with it."""
    card = CARD.replace("<template>", '<template><script type="application/json" id="data">{"a": 1}</script>')
    script = "window.a = JSON.parse(document.getElementById('data').textContent).a"
    assert opened.run(script, "a", card=card) == 1


def test_a_missing_gsap_is_missing_for_the_script_too(browser: Devtools) -> None:
    """A script that checks for it takes its other way."""
    files = {"card.html": CARD.replace("{script}", "window.kind = typeof gsap")}
    flat = flatten(parse(f'<div data-composition-id="main">{HOST}</div>'), files.get)
    with tab.opened(browser) as page:
        page.answer = lambda _: Answer(serialise(flat.document).encode(), "text/html; charset=utf-8")
        page.open("https://page.test/")
        assert page.evaluate("kind") == "undefined"
