"""Text looks the same on every machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compile_page import Page, localised

from lambda_handler.compile.font_faces import font_package
from lambda_handler.compile.font_families import ALIASES, stand_in
from lambda_handler.compile.libraries import Bundle
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing
from lambda_handler.toolchain import node_modules

LINK = "https://fonts.googleapis.com/css2?family="
LINKED = """
Inter, Space Mono, JetBrains Mono, Bebas Neue, Lato, Montserrat, Nunito, Outfit, DM Sans, Space Grotesk,
Playfair Display, Anton, Poppins, League Gothic, Libre Baskerville, Libre Franklin, Instrument Serif, Figtree,
Gabarito, Press Start 2P, IBM Plex Mono, Nunito Sans, Big Shoulders Display, Roboto Flex, Oswald, Bangers,
Lobster, Syncopate, Archivo Black, Caveat, EB Garamond, Source Code Pro, Noto Sans JP, Roboto, Open Sans
"""


def faces(page: Page) -> dict[str, set[str]]:
    """The families the page has rules for, and the names of their files."""
    found: dict[str, set[str]] = {}
    for family, url in re.findall(r'@font-face \{ font-family: "([^"]+)"; src: url\("([^"]+)"\)', page.html):
        assert url in page.localised.files
        found.setdefault(family, set()).add(url.rpartition("/")[2])
    return found


@pytest.mark.parametrize("family", [" ".join(name.split()) for name in LINKED.split(",")])
def test_a_google_font_in_use_is_bundled(tmp_path: Path, family: str) -> None:
    """Its link is replaced by rules under the family's name, and the network is not asked."""
    page = localised(f'<link href="{LINK}{family.replace(" ", "+")}:wght@400;700" rel="stylesheet">', tmp_path)
    assert faces(page)[family]
    assert "googleapis" not in page.html
    assert page.asked == []


def test_every_alias_has_its_font() -> None:
    """All 18 families that stand in for others are installed."""
    bundle = Bundle(node_modules())
    assert [alias for alias in ALIASES if font_package(bundle, stand_in(alias)) is None] == []


def test_a_page_without_fonts_is_drawn_with_inter(tmp_path: Path) -> None:
    """A machine may have no fonts at all; whatever the author says of html weighs more."""
    page = localised("<p>Text</p>", tmp_path)
    first = "<head><style data-hf-fonts>html, body, * { text-rendering: geometricPrecision }\n"
    assert f"{first}:where(html) {{ font-family: Inter, sans-serif }}" in page.html
    assert faces(page)["Inter"] == {f"inter-latin-{weight}-normal.woff2" for weight in range(100, 1000, 100)}


def test_the_charset_stays_in_front(tmp_path: Path) -> None:
    """A browser looks for it in the first 1024 bytes only."""
    page = localised('<html><head><title>T</title><meta charset="utf-8"></head></html>', tmp_path)
    assert '<head><meta charset="utf-8"><style data-hf-fonts>' in page.html


def test_a_system_font_is_drawn_with_its_stand_in(tmp_path: Path) -> None:
    """The rules bear the name the author wrote."""
    page = localised(
        "<p style=\"font-family: 'Helvetica Neue', serif\">x</p><b style='font-family: GEORGIA'>", tmp_path
    )
    assert {name.partition("-latin")[0] for name in faces(page)["Helvetica Neue"]} == {"inter"}
    assert {name.partition("-latin")[0] for name in faces(page)["GEORGIA"]} == {"eb-garamond"}
    assert "font-display: block" in page.html


def test_a_linked_family_is_itself_and_an_unlinked_one_its_alias(tmp_path: Path) -> None:
    """Bebas Neue alone means League Gothic; who links it gets it."""
    style = "<style>a { font-family: 'Bebas Neue' }</style>"
    alone = localised(style, tmp_path)
    linked = localised(f'<link href="{LINK}Bebas+Neue" rel="stylesheet">{style}', tmp_path)
    assert faces(alone)["Bebas Neue"] == {"league-gothic-latin-400-normal.woff2"}
    assert faces(linked)["Bebas Neue"] == {"bebas-neue-latin-400-normal.woff2"}


def test_the_authors_own_face_is_left_alone(tmp_path: Path) -> None:
    """Even if it has the name of a bundled family."""
    css = "<style>@font-face { font-family: Roboto; src: url(r.woff2) } a { font-family: Roboto }</style>"
    assert "Roboto" not in faces(localised(css, tmp_path, files={"r.woff2": ""}))


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("a { font-family: sans-serif }", "a { font-family: Inter, sans-serif }"),
        ("a { font: 700 2em/1 -apple-system, Arial }", "a { font: 700 2em/1 Inter, -apple-system, Arial }"),
        ("a { font-family: Impact }", "a { font-family: Inter, Impact }"),
        ("a { font-family: Lato, sans-serif }", "a { font-family: Lato, sans-serif }"),
        ("a { font-family: Impact, Georgia, serif }", "a { font-family: Impact, Georgia, serif }"),
        (
            ":root { --f: var(--g); --g: system-ui; --other: serif } a { font-family: var(--f) }",
            ":root { --f: var(--g); --g: Inter, system-ui; --other: serif } a { font-family: var(--f) }",
        ),
        ("a { font-family: var(--none, monospace) }", "a { font-family: var(--none, Inter, monospace) }"),
    ],
)
def test_no_stack_is_left_to_the_machine(tmp_path: Path, written: str, drawn: str) -> None:
    """Inter goes before a generic family, unless a family with a font comes first."""
    assert f"<style>{drawn}</style>" in localised(f"<style>{written}</style>", tmp_path).html


def test_fonts_are_found_wherever_they_are_named(tmp_path: Path) -> None:
    """In attributes, local and nested style sheets, variables, and scripts that draw or animate."""
    page = localised(
        '<link rel="stylesheet" href="a.css"><svg><text font-family="Oswald, serif">x</text></svg>'
        '<div style="--f: Lato"></div><i data-font-family="serif"></i>'
        "<style>p { font-family: var(--f) }</style>"
        "<script>ctx.font = '700 48px \"Space Mono\"'; gsap.set(a, { fontFamily: 'Anton' })</script>",
        tmp_path,
        files={
            "a.css": "@import 'b.css'; a { font-family: ui-serif }",
            "b.css": "a { font-family: Figtree }",
        },
    )
    assert {"Oswald", "Lato", "Figtree", "space mono", "anton"} <= set(faces(page))
    assert "font-family: Inter, ui-serif" in page.content("/a.css")
    assert 'data-font-family="Inter, serif"' in page.html


def test_other_scripts_bring_their_subsets(tmp_path: Path) -> None:
    """Of the page's text, of escapes, and of the files its scripts may read; no more than that."""
    style = "<style>a { font-family: 'Noto Sans JP' } b { font-family: Inter }</style>"
    latin = faces(localised(style, tmp_path / "a"))
    japanese = faces(localised(f"{style}鬱檎", tmp_path / "b"))
    escaped = faces(localised(f"{style}<script>'\\u0416'</script>", tmp_path / "c"))
    read = faces(localised(style, tmp_path / "d", files={"data.json": '"Ж"'}))
    assert 0 < len(japanese["Noto Sans JP"] - latin["Noto Sans JP"]) <= 2
    assert "inter-cyrillic-400-normal.woff2" not in latin["Inter"]
    assert "inter-cyrillic-400-normal.woff2" in escaped["Inter"] & read["Inter"]


@pytest.mark.parametrize(
    "html",
    [
        "<em>x</em>",
        '<p style="font-style: oblique 5deg">x</p>',
        f'<link href="{LINK}Inter:ital@1" rel="stylesheet">',
    ],
)
def test_italics_come_when_something_is_italic(tmp_path: Path, html: str) -> None:
    """Otherwise they would double every family."""
    assert "inter-latin-400-italic.woff2" in faces(localised(html, tmp_path))["Inter"]
    assert "inter-latin-400-italic.woff2" not in faces(localised("<p>x</p>", tmp_path))["Inter"]


def test_an_import_of_google_fonts_is_replaced(tmp_path: Path) -> None:
    """In a style element and in a linked sheet; the rules behind it stay."""
    rule = f"@import url('{LINK}Lato:wght@400;700&display=swap');"
    page = localised(
        f'<link rel="stylesheet" href="a.css"><style>{rule} a {{ color: red }}</style>',
        tmp_path,
        files={"a.css": rule},
    )
    assert "Lato" in faces(page)
    assert "<style> a { color: red }</style>" in page.html
    assert page.content("/a.css") == ""


def test_google_is_asked_only_for_what_is_not_bundled(tmp_path: Path) -> None:
    """And only for the subsets the page needs; its rules block, so that no frame is drawn without."""
    face = "@font-face { font-family: 'Shrikhand'; font-display: swap; src: url(%s); unicode-range: %s }\n"
    sheet = face % ("https://fonts.gstatic.com/latin.woff2", "U+0000-00FF") + face % (
        "https://fonts.gstatic.com/gujarati.woff2",
        "U+0A80-0AFF",
    )
    page = localised(
        f'<link href="{LINK}Shrikhand&family=Lato:wght@400;700&display=swap" rel="stylesheet">'
        "<style>a { font-family: Shrikhand, serif }</style>",
        tmp_path,
        internet={
            f"{LINK}Shrikhand&display=swap": ("text/css", sheet),
            "https://fonts.gstatic.com/latin.woff2": ("font/woff2", "font"),
        },
    )
    assert page.asked == [f"{LINK}Shrikhand&display=swap", "https://fonts.gstatic.com/latin.woff2"]
    served = next(path for path in page.localised.files if path.endswith("css2.css"))
    assert "font-display: block" in page.content(served)
    assert "gujarati" not in page.content(served)
    assert "a { font-family: Shrikhand, serif }" in page.html


def test_a_family_without_a_source_is_looked_for_at_google(tmp_path: Path) -> None:
    """As the author's browser would not; but only if nothing before it in its stack has a font."""
    url = f"{LINK}Fraunces"
    page = localised(
        "<style>a { font-family: Fraunces, serif } b { font-family: Inter, 'Never Asked' }</style>",
        tmp_path,
        internet={url: ("text/css", "@font-face { font-family: Fraunces; src: url(data:,) }")},
    )
    assert page.asked[-1] == url
    assert "@font-face { font-family: Fraunces; src: url(data:,) }" in page.html
    assert "a { font-family: Fraunces, serif }" in page.html


def test_a_family_nobody_has_is_a_warning(tmp_path: Path) -> None:
    """It is looked for once, in all its styles and in its only one, and Inter is drawn instead."""
    page = localised("<style>a { font-family: Nope } b { font-family: Nope, serif }</style>", tmp_path)
    assert page.localised.warnings == ('No font is known for font-family "Nope": another is drawn instead.',)
    assert "a { font-family: Inter, Nope } b { font-family: Inter, Nope, serif }" in page.html
    assert len(page.asked) == 2


def test_a_family_out_of_reach_fails_the_plan(tmp_path: Path) -> None:
    """Drawing another would make a video that differs from the next one; the message says what to do."""
    url = f"{LINK}Fraunces:ital,wght@" + ";".join(
        [*(f"0,{weight}" for weight in range(100, 1000, 100)), "1,400", "1,700"]
    )
    with pytest.raises(AssetFetchUnavailable, match="HYPERFRAMES_OFFLINE"):
        localised("<style>a { font-family: Fraunces }</style>", tmp_path, internet={url: None})


def test_a_linked_family_nobody_has_fails_the_plan(tmp_path: Path) -> None:
    """The author asked for it by its URL."""
    with pytest.raises(PageAssetMissing, match="Nope"):
        localised(f'<link href="{LINK}Nope" rel="stylesheet">', tmp_path)
