"""Gives every font family a page names a file to be drawn from: the same one on every machine.

A family the author brings (`@font-face`, Google Fonts) is left to the author's rules. Of the others, those
that are bundled, or that a bundled one stands in for, get `@font-face` rules under the name the author
wrote. Where a stack would come down to a font of the machine's choice, Inter is put in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from lambda_handler.compile import google_fonts
from lambda_handler.compile.dom import (
    Document,
    Element,
    attribute,
    create_element,
    elements,
    head_of,
    prepend,
    remove,
    select,
    set_text,
    text_of,
)
from lambda_handler.compile.fetch import OFFLINE_VARIABLE
from lambda_handler.compile.font_faces import faces, font_package, font_packages
from lambda_handler.compile.font_families import (
    ALIASES,
    DEFAULT_FAMILY,
    GENERIC,
    SYSTEM_ONLY,
    package_name,
    stand_in,
)
from lambda_handler.compile.font_stacks import FontUse, Reference, Stack, read_fonts, with_first
from lambda_handler.compile.libraries import Bundle, Package
from lambda_handler.compile.resources import PAGE, Kind, Resources
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

FONT_MARK = "data-hf-fonts"

# :where() weighs nothing, so its rule loses to whatever the author says of html.
_FIRST_RULES = f"""html, body, * {{ text-rendering: geometricPrecision }}
:where(html) {{ font-family: {DEFAULT_FAMILY}, sans-serif }}"""
_FAMILY_ATTRIBUTES = ("font-family", "data-font-family")
_ITALIC_ELEMENTS = frozenset({"i", "em", "cite", "address", "var", "dfn"})
_ITALIC_WORD = re.compile(r"italic|oblique|\bital\b", re.IGNORECASE)
_FONT_IN_SCRIPT = re.compile(r"""font[-\w]*["']?\s*[:=,]\s*(.{1,200})""", re.IGNORECASE)
_LOADED_BY_SCRIPT = re.compile(r"""new\s+FontFace\(\s*["'`]([^"'`]+)""")


@dataclass
class LinkedFamilies:
    """The bundled families that Google Fonts links and imports ask for, by their names in lower case."""

    bundle: Bundle
    families: dict[str, str] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)

    def take(self, url: str) -> str | None:
        """Note the bundled families that `url` asks for; the URL of the others, None if there are none."""
        self.urls.append(url)
        others = []
        for family in google_fonts.families(url):
            if font_package(self.bundle, package_name(family)):
                self.families[family.lower()] = family
            else:
                others.append(family)
        return google_fonts.with_families(url, others) if others else None


def provide_fonts(
    document: Document, resources: Resources, linked: LinkedFamilies, characters: Collection[int]
) -> None:
    """Write the page's font rules as its first style sheet, and serve the files they name.

    It reads the style sheets and scripts that `resources` has placed; `characters` are all that the page
    may come to draw.
    """
    sheets = list(_sheets(document, resources))
    fonts = _Fonts(resources, linked, sheets)
    fonts.resolve()
    fonts.prefer_default()
    fonts.add(DEFAULT_FAMILY)
    words = [*linked.urls, *resources.scripts, *(sheet.css for sheet in sheets)]
    italics = any(_ITALIC_WORD.search(text) for text in words) or any(
        element.name in _ITALIC_ELEMENTS for element in elements(document)
    )
    style = create_element("style", {FONT_MARK: ""})
    set_text(style, f"{_FIRST_RULES}\n{fonts.rules(characters, italics=italics)}\n")
    prepend(head_of(document), style)
    for element in select(document, "head meta[charset]"):
        # A browser looks for it in the first 1024 bytes, which the rules would fill.
        remove(element)
        prepend(head_of(document), element)


@dataclass
class _Sheet:
    """Somewhere that CSS stands, and how to write it back."""

    css: str
    use: FontUse
    write: Callable[[str], None]


class _Fonts:
    def __init__(self, resources: Resources, linked: LinkedFamilies, sheets: list[_Sheet]) -> None:
        self.resources = resources
        self.sheets = sheets
        self.brought = {name for sheet in sheets for name in sheet.use.authored}
        self.brought.update(name.lower() for text in resources.scripts for name in _LOADED_BY_SCRIPT.findall(text))
        self.fetched: list[str] = []
        self.unknown: set[str] = set()
        self.drawn_with: dict[str, tuple[str, Package]] = {}
        for family in linked.families.values():
            self.add(family, package_name(family))

    def add(self, family: str, name: str | None = None) -> bool:
        """Whether `family` has a font now: the author's, or the bundled `name`."""
        key = family.lower()
        if key in self.brought or key in self.drawn_with:
            return True
        package = font_package(self.resources.bundle, name or stand_in(family))
        if package is not None:
            self.drawn_with[key] = (family, package)
        return package is not None

    def resolve(self) -> None:
        """Find a font for every family that can have one."""
        for sheet in self.sheets:
            for stack in self._stacks(sheet):
                self._resolve(stack)
        for family in _named_in_scripts(self.resources):
            self.add(family)

    def _resolve(self, stack: Stack) -> None:
        settled = False  # whether something before this family is drawn for certain
        for item in stack.items:
            if isinstance(item, Reference) or item.lower() in GENERIC or self.add(item):
                settled = True
            elif not settled and item.lower() not in SYSTEM_ONLY | self.unknown:
                settled = self._ask(item)

    def _ask(self, family: str) -> bool:
        """Whether Google Fonts has a family that the page names without saying where it is."""
        for url in google_fonts.family_urls(family):
            try:
                served = self.resources.place(url, PAGE, f'font-family "{family}"', Kind.STYLE)
            except PageAssetMissing:
                continue
            except AssetFetchUnavailable as error:
                raise AssetFetchUnavailable(
                    error.summary,
                    resolution="Put the font's file into the project with an @font-face rule, name a bundled "
                    f"family before it, or set {OFFLINE_VARIABLE}=1 to have another drawn instead.",
                ) from error
            self.fetched.append(self.resources.styles[served])
            self.brought.add(family.lower())
            return True
        self.unknown.add(family.lower())
        self.resources.warnings.append(f'No font is known for font-family "{family}": another is drawn instead.')
        return False

    def prefer_default(self) -> None:
        """Put Inter in front of every stack that would come down to a font of the machine's choice."""
        for sheet in self.sheets:
            offsets = [stack.offset for stack in self._stacks(sheet) if self._is_left_to_machine(stack)]
            if offsets:
                sheet.write(with_first(sheet.css, offsets, DEFAULT_FAMILY))

    def _is_left_to_machine(self, stack: Stack) -> bool:
        for item in stack.items:
            if isinstance(item, Reference):
                return False  # its values are stacks of their own
            if item.lower() in GENERIC:
                return True
            if item.lower() in self.brought or item.lower() in self.drawn_with:
                return False
        return True

    def _stacks(self, sheet: _Sheet) -> Iterator[Stack]:
        yield from sheet.use.stacks
        for name in self._font_variables():
            yield from sheet.use.variables.get(name, ())

    def _font_variables(self) -> list[str]:
        """The variables that some font is set from, directly or through other variables."""
        pending = [stack for sheet in self.sheets for stack in sheet.use.stacks]
        found: dict[str, None] = {}
        while pending:
            for item in pending.pop().items:
                if isinstance(item, Reference) and item.variable not in found:
                    found[item.variable] = None
                    for sheet in self.sheets:
                        pending.extend(sheet.use.variables.get(item.variable, ()))
        return list(found)

    def rules(self, characters: Collection[int], *, italics: bool) -> str:
        """The `@font-face` rules of every family found; their files are served from now on."""
        written = list(self.fetched)
        for family, package in self.drawn_with.values():
            made = faces(package, family, characters, italics=italics)
            self.resources.files.update(made.files)
            written.append(made.css)
        return "\n".join(written)


def _sheets(document: Document, resources: Resources) -> Iterator[_Sheet]:
    for element in elements(document):
        if element.name == "style":
            yield _sheet(text_of(element), partial(set_text, element))
        for name in ("style", *_FAMILY_ATTRIBUTES):
            value = attribute(element, name)
            if value:
                # An attribute that holds families alone is read as the declaration it stands for.
                declaration = "" if name == "style" else "font-family:"
                yield _sheet(declaration + value, partial(_set_attribute, element, name, declaration))
    for served, css in resources.styles.items():
        yield _sheet(css, partial(_set_file, resources, served))


def _sheet(css: str, write: Callable[[str], None]) -> _Sheet:
    read, use = read_fonts(css)
    return _Sheet(read, use, write)


def _set_attribute(element: Element, name: str, declaration: str, css: str) -> None:
    element.attrs[name] = css.removeprefix(declaration)


def _set_file(resources: Resources, served: str, css: str) -> None:
    resources.files[served] = css.encode()


def _named_in_scripts(resources: Resources) -> Iterator[str]:
    """The families with a bundled font that scripts seem to set: for a canvas, a style, an animation."""
    names = {*ALIASES, *(name.replace("-", " ") for name in font_packages(resources.bundle))}
    known = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})\b")
    for script in resources.scripts:
        for match in _FONT_IN_SCRIPT.finditer(script):
            yield from known.findall(match[1].lower())
