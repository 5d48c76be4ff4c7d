"""Paths of a mounted file, made right for the page it is mounted in."""

from __future__ import annotations

import pytest

from lambda_handler.compile.asset_paths import page_path, rewrite_asset_paths
from lambda_handler.compile.dom import parse, serialise

BESIDE = {"scenes/deep/near.png", "scenes/deep/with blank.png"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("../icon.svg", "scenes/icon.svg"),
        ("../../icon.svg?v=2#x", "icon.svg?v=2#x"),
        ("../../../../icon.svg", "icon.svg"),
        ("./../icon.svg", "scenes/icon.svg"),
        ("near.png", "scenes/deep/near.png"),
        ("./near.png?v=1", "scenes/deep/near.png?v=1"),
        ("with%20blank.png", "scenes/deep/with%20blank.png"),
        ("assets/logo.png", "assets/logo.png"),
        ("https://a.b/c.png", "https://a.b/c.png"),
        ("//a.b/c.png", "//a.b/c.png"),
        ("/c.png", "/c.png"),
        ("data:image/png;base64,AA", "data:image/png;base64,AA"),
        ("#part", "#part"),
        ("", ""),
    ],
)
def test_a_path_is_read_from_the_file_that_writes_it(url: str, expected: str) -> None:
    """Climbing means its folder; a bare name means its folder only if it is found there."""
    assert page_path(url, "scenes/deep/a.html", BESIDE.__contains__) == expected


def test_a_file_in_the_top_folder_needs_no_change() -> None:
    """Its paths are the page's."""
    assert page_path("../x.png", "a.html", BESIDE.__contains__) == "../x.png"


def test_attributes_styles_and_templates_are_rewritten() -> None:
    """Wherever a path can stand."""
    html = (
        '<img src="../a.png" srcset="../a.png 1x, ../b.png 2x"><video poster="../p.jpg"></video>'
        '<svg><use xlink:href="../s.svg#i"></use><image href="../i.png"></image></svg>'
        '<div style="background: url(../c.png)"></div><style>a{b:url(../d.png)}</style>'
        '<template><img src="../e.png"></template><a href="https://x.y/../z">z</a>'
    )
    document = parse(html)
    rewrite_asset_paths(document, "scenes/a.html", BESIDE.__contains__)
    written = serialise(document)
    assert "../" not in written.replace("https://x.y/../z", "")
    assert 'srcset="a.png 1x, b.png 2x"' in written
    assert 'xlink:href="s.svg#i"' in written
    assert '<style>a{b:url("d.png")}</style>' in written
