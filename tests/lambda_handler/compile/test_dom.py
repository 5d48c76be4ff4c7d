"""Pages as trees: nothing is lost on the way in and out, and searches stay out of templates."""

from __future__ import annotations

import time

import pytest

from lambda_handler.compile import dom
from lambda_handler.errors import CompositionInvalid

PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><style>a > b::after{content:"<&"}</style>'
    '<script>if (a < b && c > d) { x = "<div>&amp;" }</script></head>'
    """<body data-x='{"a": "b"}'><svg viewBox="0 0 1 1" preserveAspectRatio="none">"""
    '<linearGradient id="g"></linearGradient><use xlink:href="#g"></use></svg>'
    '<p onclick="a(\'x\')">a &amp; b &lt; é 😀</p><video muted loop src="a.mp4?x=1&amp;y=2"></video>'
    '<template id="t"><div data-composition-id="x"><script>1<2</script></div></template></body></html>'
)


def test_a_page_comes_out_as_it_went_in() -> None:
    """Scripts, styles, SVG names, entities, JSON attributes and template contents."""
    assert dom.serialise(dom.parse(PAGE)) == PAGE


def test_a_fragment_becomes_a_whole_document() -> None:
    """As in a browser."""
    document = dom.parse("<div>a</div>")
    assert dom.serialise(document) == "<html><head></head><body><div>a</div></body></html>"
    assert dom.text_of(dom.child_elements(dom.body_of(document))[0]) == "a"


def test_searches_stay_out_of_templates() -> None:
    """What a template holds is no part of the page."""
    document = dom.parse(PAGE)
    assert dom.select(document, "[data-composition-id]") == []
    template = dom.select_one(document, "template")
    assert template is not None
    assert len(dom.select(dom.template_content(template), "[data-composition-id]")) == 1


def test_elements_come_in_document_order() -> None:
    """Outer before inner, earlier before later."""
    document = dom.parse("<a><b></b></a><i></i>")
    assert [element.name for element in dom.elements(dom.body_of(document))] == ["a", "b", "i"]


def test_an_attribute_without_a_value_differs_from_none() -> None:
    """It is empty, not absent."""
    video = dom.select(dom.parse("<video muted>"), "video")[0]
    assert dom.attribute(video, "muted") == ""
    assert dom.attribute(video, "loop") is None


def test_a_script_never_holds_its_own_end_tag() -> None:
    """Or the rest of it would become markup."""
    script = dom.create_element("script", text="x = '</SCRIPT>'")
    assert dom.serialise(script) == r"<script>x = '<\/SCRIPT>'</script>"


def test_nodes_are_replaced_and_inserted_where_they_stand() -> None:
    """Including a replacement that keeps the node itself."""
    body = dom.body_of(dom.parse("<a></a><b></b>"))
    first = dom.child_elements(body)[0]
    dom.insert_after(dom.create_element("i"), first)
    dom.prepend(body, dom.create_element("u"))
    dom.replace(first, dom.create_element("s"), dom.create_element("q"))
    assert [child.name for child in dom.child_elements(body)] == ["u", "s", "q", "i", "b"]
    assert all(child.parent is body for child in dom.child_elements(body))


def test_a_page_that_cannot_be_spelled_is_refused() -> None:
    """HTML can hold an attribute name that it cannot write."""
    with pytest.raises(CompositionInvalid, match="cannot be written"):
        dom.serialise(dom.parse('<div ="x">'))


def test_an_element_is_described_by_what_tells_it_from_others() -> None:
    """Messages name it so."""
    element = dom.select(dom.parse('<div id="a" class="c" data-composition-src="b.html">'), "div")[0]
    assert dom.describe(element) == '<div id="a" data-composition-src="b.html">'


def test_a_large_page_is_read_and_written_in_good_time() -> None:
    """200 KB; a factor of ten above what it takes on a slow machine."""
    rows = "".join(f'<div data-start="{n}"><span>hello &amp; {n}</span><p>text</p></div>\n' for n in range(3000))
    began = time.monotonic()
    document = dom.parse(rows)
    assert len(dom.select(document, "div[data-start] > span")) == 3000
    assert dom.serialise(document).count("<p>") == 3000
    assert time.monotonic() - began < 5
