"""Google Fonts style sheets: which families a URL asks for, and the URL that asks for some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from urllib.parse import parse_qsl, quote, urlsplit

from lambda_handler.compile.font_faces import FACE, needed

HOST = "fonts.googleapis.com"

_IMPORT = re.compile(
    r"""@import\s+(?:url\(\s*)?(?P<quote>["']?)(?P<url>(?:https?:)?//fonts\.googleapis\.com/[^"')\s]+)(?P=quote)\s*\)?"""
    r"""(?P<conditions>[^;]*)(?:;|\Z)""",
    re.IGNORECASE,
)
_EVERY_STYLE = ":ital,wght@" + ";".join(
    [*(f"0,{weight}" for weight in range(100, 1000, 100)), *(f"1,{weight}" for weight in (400, 700))]
)


def is_style_sheet(url: str) -> bool:
    """Whether `url` is a style sheet that Google Fonts makes from the families named in it."""
    parts = urlsplit(url)
    return parts.hostname == HOST and parts.path in {"/css", "/css2", "/icon"}


def families(url: str) -> dict[str, str]:
    """The families that a style sheet's URL names, with the styles it asks for, as both are spelt there."""
    values = [value for name, value in parse_qsl(urlsplit(url).query) if name == "family"]
    asked = (family for value in values for family in value.split("|"))  # css has `|`, css2 repeats `family`
    parts = (family.partition(":") for family in asked if family)
    return {name.replace("+", " ").strip(): colon + styles for name, colon, styles in parts}


def with_families(url: str, kept: Collection[str]) -> str:
    """The same style sheet, of the families `kept` only."""
    parts = urlsplit(url)
    rest = [(name, value) for name, value in parse_qsl(parts.query) if name != "family"]
    asked = [("family", name + styles) for name, styles in families(url).items() if name in kept]
    if parts.path != "/css2":
        asked = [("family", "|".join(value for _, value in asked))]
    query = "&".join(f"{name}={quote(value, safe=':,;@|.')}" for name, value in [*asked, *rest])
    return f"https://{HOST}{parts.path}?{query}"


def family_urls(family: str) -> tuple[str, str]:
    """Where Google Fonts may have a family that no URL names: in every style, else in its only one."""
    name = quote(family.replace("+", " "))
    return tuple(f"https://{HOST}/css2?family={name}{styles}" for styles in (_EVERY_STYLE, ""))  # type: ignore[return-value]


def rewrite_imports(css: str, rewrite: Callable[[str], str | None]) -> str:
    """`css` with the URL of each Google Fonts `@import` rewritten, or the import left out for None."""

    def replaced(match: re.Match[str]) -> str:
        url = match["url"]
        absolute = f"https:{url}" if url.startswith("//") else url
        if not is_style_sheet(absolute):
            return match[0]
        new = rewrite(absolute)
        return "" if new is None else f'@import "{new}"{match["conditions"]};'

    return _IMPORT.sub(replaced, css)


def trimmed(css: str, characters: Collection[int]) -> str:
    """Google's answer without the subsets that `characters` do not need."""
    return FACE.sub(lambda match: match[0] if needed(match["body"], characters) else "", css)
