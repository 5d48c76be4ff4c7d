"""Font families by name: what is bundled, what stands in for what, and what nobody has."""

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

_HAN_OF_SYSTEMS = {
    "SC": "pingfang sc, microsoft yahei, microsoft yahei ui, simhei, heiti sc, stheiti, hiragino sans gb, dengxian",
    "TC": "pingfang tc, microsoft jhenghei, microsoft jhenghei ui, heiti tc",
    "HK": "pingfang hk",
    "JP": (
        "hiragino sans, hiragino kaku gothic pro, hiragino kaku gothic pron, yu gothic, yu gothic ui, meiryo, "
        "meiryo ui, ms gothic, ms pgothic, osaka"
    ),
    "KR": "apple sd gothic neo, malgun gothic, gulim, dotum, nanum gothic",
}
_EMOJI_OF_SYSTEMS = "apple color emoji, segoe ui emoji, android emoji, twemoji mozilla, emojione color"
_SCRIPTS = (
    "arabic, armenian, bengali, devanagari, ethiopic, georgian, gujarati, gurmukhi, hebrew, kannada, khmer, lao, "
    "malayalam, math, myanmar, oriya, sinhala, symbols, symbols 2, tamil, telugu, thai"
)
BROWSER_FAMILIES = MappingProxyType(
    {f"noto sans {script}": f"Noto Sans {script.title()}" for script in _SCRIPTS.split(", ")}
    | {f"noto sans {form}": f"Noto Sans CJK {form.upper()}" for form in ("sc", "tc", "hk", "kr")}
    | {f"noto sans cjk {form}": f"Noto Sans CJK {form.upper()}" for form in ("sc", "tc", "hk", "kr", "jp")}
    | {f"source han sans {form}": f"Noto Sans CJK {form.upper()}" for form in ("sc", "tc", "hk")}
    | {"source han sans": "Noto Sans CJK JP", "source han sans k": "Noto Sans CJK KR"}
    | {name: f"Noto Sans CJK {form}" for form, names in _HAN_OF_SYSTEMS.items() for name in names.split(", ")}
    | dict.fromkeys(("noto color emoji", *_EMOJI_OF_SYSTEMS.split(", ")), "Noto Color Emoji")
    | {"noto sans": "Noto Sans"}
)
"""Families that the browser itself has, or has the like of, in lower case, and what it calls them (`browser_fonts`)."""

EMOJI_FAMILIES = frozenset(name for name, drawn in BROWSER_FAMILIES.items() if drawn == "Noto Color Emoji")
"""Those of them that have no letters, in which no text is set."""

GENERIC = _names(
    """
    sans-serif, serif, monospace, cursive, fantasy, system-ui, ui-sans-serif, ui-serif, ui-monospace,
    ui-rounded, emoji, math, fangsong, -apple-system, blinkmacsystemfont
    """
)
"""Names that mean a font of the machine's choice: another on every machine."""

SYSTEM_ONLY = _names(
    """
    segoe ui symbol, segoe ui historic, segoe ui variable, segoe ui semibold, symbol, webdings,
    wingdings, zapf dingbats, impact, haettenschweiler, arial narrow, arial narrow bold, comic sans ms,
    comic sans, chalkboard, chalkboard se, marker felt, brush script mt, bradley hand, snell roundhand,
    papyrus, copperplate, copperplate gothic, gill sans, gill sans mt, century gothic, franklin gothic
    medium, rockwell, didot, bodoni mt, bodoni 72, baskerville, hoefler text, big caslon, american
    typewriter, iowan old style, charter, new york, constantia, perpetua, athelas, seravek, avenir next
    condensed, helvetica neue light, hiragino mincho pron, yu mincho, ms mincho, simsun, songti sc,
    kaiti, batang, geeza pro, al nile, ms sans serif, ms serif, droid sans, oxygen-sans, freesans,
    freeserif, freemono, nimbus sans, nimbus sans l, nimbus roman, nimbus mono, bitstream vera sans,
    bitstream vera sans mono
    """
)
"""Families that come with operating systems, in lower case, and that nothing here is like."""

CSS_WIDE = frozenset({"inherit", "initial", "unset", "revert", "revert-layer"})

_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


def package_name(family: str) -> str:
    """The family as fontsource spells it: `Big Shoulders Display` is `big-shoulders-display`."""
    return _NOT_A_NAME.sub("-", family.lower()).strip("-")


def stand_in(family: str) -> str:
    """The fontsource package to draw `family` with, if it is installed: its alias, else its own."""
    return ALIASES.get(family.lower(), package_name(family))
