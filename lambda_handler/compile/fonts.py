"""Gives every font family a page names a font to be drawn with: the same one on every machine.

A family the author brings (`@font-face`, Google Fonts) is left to the author's rules. Of the others, those
that are bundled, or that a bundled one stands in for, get `@font-face` rules under the name the author
wrote. Where a stack would come down to a font of the machine's choice, Inter is put in front of it. Behind
every stack stand the browser's own fonts for the scripts that the page has text in.
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
    html_of,
    prepend,
    remove,
    select,
    set_text,
    text_of,
)
from lambda_handler.compile.font_faces import faces, font_package, font_packages
from lambda_handler.compile.font_families import (
    BROWSER_FAMILIES,
    DEFAULT_FAMILY,
    EMOJI_FAMILIES,
    GENERIC,
    SYSTEM_ONLY,
    package_name,
    stand_in,
)
from lambda_handler.compile.font_mentions import loaded_by_scripts, mentioned
from lambda_handler.compile.font_scripts import script_families
from lambda_handler.compile.font_sources import LostFont
from lambda_handler.compile.font_stacks import FontUse, Reference, Stack, read_fonts, with_families
from lambda_handler.compile.libraries import Bundle, Package
from lambda_handler.compile.resources import PAGE, Kind, Resources
from lambda_handler.errors import (
    AssetFetchUnavailable,
    FontFetchFailed,
    FontFetchUnavailable,
    PageAssetMissing,
    SystemFontUsed,
)

FONT_MARK = "data-hf-fonts"

# :where() weighs nothing, so its rule loses to whatever the author says of html.
_FIRST_RULES = """html, body, * {{ text-rendering: geometricPrecision }}
:where(html) {{ font-family: {families} }}"""
_FAMILY_ATTRIBUTES = ("font-family", "data-font-family")
_ITALIC_ELEMENTS = frozenset({"i", "em", "cite", "address", "var", "dfn"})
_ITALIC_WORD = re.compile(r"italic|oblique|\bital\b", re.IGNORECASE)
_STYLE_WORDS = re.compile(
    r"([\s-]*(?:thin|(?:extra|ultra|semi|demi)?[\s-]?(?:light|bold)|regular|roman|book|medium|black|heavy|italic|oblique))+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class FontStrictness:
    """What is an error, and not a warning with another font drawn: a family that cannot be had
    (`fail_closed_fetch`), one of an operating system that nothing stands in for (`reject_system`)."""

    fail_closed_fetch: bool = True
    reject_system: bool = True


STRICT = FontStrictness()


@dataclass
class LinkedFamilies:
    """The families that Google Fonts links and imports ask for and that are here, by their names in lower case.

    `families` are bundled, `browsers` are the browser's own.
    """

    bundle: Bundle
    families: dict[str, str] = field(default_factory=dict)
    browsers: set[str] = field(default_factory=set)
    urls: list[str] = field(default_factory=list)

    def take(self, url: str) -> str | None:
        """Note the families that `url` asks for and that are here; the URL of the others, None if there are none."""
        self.urls.append(url)
        others = []
        for family in google_fonts.families(url):
            if font_package(self.bundle, package_name(family)):
                self.families[family.lower()] = family
            elif family.lower() in BROWSER_FAMILIES:
                self.browsers.add(family.lower())
            else:
                others.append(family)
        return google_fonts.with_families(url, others) if others else None


def provide_fonts(
    document: Document,
    resources: Resources,
    linked: LinkedFamilies,
    characters: Collection[int],
    strictness: FontStrictness,
) -> None:
    """Write the page's font rules as its first style sheet, and serve the files they name.

    It reads the style sheets and scripts that `resources` has placed; `characters` are all that the page
    may come to draw. Raises FontFetchFailed, FontFetchUnavailable, SystemFontUsed.
    """
    sheets = list(_sheets(document, resources))
    fonts = _Fonts(resources, linked, sheets, strictness)
    fonts.resolve()
    root = html_of(document)
    fallback = script_families(characters, (attribute(root, "lang") or "") if root else "")
    fonts.write_stacks(fallback)
    fonts.add(DEFAULT_FAMILY)
    words = [*linked.urls, *resources.scripts, *(sheet.css for sheet in sheets)]
    italics = any(_ITALIC_WORD.search(text) for text in words) or any(
        element.name in _ITALIC_ELEMENTS for element in elements(document)
    )
    style = create_element("style", {FONT_MARK: ""})
    first = _FIRST_RULES.format(families=", ".join((DEFAULT_FAMILY, "sans-serif", *fallback)))
    set_text(style, f"{first}\n{fonts.rules(characters, italics=italics)}\n")
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
    def __init__(
        self, resources: Resources, linked: LinkedFamilies, sheets: list[_Sheet], strictness: FontStrictness
    ) -> None:
        self.resources = resources
        self.sheets = sheets
        self.strictness = strictness
        self.brought = {name for sheet in sheets for name in sheet.use.authored} | linked.browsers
        self.brought |= loaded_by_scripts(resources.scripts)
        self.fetched: list[str] = []
        self.unknown: set[str] = set()
        self.out_of_reach = False
        self.judged = 0
        self.drawn_with: dict[str, tuple[str, Package]] = {}
        for family in linked.families.values():
            self.add(family, package_name(family))

    def add(self, family: str, name: str | None = None) -> bool:
        """Whether `family` has a font now: the author's, the bundled `name`, or one of the browser's own."""
        key = family.lower()
        if key in self.brought or key in self.drawn_with:
            return True
        package = font_package(self.resources.bundle, name or stand_in(family))
        if package is not None:
            self.drawn_with[key] = (family, package)
        return package is not None or key in BROWSER_FAMILIES

    def resolve(self) -> None:
        """Find a font for every family that can have one."""
        self._judge_lost()
        for sheet in self.sheets:
            for stack in self._stacks(sheet):
                self._resolve(stack)
        for family in mentioned(self.resources.scripts, self.resources.project, font_packages(self.resources.bundle)):
            self.add(family)

    def _judge_lost(self) -> None:
        """Have the fonts that were promised and cannot be had drawn with others, or refuse the page."""
        lost, self.judged = self.resources.lost_fonts[self.judged :], len(self.resources.lost_fonts)
        for font in lost:
            if font.reason is None:
                self._add_local(font)
            elif self.add(font.family):
                self.resources.warnings.append(
                    f'{font.reason.summary} A stand-in for "{font.family}" is drawn instead.'
                )
            else:
                self._refuse(font.family, font.reason)

    def _add_local(self, font: LostFont) -> None:
        """A rule that names fonts of the author's machine alone: what stands in for them is drawn."""
        if not self.add(font.family):
            names = (_STYLE_WORDS.sub("", name) for name in font.local)
            any(self.add(font.family, stand_in(name)) for name in names)

    def _refuse(self, family: str, reason: PageAssetMissing | AssetFetchUnavailable) -> None:
        """Raise that `family` cannot be had, or have the page drawn without it."""
        if self.strictness.fail_closed_fetch:
            unavailable = isinstance(reason, AssetFetchUnavailable)
            raise (FontFetchUnavailable if unavailable else FontFetchFailed)(reason.summary) from reason
        self.unknown.add(family.lower())
        self.resources.warnings.append(f'{reason.summary} Another font than "{family}" is drawn instead.')

    def _resolve(self, stack: Stack) -> None:
        settled = False  # whether something before this family is drawn for certain
        for item in stack.items:
            if isinstance(item, Reference) or item.lower() in GENERIC:
                settled = True
            elif self.add(item):
                settled = settled or item.lower() not in EMOJI_FAMILIES
            elif not settled and item.lower() not in SYSTEM_ONLY | self.unknown:
                settled = self._ask(item)

    def _ask(self, family: str) -> bool:
        """Whether Google Fonts has a family that the page names without saying where it is."""
        asked_by = f'font-family "{family}"'
        # A server that cannot be reached is waited for once.
        for url in () if self.out_of_reach else google_fonts.family_urls(family):
            try:
                served = self.resources.place(url, PAGE, asked_by, Kind.STYLE)
            except PageAssetMissing:
                continue
            except AssetFetchUnavailable as error:
                self.out_of_reach = True
                self._refuse(family, error)
                return False
            self._judge_lost()
            self.fetched.append(self.resources.styles[served])
            self.brought.add(family.lower())
            return True
        self._refuse(family, PageAssetMissing(f"No font is known for {asked_by}."))
        return False

    def write_stacks(self, fallback: Collection[str]) -> None:
        """Put Inter before the stacks that would come down to a font of the machine's choice, `fallback` behind all."""
        for sheet in self.sheets:
            left = [stack for stack in self._stacks(sheet) if self._is_left_to_machine(stack)]
            for stack in left:
                self._judge_system(stack)
            first = [stack.offset for stack in left]
            last = [stack.offset for stack in sheet.use.stacks] if fallback else []
            if first or last:
                sheet.write(with_families(sheet.css, first, DEFAULT_FAMILY, last, fallback))

    def _judge_system(self, stack: Stack) -> None:
        """Refuse, or warn of, a family of operating systems' that the author means and that nothing stands in for."""
        family = next(iter(stack.items), None)
        if not isinstance(family, str) or family.lower() not in SYSTEM_ONLY:
            return
        told = f'font-family "{family}" comes with operating systems, and nothing stands in for it'
        if self.strictness.reject_system:
            raise SystemFontUsed(f"{told}.")
        self.resources.warnings.append(f"{told}: {DEFAULT_FAMILY} is drawn instead.")

    def _is_left_to_machine(self, stack: Stack) -> bool:
        for item in stack.items:
            if isinstance(item, Reference):
                return False  # its values are stacks of their own
            if item.lower() in GENERIC:
                return True
            if self.add(item) and item.lower() not in EMOJI_FAMILIES:
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
