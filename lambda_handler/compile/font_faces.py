"""`@font-face` rules for the bundled families, out of the style sheets of the fontsource packages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambda_handler.browser_fonts import OWN_PACKAGES
from lambda_handler.compile.css_urls import quote, urls_in_css
from lambda_handler.compile.libraries import Bundle, Package

FONT_ROOT = "/_hf/fonts/"

WAITED_FOR = "font-display: block"
FACE = re.compile(r"@font-face\s*\{(?P<body>[^}]*)\}", re.IGNORECASE)
_DESCRIPTOR = re.compile(r"(?P<name>[\w-]+)\s*:\s*(?P<value>[^;]*?)\s*(?:;|$)")
_RANGE = re.compile(r"u\+([0-9a-f?]+)(?:-([0-9a-f]+))?", re.IGNORECASE)
# A variable package has a sheet for each set of axes: the first that is there has the most.
_VARIABLE_SHEETS = ("full", "standard", "wght", "index")
_KEPT = ("font-style", "font-weight", "font-stretch")
_LATIN = ord("A")


@dataclass(frozen=True)
class Faces:
    """Rules, and the files they name: served path -> file."""

    css: str
    files: Mapping[str, Path]


def font_package(bundle: Bundle, name: str) -> Package | None:
    """The package with the family `name` (as fontsource spells it): of static fonts, else a variable one.

    Some families are bundled as one variable font: Noto Sans JP because its static files are fourteen
    times as large, Roboto Flex because pages set its axes. Those of the browser's own fonts are none of a page's.
    """
    if name in OWN_PACKAGES:
        return None
    return bundle.package(f"@fontsource/{name}") or bundle.package(f"@fontsource-variable/{name}")


def font_packages(bundle: Bundle) -> list[str]:
    """The names of the bundled families, as fontsource spells them."""
    scopes = ("@fontsource", "@fontsource-variable")
    found = {folder.name for scope in scopes for folder in (bundle.node_modules / scope).glob("*")}
    return sorted(found - OWN_PACKAGES)


def faces(package: Package, family: str, characters: Collection[int], *, italics: bool) -> Faces:
    """Rules that give `family` every weight of the package, in the subsets that `characters` need."""
    rules: list[str] = []
    files: dict[str, Path] = {}
    for sheet in _sheets(package, italics):
        for face in FACE.finditer(sheet.read_text(encoding="utf-8")):
            if not needed(face["body"], characters):
                continue
            file = next(package.folder / url for url in urls_in_css(face["body"]) if url.endswith(".woff2"))
            served = posixpath.join(FONT_ROOT, package.folder.name, file.name)
            files[served] = file
            rules.append(_rule(family, served, descriptors(face["body"])))
    return Faces("\n".join(rules), files)


def descriptors(body: str) -> dict[str, str]:
    """The descriptors inside an `@font-face` rule."""
    return {match["name"].lower(): match["value"] for match in _DESCRIPTOR.finditer(body)}


def needed(body: str, characters: Collection[int]) -> bool:
    """Whether the rule covers Latin, which text made while the page runs can always need, or `characters`."""
    ranges = [_bounds(match) for match in _RANGE.finditer(descriptors(body).get("unicode-range", ""))]
    return not ranges or any(
        low <= _LATIN <= high or any(low <= character <= high for character in characters) for low, high in ranges
    )


def _bounds(match: re.Match[str]) -> tuple[int, int]:
    low = int(match[1].replace("?", "0"), 16)
    return low, int(match[2] or match[1].replace("?", "F"), 16)


def _sheets(package: Package, italics: bool) -> Iterator[Path]:
    names = [f"{weight}" for weight in range(100, 1000, 100)]
    if package.name.startswith("@fontsource-variable/"):
        names = [next(name for name in _VARIABLE_SHEETS if (package.folder / f"{name}.css").is_file())]
    for name in names:
        for style in ("", "-italic") if italics else ("",):
            sheet = package.folder / f"{name}{style}.css"
            if sheet.is_file():
                yield sheet


def _rule(family: str, served: str, given: Mapping[str, str]) -> str:
    lines = [f"font-family: {quote(family)}", f"src: {f'url({quote(served)})'} format({quote('woff2')})"]
    lines += [f"{name}: {given[name]}" for name in _KEPT if name in given]
    lines.append(WAITED_FOR)
    if "unicode-range" in given:
        lines.append(f"unicode-range: {given['unicode-range']}")
    return "@font-face { " + "; ".join(lines) + " }"
