"""The root composition: which element it is, its size and its declared duration."""

from __future__ import annotations

import pytest

from lambda_handler.compile.dom import attribute, parse
from lambda_handler.compile.root import resolve_root
from lambda_handler.errors import CompositionInvalid, CompositionNotFound, DurationOutOfRange, RenderError


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<div data-composition-id="a"><p data-composition-id="b"></p></div>', "a"),
        ('<div data-composition-id="a"></div><p data-composition-id="b" data-root="true"></p>', "b"),
        ('<template><p data-composition-id="t"></p></template><p data-composition-id=" b "></p>', "b"),
        ('<p data-composition-id=""></p><p data-composition-id="b"></p>', "b"),
    ],
)
def test_the_marked_or_the_first_outermost_composition_is_the_root(html: str, expected: str) -> None:
    """A template's content is no part of the page."""
    assert resolve_root(parse(html)).composition_id == expected


def test_a_page_without_a_composition_is_refused() -> None:
    """And the message names the page."""
    with pytest.raises(CompositionNotFound, match=r"scene\.html holds no composition"):
        resolve_root(parse("<p>"), "scene.html")


def test_size_duration_and_rate_are_read() -> None:
    """The rate as it is written: it is advice."""
    root = resolve_root(
        parse('<p data-composition-id="a" data-width=" 640 " data-height="360" data-duration="2.5" data-fps=" 25 ">')
    )
    assert (root.width, root.height, root.duration, root.fps) == (640, 360, 2.5, "25")
    assert attribute(root.element, "data-width") == " 640 "


def test_what_is_not_declared_has_defaults() -> None:
    """1080 by 1920; only the running page can tell the duration."""
    root = resolve_root(parse('<p data-composition-id="a">'))
    assert (root.width, root.height, root.duration, root.fps) == (1080, 1920, None, None)


def test_the_second_name_of_the_duration_counts_where_the_first_is_absent() -> None:
    """In that order."""
    both = '<p data-composition-id="a" data-duration="{}" data-composition-duration="4">'
    assert resolve_root(parse(both.format("3"))).duration == 3
    assert resolve_root(parse(both.format(""))).duration == 4


@pytest.mark.parametrize(
    ("attribute_text", "error", "message"),
    [
        ('data-width="0"', CompositionInvalid, 'data-width="0" of <p data-composition-id="a"> in index.html'),
        ('data-width="-2"', CompositionInvalid, "whole number"),
        ('data-height="10.5"', CompositionInvalid, 'data-height="10.5"'),
        ('data-height="1080px"', CompositionInvalid, "whole number"),
        ('data-height=""', CompositionInvalid, "whole number"),
        ('data-duration="0"', DurationOutOfRange, 'data-duration="0"'),
        ('data-duration="-1"', DurationOutOfRange, "above 0"),
        ('data-duration="Infinity"', DurationOutOfRange, "not a finite"),
        ('data-duration="nan"', DurationOutOfRange, "not a finite"),
        ('data-duration="1e400"', DurationOutOfRange, "at most 86400"),
        ('data-duration="86401"', DurationOutOfRange, "24 hours"),
        ('data-composition-duration="0"', DurationOutOfRange, "data-composition-duration"),
        ('data-duration="2s"', CompositionInvalid, 'data-duration="2s".*not a number'),
    ],
)
def test_an_impossible_value_is_refused_by_name(attribute_text: str, error: type[RenderError], message: str) -> None:
    """The attribute, its value, the element and the page."""
    with pytest.raises(error, match=message):
        resolve_root(parse(f'<p data-composition-id="a" {attribute_text}>'))
