"""URLs in style sheets are found and replaced; everything else stays byte for byte."""

from __future__ import annotations

import pytest

from lambda_handler.compile.css_urls import quote, rewrite_css_urls, unescape, urls_in_css

SHEET = r"""@charset "utf-8"; @import url("a.css") screen; @import 'b.css';
@namespace svg url(http://www.w3.org/2000/svg); /* url(comment.png) */
.a { background: url( x.png ), URL("y (1).png"); content: "url(text.png)" }
@font-face { src: url('f.woff2') format("woff2"), url(g\ h.ttf) }"""


def test_every_form_is_found() -> None:
    """Quoted, bare, imported; not in comments, strings or namespaces."""
    assert urls_in_css(SHEET) == ["a.css", "b.css", "x.png", "y (1).png", "f.woff2", "g h.ttf"]


def test_what_is_not_changed_keeps_its_spelling() -> None:
    """Quotes, blanks, escapes and all."""
    assert rewrite_css_urls(SHEET, lambda url: url) == SHEET


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a{b:url(x.png)}", 'a{b:url("new/x.png")}'),
        ("a{b:url( 'x.png' ) no-repeat}", 'a{b:url( "new/x.png" ) no-repeat}'),
        ("@import 'x.png' screen;", '@import "new/x.png" screen;'),
        ("@import url(x.png);", '@import url("new/x.png");'),
        ("a{b:my-url(x.png);c:url()}", "a{b:my-url(x.png);c:url()}"),
        ("a{b:url(x.png", 'a{b:url("new/x.png"'),
    ],
)
def test_a_changed_url_is_written_quoted(before: str, after: str) -> None:
    """Whatever it holds, it cannot end early."""
    assert rewrite_css_urls(before, lambda url: f"new/{url}") == after


def test_a_url_may_hold_anything() -> None:
    """Quotes, backslashes, line ends, and what would close a style element."""
    value = 'a"b\\c\nd</style>'
    assert unescape(quote(value)[1:-1]) == value
    assert "</style" not in quote(value)


def test_a_data_url_is_one_url() -> None:
    """With its commas, semicolons and hashes."""
    assert urls_in_css("a{b:url(data:image/svg+xml;utf8,%3Csvg%3E#x)}") == ["data:image/svg+xml;utf8,%3Csvg%3E#x"]
