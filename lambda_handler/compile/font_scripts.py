"""Which fonts of the browser's own draw the scripts that a page's characters belong to.

The browser finds them by itself, and then draws bold and light text with a thickened regular font; in a stack,
by their names, their true weights are drawn.
"""

from __future__ import annotations

from collections.abc import Collection

from lambda_handler.compile.font_families import BROWSER_FAMILIES

# Unicode blocks (first, last) by family; Latin, Greek and Cyrillic for the families that have a part of them only.
_BLOCKS = {
    "noto sans": ((0x0100, 0x052F), (0x1E00, 0x1FFF)),
    "noto sans armenian": ((0x0530, 0x058F),),
    "noto sans hebrew": ((0x0590, 0x05FF), (0xFB1D, 0xFB4F)),
    "noto sans arabic": ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)),
    "noto sans devanagari": ((0x0900, 0x097F), (0xA8E0, 0xA8FF)),
    "noto sans bengali": ((0x0980, 0x09FF),),
    "noto sans gurmukhi": ((0x0A00, 0x0A7F),),
    "noto sans gujarati": ((0x0A80, 0x0AFF),),
    "noto sans oriya": ((0x0B00, 0x0B7F),),
    "noto sans tamil": ((0x0B80, 0x0BFF),),
    "noto sans telugu": ((0x0C00, 0x0C7F),),
    "noto sans kannada": ((0x0C80, 0x0CFF),),
    "noto sans malayalam": ((0x0D00, 0x0D7F),),
    "noto sans sinhala": ((0x0D80, 0x0DFF),),
    "noto sans thai": ((0x0E00, 0x0E7F),),
    "noto sans lao": ((0x0E80, 0x0EFF),),
    "noto sans myanmar": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "noto sans georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    "noto sans ethiopic": ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)),
    "noto sans khmer": ((0x1780, 0x17FF), (0x19E0, 0x19FF)),
}
_HAN = ((0x2E80, 0x2FDF), (0x3000, 0x303F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF))
_HAN_RARE = ((0x20000, 0x3FFFF),)
_KANA = ((0x3041, 0x30FF), (0x31F0, 0x31FF))
_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF))
_FORMS = {"ja": "jp", "ko": "kr", "zh-tw": "tc", "zh-hant": "tc", "zh-hk": "hk", "zh-mo": "hk", "zh": "sc"}

Blocks = tuple[tuple[int, int], ...]


def script_families(characters: Collection[int], language: str = "") -> tuple[str, ...]:
    """The families, as the browser calls them, that the scripts of `characters` are drawn with.

    Han has the form of the page's `language` (BCP 47); else Japan's or Korea's where their letters are beside it,
    and mainland China's where they are not.
    """
    beyond_latin = [character for character in characters if character >= _BLOCKS["noto sans"][0][0]]
    found = [family for family, blocks in _BLOCKS.items() if _any_in(beyond_latin, blocks)]
    families = [BROWSER_FAMILIES[family] for family in found]
    if _any_in(beyond_latin, (*_HAN, *_HAN_RARE, *_KANA, *_HANGUL)):
        families.append(BROWSER_FAMILIES[f"noto sans cjk {_form(beyond_latin, language.lower())}"])
    return tuple(families)


def _form(characters: Collection[int], language: str) -> str:
    said = next((form for tag, form in _FORMS.items() if language == tag or language.startswith(f"{tag}-")), None)
    if said:
        return said
    if _any_in(characters, _KANA):
        return "jp"
    return "kr" if _any_in(characters, _HANGUL) else "sc"


def _any_in(characters: Collection[int], blocks: Blocks) -> bool:
    return any(low <= character <= high for low, high in blocks for character in characters)
