"""Flattening: every mounted composition, at any depth, becomes part of the page."""

from __future__ import annotations

import re

import pytest

from lambda_handler.compile.dom import (
    Document,
    Element,
    attribute,
    body_of,
    child_elements,
    head_of,
    parse,
    select,
    text_of,
)
from lambda_handler.compile.subcompositions import MAX_MOUNTS, Flattened, flatten
from lambda_handler.errors import (
    CompositionCycle,
    CompositionInvalid,
    EmptyComposition,
    PlanTooLarge,
    VariablesInvalid,
)

CARD = """<template><style>.t{a:b}</style>
<div id="root" class="wrap" data-composition-id="card" data-width="300" data-height="200" data-start="0"
 data-duration="9" data-track-index="1" style="color: red;"><p class="t">card</p></div>
<script>one()</script></template>"""


def _host(src: str, name: str | None = None, rest: str = "") -> str:
    named = f'data-composition-id="{name}"' if name else ""
    return f'<div {named} data-composition-src="{src}" {rest}></div>'


def _page(*hosts: str, head: str = "") -> Document:
    inside = "".join(hosts)
    return parse(f'<html><head>{head}</head><body><div data-composition-id="main">{inside}</div></body></html>')


def _flat(files: dict[str, str], *hosts: str, head: str = "") -> Flattened:
    return flatten(_page(*hosts, head=head), files.get)


def _only(flat: Flattened, css: str) -> Element:
    (element,) = select(flat.document, css)
    return element


def test_the_content_takes_the_hosts_place_in_time_and_its_own_box() -> None:
    """The root keeps class and style, gives up identity and timing, and fills the host."""
    flat = _flat({"x/card.html": CARD}, _host("x/card.html", "card", 'data-start="3"'))
    inner = _only(flat, "[data-hf-inner-root]")
    assert inner.attrs == {
        "class": "wrap",
        "data-width": "300",
        "data-height": "200",
        "style": "color: red;width:300px;height:200px",
        "data-hf-authored-id": "root",
        "data-hf-inner-root": "true",
    }
    host = inner.parent
    assert isinstance(host, Element)
    assert host.attrs == {
        "data-composition-id": "card",
        "data-start": "3",
        "data-width": "300",
        "data-height": "200",
        "data-composition-file": "x/card.html",
        "style": "width:300px;height:200px",
    }


def test_a_size_that_the_host_has_stays() -> None:
    """In its attributes and in its style."""
    flat = _flat({"card.html": CARD}, _host("card.html", "card", 'data-width="50" style="width: 5em"'))
    host = _only(flat, "[data-composition-file]")
    assert (attribute(host, "data-width"), attribute(host, "data-height")) == ("50", "200")
    assert attribute(host, "style") == "width: 5em;height:200px"


def test_styles_and_scripts_leave_the_content_for_the_page() -> None:
    """Scoped, styles at the end of the head, scripts at the end of the body."""
    flat = _flat({"card.html": CARD}, _host("card.html", "card"), head="<style>p{}</style>")
    styles = select(head_of(flat.document), "style")
    assert [text_of(style) for style in styles] == ["p{}", '[data-composition-id="card"] .t{a:b}']
    last = child_elements(body_of(flat.document))[-1]
    assert "one()" in text_of(last)
    assert attribute(last, "data-hf-scope") == "card"
    assert select(_only(flat, "[data-composition-file]"), "style, script") == []


def test_a_file_without_a_template_brings_the_code_of_its_head() -> None:
    """A template's file does not: the template holds all of the composition. Links come either way."""
    head = (
        '<link rel="stylesheet" href="f.css"><link rel="preconnect" href="//a.b">'
        '<link rel="icon" href="i.ico">'
        "<style>.h{}</style><script>inHead()</script><script src='lib.js'></script>"
    )
    whole = f'<html><head>{head}</head><body><div data-composition-id="a"><p></p></div></body></html>'
    templated = f'<html><head>{head}</head><body><template><p data-composition-id="a"></p></template></body></html>'
    flat = _flat({"a.html": whole}, _host("a.html", "a"))
    assert [attribute(link, "href") for link in select(flat.document, "link")] == ["f.css", "//a.b"]
    assert ".h{}" in text_of(_only(flat, "style"))
    assert attribute(_only(flat, "script[src]"), "src") == "lib.js"
    assert "inHead()" in text_of(select(flat.document, "script")[-1])
    flat = _flat({"a.html": templated}, _host("a.html", "a"))
    assert len(select(flat.document, "link")) == 2
    assert select(flat.document, "style, script") == []


def test_external_scripts_are_loaded_once_in_order_before_inline_ones() -> None:
    """Even if the page has one already, or a file asks for it to wait."""
    first = '<p data-composition-id="a"></p><script src="one.js" defer></script><script>a()</script>'
    second = '<p data-composition-id="b"></p><script src="./one.js"></script><script src="two.js"></script>'
    third = second.replace('"b"', '"c"').replace("two.js", "gsap.js")
    flat = _flat(
        {"a.html": first, "b.html": second, "c.html": third},
        _host("a.html", "a"),
        _host("b.html", "b"),
        _host("c.html", "c"),
        head='<script src="gsap.js"></script>',
    )
    scripts = select(flat.document, "script")
    assert [attribute(script, "src") for script in scripts] == ["gsap.js", "one.js", "two.js", None, None]
    assert "defer" not in scripts[1].attrs
    assert text_of(scripts[3]).startswith("// Lets the scripts")


def test_one_mount_keeps_its_id_and_several_are_numbered_in_document_order() -> None:
    """Also where they are mounted at different depths."""
    outer = f'<div data-composition-id="outer">{_host("card.html", "card")}</div>'
    flat = _flat({"card.html": CARD, "outer.html": outer}, _host("outer.html", "outer"), _host("card.html", "card"))
    compositions = select(flat.document, "[data-composition-id]")
    ids = [attribute(element, "data-composition-id") for element in compositions]
    assert ids == ["main", "outer", "card__hf1", "card__hf2"]
    originals = [attribute(element, "data-hf-original-composition-id") for element in compositions]
    assert originals == [None, None, "card", "card"]
    assert {(scope.runtime_id, scope.authored_id) for scope in flat.scopes} == {
        ("outer", "outer"),
        ("card__hf1", "card"),
        ("card__hf2", "card"),
    }
    assert [style.attrs["data-hf-scope"] for style in select(flat.document, "style")] == [
        "card__hf2",
        "card__hf1",
    ]


def test_an_id_that_the_page_uses_itself_is_not_taken() -> None:
    """Two compositions under one id would share a timeline."""
    flat = _flat({"card.html": CARD.replace('"card"', '"main"')}, _host("card.html", "main"))
    ids = [attribute(element, "data-composition-id") for element in select(flat.document, "[data-composition-id]")]
    assert ids == ["main", "main__hf1"]


def test_an_anonymous_host_takes_the_contents_id() -> None:
    """Its first composition's."""
    flat = _flat({"card.html": CARD}, _host("card.html"))
    assert attribute(_only(flat, "[data-composition-file]"), "data-composition-id") == "card"
    assert len(select(flat.document, "[data-hf-inner-root]")) == 1


def test_content_under_another_id_stays_whole_inside_its_host() -> None:
    """The composition in it keeps its identity; scripts know both ids, styles the host's."""
    flat = _flat({"card.html": CARD}, _host("card.html", "other"))
    assert select(flat.document, "[data-hf-inner-root]") == []
    assert attribute(_only(flat, "#root"), "data-composition-id") == "card"
    assert text_of(_only(flat, "style")).startswith('[data-composition-id="other"] .t')
    assert '"authoredIds": ["other", "card"]' in text_of(select(flat.document, "script")[-1])


def test_compositions_are_mounted_to_any_depth() -> None:
    """The page at the end mounts nothing; outer styles come before inner ones."""
    level = '<template><style>.l{0}{{}}</style><div data-composition-id="l{0}">{1}</div></template>'
    files = {f"{n}.html": level.format(n, _host(f"./{n + 1}.html", f"l{n + 1}")) for n in range(1, 20)}
    files["20.html"] = level.format(20, "<b>deepest</b>")
    flat = _flat(files, _host("1.html", "l1"))
    assert len(select(flat.document, "b")) == 1
    assert select(flat.document, "[data-composition-src]") == []
    assert flat.files == tuple(f"{n}.html" for n in range(1, 21))
    assert re.findall(r"\.l\d+", "".join(map(text_of, select(flat.document, "style"))))[:2] == [".l1", ".l2"]


def test_nesting_without_an_end_is_refused() -> None:
    """At twenty levels."""

    def endless(path: str) -> str:
        number = int(path.removesuffix(".html"))
        return f'<div data-composition-id="a{number}">{_host(f"{number + 1}.html")}</div>'

    with pytest.raises(CompositionInvalid, match=r"more than 20 deep: index\.html -> 1\.html -> .* -> 21\.html"):
        flatten(_page(_host("1.html")), endless)


def test_a_page_that_multiplies_is_refused() -> None:
    """Ten files that each mount the next one ten times are ten billion."""
    twice = {f"{n}.html": f'<p data-composition-id="a{n}">{_host(f"{n + 1}.html") * 10}</p>' for n in range(9)}
    files = {name: text.replace("<p ", "<div ").replace("</p>", "</div>") for name, text in twice.items()}
    files["9.html"] = '<p data-composition-id="z"></p>'
    with pytest.raises(PlanTooLarge, match=f"more than {MAX_MOUNTS} compositions"):
        _flat(files, _host("0.html"))


def test_a_cycle_is_refused_with_its_path() -> None:
    """However its files are spelled, and through the page itself."""
    files = {
        "a.html": f'<div data-composition-id="a">{_host("./b.html", "b")}</div>',
        "b.html": f'<div data-composition-id="b">{_host("x/../a.html", "a")}</div>',
        "c.html": f'<div data-composition-id="c">{_host("index.html")}</div>',
    }
    with pytest.raises(CompositionCycle, match=r"mounts itself: a\.html -> b\.html -> a\.html"):
        _flat(files, _host("a.html", "a"))
    with pytest.raises(CompositionCycle, match=r"index\.html -> c\.html -> index\.html"):
        _flat(files, _host("c.html", "c"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r'scenes/a\.html, mounted by <div data-composition-id="a" .*> in index\.html, does not exist'),
        (" \n", r"scenes/a\.html, mounted by .*, is empty"),
        ("<p>to do</p>", r"holds no composition: no element in it has a data-composition-id"),
        ("<template><p></p></template>", r"no element in its template has"),
    ],
)
def test_a_missing_or_empty_file_is_refused(text: str | None, message: str) -> None:
    """Naming the file, and what mounts it."""
    files = {"scenes/a.html": text} if text is not None else {}
    with pytest.raises(EmptyComposition, match=message):
        _flat(files, _host("scenes/a.html", "a"))


def test_a_file_outside_the_project_is_refused() -> None:
    """Before it is read."""
    with pytest.raises(CompositionInvalid, match="leaves the project"):
        _flat({}, _host("../secret.html", "a"))


def test_a_host_within_a_replaced_host_is_gone() -> None:
    """The content takes the place of what the host held."""
    inside = f'<div data-composition-id="card" data-composition-src="card.html">{_host("no.html", "no")}</div>'
    assert _flat({"card.html": CARD}, inside).files == ("card.html",)


def test_an_empty_composition_is_filled_from_the_pages_own_template() -> None:
    """Each of its hosts; the template goes, and what is not empty stays."""
    inside = '<style>.t{}</style><div data-composition-id="tip"><b></b></div>'
    template = f'<template id="tip-template">{inside}</template>'
    empty = '<div data-composition-id="tip"> </div>'
    filled = '<div data-composition-id="tip"><i></i></div>'
    flat = _flat({}, empty, empty, filled, template)
    assert len(select(flat.document, "[data-hf-inner-root] > b")) == 2
    assert len(select(flat.document, "i")) == 1
    assert select(flat.document, "template") == []
    assert [scope.runtime_id for scope in flat.scopes] == ["tip__hf1", "tip__hf2"]
    assert flat.files == ()


def test_a_template_that_mounts_itself_is_a_cycle() -> None:
    """As a file is."""
    template = '<template id="a-template"><p><b data-composition-id="a"></b></p></template>'
    nested = template.replace("<p>", '<p data-composition-id="a">')
    with pytest.raises(CompositionCycle, match="#a-template -> #a-template"):
        _flat({}, '<div data-composition-id="a"></div>', nested)


def test_assets_of_a_mounted_file_are_found_from_the_page() -> None:
    """In attributes, styles and style sheets."""
    text = (
        '<template><style>.a{background:url(../b.png)}</style><div data-composition-id="a" '
        'style="background:url(near.png)"><img src="../c.png"></div>'
        '<script src="near.js"></script></template>'
    )
    flat = flatten(_page(_host("x/a.html", "a")), {"x/a.html": text}.get, {"x/near.png", "x/near.js"}.__contains__)
    assert 'url("b.png")' in text_of(_only(flat, "style"))
    assert attribute(_only(flat, "img"), "src") == "c.png"
    assert (attribute(_only(flat, "[data-hf-inner-root]"), "style") or "").startswith('background:url("x/near.png")')
    assert attribute(_only(flat, "script[src]"), "src") == "x/near.js"


def test_variables_are_defaults_under_the_hosts_values() -> None:
    """Declared on the file's html element, then on its root."""
    text = """<html data-composition-variables='[{"id": "a", "default": 1}, {"id": "b", "default": 1}]'><body>
    <p data-composition-id="x" data-composition-variables='[{"id": "b", "default": 2}, {"id": "c"}]'>"""
    flat = _flat({"x.html": text}, _host("x.html", "x", """data-variable-values='{"d": 4}'"""))
    (scope,) = flat.scopes
    assert scope.values == {"a": 1, "b": 2, "d": 4}
    assert [declaration.id for declaration in scope.declarations] == ["a", "b", "b", "c"]
    with pytest.raises(VariablesInvalid, match=r"data-variable-values of .* in index\.html is not valid JSON"):
        _flat({"x.html": text}, _host("x.html", "x", 'data-variable-values="{"'))


def test_data_and_modules_keep_their_kind() -> None:
    """JSON stays with the content, an import map goes to the head, a module stays a module."""
    text = (
        '<script type="importmap">{"imports": {}}</script><script type="module">import "x";</script>'
        '<div data-composition-id="a"><script type="application/json">{"a": 1}</script></div>'
    )
    flat = _flat({"a.html": text}, _host("a.html", "a"))
    assert text_of(_only(flat, 'head > script[type="importmap"]')) == '{"imports": {}}'
    assert text_of(_only(flat, 'body > script[type="module"]')).endswith('import "x";')
    assert text_of(_only(flat, '[data-hf-inner-root] > script[type="application/json"]')) == '{"a": 1}'


def test_a_style_for_some_media_stays_one() -> None:
    """Its attribute goes with it."""
    flat = _flat({"a.html": '<p data-composition-id="a"><style media="print">b{}</style></p>'}, _host("a.html", "a"))
    assert attribute(_only(flat, "head > style"), "media") == "print"
