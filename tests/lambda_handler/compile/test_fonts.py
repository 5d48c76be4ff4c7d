"""Text looks the same on every machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compile_page import Page, localised

from lambda_handler.compile.font_faces import font_package
from lambda_handler.compile.font_families import ALIASES, stand_in
from lambda_handler.compile.libraries import Bundle
from lambda_handler.errors import FontFetchFailed, FontFetchUnavailable, RenderError, SystemFontUsed
from lambda_handler.toolchain import node_modules

LINK = "https://fonts.googleapis.com/css2?family="
LINKED = """
Inter, Space Mono, JetBrains Mono, Bebas Neue, Lato, Montserrat, Nunito, Outfit, DM Sans, Space Grotesk,
Playfair Display, Anton, Poppins, League Gothic, Libre Baskerville, Libre Franklin, Instrument Serif, Figtree,
Gabarito, Press Start 2P, IBM Plex Mono, Nunito Sans, Big Shoulders Display, Roboto Flex, Oswald, Bangers,
Lobster, Fraunces, Syncopate, Archivo Black, Caveat, EB Garamond, Source Code Pro, Noto Sans JP, Roboto, Open Sans
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
    assert f"<style>{drawn}</style>" in localised(f"<style>{written}</style>", tmp_path, strict=False).html


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
    assert page.localised.warnings == ()
    served = next(path for path in page.localised.files if path.endswith("css2.css"))
    assert "font-display: block" in page.content(served)
    assert "gujarati" not in page.content(served)
    assert "a { font-family: Shrikhand, serif }" in page.html


def test_a_family_without_a_source_is_looked_for_at_google(tmp_path: Path) -> None:
    """As the author's browser would not; but only if nothing before it in its stack has a font."""
    url = f"{LINK}Chonburi"
    page = localised(
        "<style>a { font-family: Chonburi, serif } b { font-family: Inter, 'Never Asked' }</style>",
        tmp_path,
        internet={url: ("text/css", "@font-face { font-family: Chonburi; src: url(data:,) }")},
    )
    assert page.asked[-1] == url
    assert "@font-face { font-family: Chonburi; src: url(data:,) }" in page.html
    assert "a { font-family: Chonburi, serif }" in page.html


EVERY_STYLE = ":ital,wght@" + ";".join([*(f"0,{weight}" for weight in range(100, 1000, 100)), "1,400", "1,700"])
ROBBED = """<style>@font-face { font-family: X; src: url(https://cdn.example/x.woff2) }
a { font-family: X, sans-serif }</style>"""


@pytest.mark.parametrize(
    ("html", "internet"),
    [
        ("<style>a { font-family: Nope } b { font-family: Nope, serif }</style>", {}),
        (f'<link href="{LINK}Nope" rel="stylesheet"><style>a {{ font-family: Nope }}</style>', {}),
        (f'<link href="{LINK}Nope" rel="stylesheet">', {f"{LINK}Nope": None}),
        (f"<style>@import '{LINK}Nope';</style>", {}),
        ("<style>a { font-family: Nope }</style>", {f"{LINK}Nope{EVERY_STYLE}": None}),
        (ROBBED, {}),
        (ROBBED, {"https://cdn.example/x.woff2": None}),
        ("<style>@font-face { font-family: X; src: url(gone.woff2) } a { font-family: X }</style>", {}),
    ],
)
def test_a_font_that_cannot_be_had_is_an_error_or_a_warning(
    tmp_path: Path, html: str, internet: dict[str, tuple[str, str] | None]
) -> None:
    """As the request says; trying again helps where a server was out of reach, and nowhere else."""
    error: type[RenderError] = FontFetchUnavailable if internet else FontFetchFailed
    with pytest.raises(error, match=r"Nope|x\.woff2|gone\.woff2") as caught:
        localised(html, tmp_path / "strict", internet=internet)
    assert "failClosedFontFetch" in caught.value.resolution
    page = localised(html, tmp_path / "lenient", internet=internet, strict=False)
    assert len(page.localised.warnings) == 1
    assert page.localised.warnings[0].endswith("is drawn instead.")
    assert "googleapis" not in page.html
    assert "cdn.example" not in page.html
    assert "gone.woff2" not in page.html


def test_a_family_nobody_has_is_looked_for_once(tmp_path: Path) -> None:
    """In all its styles and in its only one, and Inter is drawn instead."""
    page = localised("<style>a { font-family: Nope } b { font-family: Nope, serif }</style>", tmp_path, strict=False)
    assert "a { font-family: Inter, Nope } b { font-family: Inter, Nope, serif }" in page.html
    assert len(page.asked) == 2


def test_a_server_out_of_reach_is_waited_for_once(tmp_path: Path) -> None:
    """Each family that it may have would cost its time-out again."""
    page = localised(
        "<style>a { font-family: Nope } b { font-family: 'Not This' } c { font-family: 'Nor This' }</style>",
        tmp_path,
        internet={f"{LINK}Nope{EVERY_STYLE}": None},
        strict=False,
    )
    assert len(page.asked) == 1
    assert len(page.localised.warnings) == 3


@pytest.mark.parametrize(
    "html",
    [
        "<style>@font-face { font-family: 'Space Mono'; src: url(https://cdn.example/x.woff2) }</style>",
        "<style>@font-face { font-family: Arial; src: url(gone.woff2) }</style>",
        f'<link href="{LINK}Verdana" rel="stylesheet">',
    ],
)
def test_a_bundled_family_never_fails(tmp_path: Path, html: str) -> None:
    """What is bundled of it, or stands in for it, is drawn; the report says so."""
    page = localised(html, tmp_path)
    assert {"Space Mono", "Arial", "Verdana"} & set(faces(page))
    assert "is drawn instead" in page.localised.warnings[0]


@pytest.mark.parametrize("stack", ["Impact", "'Comic Sans MS', cursive", "Papyrus, fantasy"])
def test_a_system_font_is_an_error_or_a_warning(tmp_path: Path, stack: str) -> None:
    """If nothing stands in for it and nothing with a font comes behind it."""
    html = f"<style>a {{ font-family: {stack} }}</style>"
    with pytest.raises(SystemFontUsed, match="rejectOnSystemFonts"):
        localised(html, tmp_path / "strict")
    page = localised(html, tmp_path / "lenient", strict=False)
    assert f"a {{ font-family: Inter, {stack} }}" in page.html
    assert "comes with operating systems" in page.localised.warnings[0]
    assert page.asked == []


@pytest.mark.parametrize(
    "stack",
    ["-apple-system, sans-serif", "'SF Pro Text', sans-serif", "Impact, Georgia, serif", "'PingFang SC', sans-serif"],
)
def test_a_stack_that_something_stands_in_for_is_no_error(tmp_path: Path, stack: str) -> None:
    """However strict the request is."""
    page = localised(f"<style>a {{ font-family: {stack} }}</style>", tmp_path)
    assert (page.localised.warnings, page.asked) == ((), [])


@pytest.mark.parametrize(
    ("sources", "kept"),
    [
        ("url(a.eot), url(a.eot?#iefix) format('embedded-opentype'), url(a.woff2)", 'url("a.woff2")'),
        (
            "local('Mine'), url(gone.woff2) format('woff2'), url(a.woff2) format('woff')",
            'url("a.woff2") format("woff")',
        ),
        ("url('https://cdn.example/x.woff2'), url(a.woff2)", 'url("a.woff2")'),
        (
            "url(gone.svg#f) format(svg), url('a.woff2') format(woff2) tech(variations)",
            'url("a.woff2") format(woff2) tech(variations)',
        ),
    ],
)
def test_of_several_sources_the_first_that_can_be_had_is_drawn(tmp_path: Path, sources: str, kept: str) -> None:
    """So a list for old browsers needs no files for them, and no font of the author's machine is preferred."""
    rule = f"@font-face {{ font-family: 'Mine'; src: {sources}; font-weight: 100 900; size-adjust: 90% }}"
    page = localised(f"<style>{rule} a {{ font-family: Mine }}</style>", tmp_path, files={"a.woff2": ""})
    assert f'@font-face {{ font-family: "Mine"; font-weight: 100 900; size-adjust: 90%; src: {kept} }}' in page.html
    assert page.localised.warnings == ()


@pytest.mark.parametrize("source", ["a.woff2", "data:font/woff2;base64,AA"])
def test_every_font_is_waited_for(tmp_path: Path, source: str) -> None:
    """Whether an optional one is drawn would depend on how long it took to load."""
    rule = f"@font-face {{ font-family: 'Mine'; FONT-DISPLAY: optional; src: url({source}) }}"
    page = localised(f"<style>{rule} a {{ font-family: Mine }}</style>", tmp_path, files={"a.woff2": ""})
    assert f'@font-face {{ font-family: "Mine"; font-display: block; src: url("{source}") }}' in page.html


def test_a_rule_in_a_comment_is_none(tmp_path: Path) -> None:
    """Its file need not be there."""
    css = "/* @font-face { font-family: X; src: url(gone.woff2) } */ a { color: red }"
    assert css in localised(f"<style>{css}</style>", tmp_path).html


def test_a_rule_of_local_names_is_drawn_with_their_stand_in(tmp_path: Path) -> None:
    """Whichever weight or style its names say."""
    css = """@font-face { font-family: Body; src: local('Georgia Bold'), local('Times New Roman') }
    @font-face { font-family: 'Inter Fallback'; src: local('Arial'); size-adjust: 107% }"""
    page = localised(f"<style>{css} a {{ font-family: Body, 'Inter Fallback' }}</style>", tmp_path)
    assert {name.partition("-latin")[0] for name in faces(page)["Body"]} == {"eb-garamond"}
    assert "local(" not in page.html


def test_the_browsers_own_families_are_not_asked_for(tmp_path: Path) -> None:
    """Neither by name nor by link."""
    page = localised(
        f'<link href="{LINK}Noto+Sans+SC:wght@400;700&family=Noto+Color+Emoji" rel="stylesheet">'
        "<style>a { font-family: 'Noto Sans Arabic', sans-serif } b { font-family: 'Noto Sans SC' }</style>",
        tmp_path,
    )
    assert (page.localised.warnings, page.asked) == ((), [])
    assert "a { font-family: 'Noto Sans Arabic', sans-serif } b { font-family: 'Noto Sans SC' }" in page.html


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("漢字", "Noto Sans CJK SC"),
        ("漢字かな", "Noto Sans CJK JP"),
        ("한국", "Noto Sans CJK KR"),
        ("שלום", "Noto Sans Hebrew"),
        ("\\u0627", "Noto Sans Arabic"),
    ],
)
def test_the_fonts_of_the_texts_scripts_stand_behind_every_stack(tmp_path: Path, text: str, behind: str) -> None:
    """With the weights that a browser does not find by itself."""
    page = localised(f"<style>a {{ font-family: Lato, serif }}</style><script>'{text}'</script>", tmp_path)
    assert f"a {{ font-family: Lato, serif, {behind} }}" in page.html
    assert f":where(html) {{ font-family: Inter, sans-serif, {behind} }}" in page.html


def test_han_has_the_form_of_the_pages_language(tmp_path: Path) -> None:
    """Which says more than the characters."""
    page = localised(
        '<html lang="zh-Hant-TW"><head></head><body style="font-family: Lato">漢字かな</body></html>', tmp_path
    )
    assert "font-family: Lato, Noto Sans CJK TC" in page.html


def test_fonts_are_found_in_data(tmp_path: Path) -> None:
    """As Lottie's files and captions name them."""
    files = {
        "a.json": '{"fonts":{"list":[{"fName":"Lato-Bold","fFamily":"Lato"}]}}',
        "b.json": '{"fontFamily": "Anton"}',
    }
    assert {"lato", "anton"} <= set(faces(localised("<p></p>", tmp_path, files=files)))


def test_the_font_of_a_variable_is_found(tmp_path: Path) -> None:
    """The page sets its name as a custom property, which no style sheet shows."""
    declared = '[{"id":"head","type":"font","default":{"name":"Oswald","source":"google"}}]'
    html = f"<div data-composition-variables='{declared}'></div><style>p {{ font-family: var(--head) }}</style>"
    given = '<script>window.__hfVariables = {"head": {"source": "google", "name": "Anton"}};</script>'
    page = localised(html + given, tmp_path, files={"index.html": html.replace('"', "&quot;")})
    assert {"Oswald", "Anton"} <= set(faces(page))


@pytest.mark.parametrize(
    ("sheet", "families"),
    [
        ("css?family=Roboto:300,400,700i|Open+Sans:ital@1&subset=latin,latin-ext", {"Roboto", "Open Sans"}),
        ("css2?family=Lato:ital,wght@0,400;1,700&family=Anton&text=Hello%20World&display=swap", {"Lato", "Anton"}),
        ("css2?family=Montserrat:ital,wght@0,100..900;1,100..900", {"Montserrat"}),
    ],
)
def test_every_spelling_of_a_link_is_read(tmp_path: Path, sheet: str, families: set[str]) -> None:
    """Of both interfaces: lists and repetitions, styles, ranges, a text, with and without a scheme."""
    for number, start in enumerate(("https:", "http:", "")):
        page = localised(
            f'<link rel="stylesheet" href="{start}//fonts.googleapis.com/{sheet}">', tmp_path / str(number)
        )
        assert families <= set(faces(page))
        assert page.asked == []


def test_an_icon_font_that_cannot_be_had_is_a_font(tmp_path: Path) -> None:
    """Its link is one of Google Fonts', too."""
    link = '<link rel="stylesheet" href="https://fonts.googleapis.com/icon?family=Material+Icons">'
    with pytest.raises(FontFetchFailed, match="Material"):
        localised(link, tmp_path / "strict")
    assert "Material Icons" in localised(link, tmp_path / "lenient", strict=False).localised.warnings[0]
