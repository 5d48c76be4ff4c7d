"""Font families by name: what is bundled, what stands in for what, and what no font server has."""

from __future__ import annotations

import re
from types import MappingProxyType

DEFAULT_FAMILY = "Inter"


def _names(text: str) -> frozenset[str]:
    return frozenset(" ".join(name.split()) for name in text.split(","))


_STANDS_FOR = {
    "inter": (
        "helvetica, helvetica neue, helvetica bold, arial, sf pro, sf pro display, sf pro text, "
        "sf pro rounded, avenir, avenir next, lucida grande, geneva, optima, verdana, tahoma, "
        "trebuchet ms, calibri, candara, corbel, lucida sans, lucida sans unicode, noto sans, "
        "dejavu sans, liberation sans"
    ),
    "montserrat": "futura, din alternate, arial black",
    "league-gothic": "bebas neue",
    "roboto": "segoe ui",
    "noto-sans-jp": "noto sans japanese",
    "jetbrains-mono": (
        "courier, courier new, sf mono, menlo, monaco, consolas, lucida console, lucida sans "
        "typewriter, andale mono, dejavu sans mono, liberation mono"
    ),
    "eb-garamond": (
        "garamond, georgia, palatino, palatino linotype, book antiqua, cambria, times, times new "
        "roman, dejavu serif, liberation serif"
    ),
}

ALIASES = MappingProxyType({alias: package for package, names in _STANDS_FOR.items() for alias in names.split(", ")})
"""Common and system families, in lower case, and the bundled family that is drawn in their place."""

GENERIC = _names(
    """
    sans-serif, serif, monospace, cursive, fantasy, system-ui, ui-sans-serif, ui-serif, ui-monospace,
    ui-rounded, emoji, math, fangsong, -apple-system, blinkmacsystemfont
    """
)
"""Names that mean a font of the machine's choice: another on every machine."""

SYSTEM_ONLY = _names(
    """
    apple color emoji, segoe ui emoji, segoe ui symbol, segoe ui historic, segoe ui variable, segoe ui
    semibold, noto color emoji, android emoji, twemoji mozilla, emojione color, symbol, webdings,
    wingdings, zapf dingbats, impact, haettenschweiler, arial narrow, arial narrow bold, comic sans ms,
    comic sans, chalkboard, chalkboard se, marker felt, brush script mt, bradley hand, snell roundhand,
    papyrus, copperplate, copperplate gothic, gill sans, gill sans mt, century gothic, franklin gothic
    medium, rockwell, didot, bodoni mt, bodoni 72, baskerville, hoefler text, big caslon, american
    typewriter, iowan old style, charter, new york, constantia, perpetua, athelas, seravek, avenir next
    condensed, helvetica neue light, hiragino sans, hiragino kaku gothic pro, hiragino kaku gothic pron,
    hiragino sans gb, hiragino mincho pron, yu gothic, yu mincho, meiryo, ms gothic, ms pgothic, ms
    mincho, osaka, pingfang sc, pingfang tc, pingfang hk, microsoft yahei, microsoft jhenghei, simsun,
    simhei, heiti sc, heiti tc, stheiti, songti sc, kaiti, apple sd gothic neo, malgun gothic, batang,
    gulim, dotum, geeza pro, al nile, ms sans serif, ms serif, droid sans, oxygen-sans, freesans,
    freeserif, freemono, nimbus sans, nimbus sans l, nimbus roman, nimbus mono, bitstream vera sans,
    bitstream vera sans mono
    """
)
"""Families that come with operating systems, in lower case: asking a font server for them is no use."""

CSS_WIDE = frozenset({"inherit", "initial", "unset", "revert", "revert-layer"})

_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


def package_name(family: str) -> str:
    """The family as fontsource spells it: `Big Shoulders Display` is `big-shoulders-display`."""
    return _NOT_A_NAME.sub("-", family.lower()).strip("-")


def stand_in(family: str) -> str:
    """The fontsource package to draw `family` with, if it is installed: its alias, else its own."""
    return ALIASES.get(family.lower(), package_name(family))
