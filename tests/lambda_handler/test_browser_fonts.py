"""Every character is drawn, whoever asks for it and whatever the machine has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lambda_handler import browser_fonts, toolchain
from lambda_handler.browser import launched
from lambda_handler.errors import ChromeUnavailable
from lambda_handler.page import tab
from lambda_handler.page.tab import Tab

# Draws text on a canvas, black on white, and tells what came out.
SKETCH = """
window.sketch = (text, font, lang = "") => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height, canvas.lang] = [240, 60, lang];
  document.body.append(canvas);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; context.fillRect(0, 0, 240, 60);
  context.fillStyle = "#000"; context.font = font; context.textBaseline = "middle";
  context.fillText(text, 4, 30);
  const { data } = context.getImageData(0, 0, 240, 60);
  let ink = 0; const colours = new Set();
  for (let i = 0; i < data.length; i += 4) {
    ink += 255 * 3 - data[i] - data[i + 1] - data[i + 2];
    if (Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 40)
      colours.add((data[i] >> 4) + "," + (data[i + 1] >> 4) + "," + (data[i + 2] >> 4));
  }
  canvas.remove();
  return { ink, colours: colours.size, width: context.measureText(text).width, picture: canvas.toDataURL() };
};
"""
NOBODY_HAS = "\U000ffffd"  # a private character

SCRIPTS = {
    "Japanese": "漢字かなカナ",
    "simplified Chinese": "简体字",
    "traditional Chinese": "繁體字",
    "Korean": "한국어",
    "Arabic": "العربية",
    "Devanagari": "हिन्दी",
    "Thai": "ภาษาไทย",
    "Hebrew": "עברית",
    "Cyrillic": "Кириллица",
    "Greek": "Ελληνικά",
    "Vietnamese": "Tiếng Việt",
    "Bengali": "বাংলা",
    "Tamil": "தமிழ்",
    "Georgian": "ქართული",
    "Armenian": "Հայերեն",
    "Khmer": "ខ្មែរ",
    "arrows": "←→⇒⟶➜",
    "signs": "✓★▲●♪⌘",
    "mathematics": "∑∫≈√∞∂",
    "currencies": "€₹₿₩",
}


@pytest.fixture(scope="module")
def page() -> Iterator[Tab]:
    with launched(toolchain.chromium(), 320, 180) as browser, tab.opened(browser) as opened:
        opened.run(SKETCH)
        yield opened


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_is_blank_or_boxes(page: Tab, script: str) -> None:
    """Each character of a sample is drawn, and with another picture than a character that nobody has."""
    told = page.evaluate(
        """([text, none]) => {
          const box = sketch(none, "32px sans-serif").picture;
          return [...text.replace(/[\\s\\p{M}]/gu, "")].map((one) => [one, sketch(one, "32px sans-serif")])
            .filter(([, drawn]) => drawn.ink < 1000 || drawn.picture === box).map(([one]) => one);
        }""",
        [SCRIPTS[script], NOBODY_HAS],
    )
    assert told == []


@pytest.mark.parametrize("emoji", ["😀", "🎉", "👩‍🚀", "❤️", "🇩🇪", "1️⃣", "⚡"])
def test_emoji_are_drawn_in_colour(page: Tab, emoji: str) -> None:
    """One picture each, also those of several characters."""
    drawn = page.evaluate("text => sketch(text, '32px Arial')", emoji)
    assert drawn["colours"] >= 5
    assert drawn["width"] < 50


def test_a_sign_is_text_unless_it_is_asked_for_in_colour(page: Tab) -> None:
    """As Unicode says of those that are older than emoji."""
    assert page.evaluate("sketch('☎✔', '32px sans-serif')")["colours"] == 0
    assert page.evaluate("sketch('☎\\ufe0f', '32px sans-serif')")["colours"] > 5


@pytest.mark.parametrize(("text", "family"), [("漢字", "Noto Sans CJK JP"), ("العربية", "Noto Sans Arabic")])
def test_their_weights_are_true_ones(page: Tab, text: str, family: str) -> None:
    """Where a stack names them: regular, medium and bold each have more ink than the one before."""
    drawn = [page.evaluate("([t, f]) => sketch(t, f).ink", [text, f"{w} 32px {family}"]) for w in (400, 500, 700)]
    assert all(less * 1.1 < more for less, more in pairwise(drawn))


def test_arabic_letters_are_joined(page: Tab) -> None:
    """A word is narrower than its letters alone."""
    alone, word = page.evaluate(
        "['م ر ح ب ا'.split(' ').reduce((sum, one) => sum + sketch(one, '32px Inter').width, 0),"
        "sketch('مرحبا', '32px Inter').width]"
    )
    assert word < alone * 0.8


def test_han_has_the_form_of_its_language(page: Tab) -> None:
    """The same character is written differently in Japan and China."""
    pictures = {
        page.evaluate("lang => sketch('骨', '32px sans-serif', lang).picture", lang) for lang in ("ja", "zh-CN")
    }
    assert len(pictures) == 2


@pytest.mark.parametrize(
    ("named", "drawn"),
    [
        ("sans-serif", "Inter"),
        ("system-ui", "Inter"),
        ("Arial", "Inter"),
        ("monospace", "JetBrains Mono"),
        ("Courier New", "JetBrains Mono"),
        ("serif", "EB Garamond"),
        ("Georgia", "EB Garamond"),
        ("Noto Sans SC", "Noto Sans CJK SC"),
    ],
)
def test_a_name_means_what_it_means_in_a_style_sheet(page: Tab, named: str, drawn: str) -> None:
    """Where no style sheet reaches: here, a canvas."""
    pictures = {page.evaluate("font => sketch('Hamburg 12', font).picture", f"32px {name}") for name in (named, drawn)}
    assert len(pictures) == 1


def test_an_svg_image_has_the_same_fonts(page: Tab) -> None:
    """Nothing of the page reaches into it."""
    colours = page.evaluate(
        """async () => {
          const image = new Image();
          image.src = "data:image/svg+xml;utf8," + encodeURIComponent("<svg xmlns='http://www.w3.org/2000/svg' "
            + "width='60' height='60'><text y='40' font-size='32' font-family='Arial'>😀</text></svg>");
          await image.decode();
          const context = Object.assign(document.createElement("canvas"), { width: 60, height: 60 }).getContext("2d");
          context.drawImage(image, 0, 0);
          return new Set(new Uint32Array(context.getImageData(0, 0, 60, 60).data.buffer)).size;
        }"""
    )
    assert colours > 20


def test_another_font_than_the_pinned_is_refused(tmp_path: Path, packaged: Callable[[str], Path]) -> None:
    """By the digest of all of them, which is part of what a plan is made with."""
    browser_fonts.install(packaged("as it is"), tmp_path / "whole")
    listed = "".join(
        f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n"
        for file in sorted((tmp_path / "whole").iterdir())
    )
    assert hashlib.sha256(listed.encode()).hexdigest() == browser_fonts.FONTS_SHA256
    assert toolchain.chromium().identity.endswith(browser_fonts.FONTS_SHA256)
    with pytest.raises(ChromeUnavailable, match=r"digest .* is pinned"):
        browser_fonts.install(packaged("other"), tmp_path / "other")
    with pytest.raises(ChromeUnavailable, match=r"missing: .*noto-color-emoji"):
        browser_fonts.install(packaged("missing"), tmp_path / "missing")


@pytest.fixture
def packaged(tmp_path: Path) -> Callable[[str], Path]:
    """A node_modules whose emoji font is the real one, another one, or missing."""

    def made(which: str) -> Path:
        real, mine = toolchain.node_modules() / "@fontsource", tmp_path / which / "@fontsource"
        mine.mkdir(parents=True)
        for package in real.iterdir():
            if which == "as it is" or package.name != "noto-color-emoji":
                (mine / package.name).symlink_to(package)
        if which == "other":
            emoji = mine / "noto-color-emoji" / "files" / "noto-color-emoji-emoji-400-normal.woff"
            emoji.parent.mkdir(parents=True)
            emoji.symlink_to(next((real / "inter" / "files").glob("*.woff")))
        return mine.parent

    return made
