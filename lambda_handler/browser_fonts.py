"""The fonts that the pinned Chromium draws with where a page's own have no glyph: so that no character is blank.

They are the browser's, not the page's: they serve what no style sheet reaches (a canvas, an SVG image, a frame,
text that a script makes), cost the plan nothing, and have true weights. Noto covers the world's scripts, all five
regional forms of Han among them; emoji are COLRv1 outlines. Generic families, and the common ones that others
stand in for, mean the same here as in the page's style sheets.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path

from lambda_handler.compile.font_families import ALIASES, BROWSER_FAMILIES, DEFAULT_FAMILY
from lambda_handler.errors import ChromeUnavailable

FONTS_SHA256 = "a0edf305fca64d953698aa1ff03526469baa7b712fb797abaa30f4194e77a3f4"

_SCRIPTS = "manimgx_fonts"
_HAN = "manimgx_fonts_cjk"
_WOFF = (
    "noto-color-emoji/files/noto-color-emoji-emoji-400-normal.woff",
    "noto-sans-math/files/noto-sans-math-latin-400-normal.woff",
    *(f"noto-sans-symbols-2/files/noto-sans-symbols-2-{subset}-400-normal.woff" for subset in ("math", "symbols")),
)
OWN_PACKAGES = frozenset(path.partition("/")[0] for path in _WOFF)
"""Packages that only the browser's fonts are made of: a page that names their families gets those."""
_DRAWN_OTHERWISE = frozenset({b"SVG "})  # a second copy of every emoji, four times the size of the rest
_STAND_INS = {
    "inter": "Inter",
    "jetbrains-mono": "JetBrains Mono",
    "eb-garamond": "EB Garamond",
    "montserrat": "Montserrat",
    "roboto": "Roboto",
}
_GENERIC = {"serif": "EB Garamond", "monospace": "JetBrains Mono", "emoji": "Noto Color Emoji"} | dict.fromkeys(
    ("sans-serif", "system-ui", "cursive", "fantasy"), DEFAULT_FAMILY
)
# Where several have a character: text before signs, signs before colour. (A sign that is an emoji by default, or is
# asked for as one, is looked for among the emoji first.)
_ORDER = (DEFAULT_FAMILY, "Noto Sans", "Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Sans Math")
_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
{aliases}
  <match target="pattern">
    <edit name="family" mode="append_last">{order}</edit>
  </match>
  <!-- It has the letters of Arabic for formulas, and does not join them to words. -->
  <match target="scan">
    <test name="family"><string>Noto Sans Math</string></test>
    <edit name="charset" mode="assign">
      <minus><name>charset</name><charset><range><int>0x0600</int><int>0x06ff</int></range></charset></minus>
    </edit>
  </match>
</fontconfig>
"""
_ALIAS = '  <alias binding="same"><family>{}</family><prefer><family>{}</family></prefer></alias>'


def install(node_modules: Path, folder: Path) -> None:
    """Write the fonts into `folder`. Raises ChromeUnavailable when one is missing, or is not the pinned one."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for name, content in sorted(_fonts(node_modules)):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
        (folder / name).write_bytes(content)
    if digest.hexdigest() != FONTS_SHA256:
        raise ChromeUnavailable(
            f"The fonts of Chromium have the digest {digest.hexdigest()}, and {FONTS_SHA256} is pinned."
        )


def configuration(fonts: Path, cache: Path) -> str:
    """What fontconfig reads: these fonts and none of the machine's, and which stands in for which."""
    families = {alias: _STAND_INS[package] for alias, package in ALIASES.items() if package in _STAND_INS}
    drawn = _GENERIC | families | dict(BROWSER_FAMILIES)
    aliases = "\n".join(
        _ALIAS.format(escape(name), escape(family)) for name, family in sorted(drawn.items()) if name != family.lower()
    )
    order = "".join(f"<string>{name}</string>" for name in _ORDER)
    return _CONFIGURATION.format(fonts=fonts, cache=cache, aliases=aliases, order=order)


def _fonts(node_modules: Path) -> Iterator[tuple[str, bytes]]:
    try:
        for font in [*files(_SCRIPTS).iterdir(), *files(_HAN).iterdir()]:
            if font.name.startswith("NotoSans") and "Italic" not in font.name and not font.name.endswith(".py"):
                yield font.name, font.read_bytes()
        latin = (f"{name}/files/{name}-latin-{weight}-normal.woff" for name in _STAND_INS for weight in (400, 700))
        for path in (*_WOFF, *latin):
            packed = node_modules / "@fontsource" / path
            yield f"{packed.stem}.ttf", unpacked(packed.read_bytes())
    except (OSError, ModuleNotFoundError) as error:
        raise ChromeUnavailable(f"A font of Chromium is missing: {error}.") from error


def unpacked(woff: bytes) -> bytes:
    """The OpenType font inside a WOFF file (W3C, WOFF File Format 1.0), whose tables are compressed one by one."""
    if woff[:4] != b"wOFF":
        raise ChromeUnavailable("A font of Chromium is no WOFF file.")
    flavor, _, count = struct.unpack(">IIH", woff[4:14])
    entries = [struct.unpack_from(">4sIIII", woff, 44 + 20 * index) for index in range(count)]
    kept = sorted(entry for entry in entries if entry[0] not in _DRAWN_OTHERWISE)
    head, body = bytearray(), bytearray()
    for tag, start, packed, size, checksum in kept:
        head += struct.pack(">4sIII", tag, checksum, 12 + 16 * len(kept) + len(body), size)
        data = woff[start : start + packed]
        body += zlib.decompress(data) if packed < size else data
        body += bytes(-len(body) % 4)
    power = len(kept).bit_length() - 1
    sizes = (flavor, len(kept), 16 << power, power, 16 * len(kept) - (16 << power))
    return struct.pack(">IHHHH", *sizes) + head + body
