"""Makes a page independent of the network: everything it names is served from its own origin.

What is named is looked for in the project, then among the bundled packages, then once in the network. What
cannot be had fails here, with the URL and the element that asked, and not later in every chunk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lambda_handler.compile import google_fonts
from lambda_handler.compile.characters import characters_of, project_texts
from lambda_handler.compile.dom import (
    Document,
    Element,
    Node,
    attribute,
    describe,
    elements,
    remove,
    select,
    select_one,
    serialise,
    set_text,
    template_content,
    text_of,
)
from lambda_handler.compile.fetch import Fetch
from lambda_handler.compile.fonts import STRICT, FontStrictness, LinkedFamilies, provide_fonts
from lambda_handler.compile.libraries import Bundle, parse_cdn_url
from lambda_handler.compile.resources import PAGE, Kind, Resources
from lambda_handler.errors import PageAssetMissing

_URL_ATTRIBUTES = {
    "audio": ("src",),
    "embed": ("src",),
    "feimage": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "img": ("src",),
    "input": ("src",),
    "object": ("data",),
    "source": ("src",),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
_CANDIDATE = re.compile(r"(?P<url>[^\s,]\S*[^\s,]|[^\s,])(?P<descriptor>[^,]*)")
# Hints for a network that is not there, and pictures that no video shows.
_NEEDLESS_LINKS = frozenset(
    (
        "preconnect",
        "dns-prefetch",
        "preload",
        "prefetch",
        "modulepreload",
        "prerender",
        "icon",
        "apple-touch-icon",
    )
)
_SCRIPT_TYPES = frozenset(("", "text/javascript", "application/javascript", "module"))


@dataclass(frozen=True)
class Localised:
    """What has to be served beside the project's own files: served path -> file, or content.

    A path of the project is among them where its file had to be rewritten; the content here wins.
    """

    files: Mapping[str, Path | bytes]
    warnings: tuple[str, ...]


def localise(
    document: Document, *, project: Path, node_modules: Path, fetch: Fetch, strictness: FontStrictness = STRICT
) -> Localised:
    """Rewrite `document`, the flat page of the project in `project`, so that it needs no network.

    Raises PageAssetMissing for what cannot be had, AssetFetchUnavailable where trying again may help; for fonts
    FontFetchFailed, FontFetchUnavailable and SystemFontUsed, as far as `strictness` asks for them.
    """
    bundle = Bundle(node_modules)
    linked = LinkedFamilies(bundle)
    characters = characters_of([serialise(document), *project_texts(project)])
    resources = Resources(project, bundle, fetch, linked.take, lambda css: google_fonts.trimmed(css, characters))
    page = _Page(document, resources, linked)
    page.place_import_maps()
    page.place_elements(document)
    provide_fonts(document, resources, linked, characters, strictness)
    return Localised(resources.files, tuple(dict.fromkeys(resources.warnings)))


class _Page:
    def __init__(self, document: Document, resources: Resources, linked: LinkedFamilies) -> None:
        self.document = document
        self.resources = resources
        self.linked = linked
        self.base = self._base()
        for policy in select(document, "meta[http-equiv]"):
            # A policy written for the author's CDNs would forbid their local copies.
            if (attribute(policy, "http-equiv") or "").lower() == "content-security-policy":
                remove(policy)

    def _base(self) -> str:
        """What relative URLs are relative to; a `<base>` elsewhere must not catch the rewritten ones."""
        element = select_one(self.document, "base[href]")
        base = urljoin(PAGE, (attribute(element, "href") or "") if element else "")
        if element and not base.startswith(PAGE):
            remove(element)
        return base

    def place_import_maps(self) -> None:
        """Point every import map at what is served; modules are then read with what it says."""
        for element in select(self.document, 'script[type="importmap"]'):
            try:
                written = json.loads(text_of(element))
                maps = [written.get("imports", {}), *written.get("scopes", {}).values()]
                for names in maps:
                    self.resources.import_map |= {key: urljoin(self.base, url) for key, url in names.items()}
            except (ValueError, AttributeError, TypeError) as error:
                raise PageAssetMissing(
                    f"The import map of the page cannot be read: {error}.", resolution="Mend its JSON."
                ) from error
            for names in maps:
                names.update({key: self._mapped(key, url) for key, url in names.items()})
            written.pop("integrity", None)
            set_text(element, json.dumps(written, indent=2))

    def _mapped(self, key: str, url: str) -> str:
        if not key.endswith("/"):
            return self.resources.place(url, self.base, f'The import map\'s "{key}"', Kind.MODULE)
        # A whole folder: what modules import out of it is placed with them.
        request = parse_cdn_url(urljoin(self.base, url))
        package = request and self.resources.bundle.package(request.package, request.version)
        return f"{package.served}{request.file}" if request and package else url

    def place_elements(self, root: Node) -> None:
        """Place what the elements below `root` name, and those in templates too, which scripts mount."""
        for element in elements(root):
            self._place_element(element)
            if element.template_content is not None:
                self._place_template(template_content(element))

    def _place_template(self, content: Node) -> None:
        for element in elements(content):
            try:
                self._place_element(element)
            except PageAssetMissing as missing:  # it may never be mounted
                self.resources.warnings.append(missing.summary)

    def _place_element(self, element: Element) -> None:
        name = element.name.lower()
        style = attribute(element, "style")
        if style:
            element.attrs["style"] = self.resources.style(style, self.base, describe(element))
        if name == "script":
            self._place_script(element)
        elif name == "link":
            self._place_link(element)
        elif name == "style":
            css = text_of(element)
            new = self.resources.style(css, self.base, describe(element))
            if new != css:
                set_text(element, new)
        elif name in {"iframe", "frame"}:
            self._refuse_remote(element)
        elif name in _URL_ATTRIBUTES or "-" in name:
            self._place_media(element, _URL_ATTRIBUTES.get(name, ("src",)))

    def _place_script(self, element: Element) -> None:
        kind = (attribute(element, "type") or "").strip().lower()
        if kind not in _SCRIPT_TYPES:
            return
        module = kind == "module"
        if attribute(element, "src"):
            self._rewrite(element, "src", Kind.MODULE if module else Kind.SCRIPT)
            return
        text = text_of(element)
        new = self.resources.script(text, self.base, describe(element), module=module, inline=True)
        if new != text:
            set_text(element, new)

    def _place_link(self, element: Element) -> None:
        href = urljoin(self.base, (attribute(element, "href") or "").strip())
        relations = set((attribute(element, "rel") or "").lower().split())
        if "stylesheet" in relations:
            if google_fonts.is_style_sheet(href):
                served = self.resources.google_sheet(href, describe(element))
                if served is None:
                    remove(element)
                    return
                element.attrs["href"] = served
            self._rewrite(element, "href", Kind.STYLE)
        elif relations & _NEEDLESS_LINKS and not href.startswith(PAGE):
            remove(element)

    def _place_media(self, element: Element, names: tuple[str, ...]) -> None:
        for name in names:
            if name != "src" or element.name != "input" or attribute(element, "type") == "image":
                self._rewrite(element, name, Kind.ASSET)
        srcset = attribute(element, "srcset")
        if srcset and "data:" not in srcset:
            element.attrs["srcset"] = ", ".join(self._candidates(element, srcset))
        element.attrs.pop("crossorigin", None)

    def _candidates(self, element: Element, srcset: str) -> Iterator[str]:
        for match in _CANDIDATE.finditer(srcset):
            url = self.resources.place(match["url"], self.base, describe(element), Kind.ASSET)
            yield url + match["descriptor"].rstrip()

    def _rewrite(self, element: Element, name: str, kind: Kind) -> None:
        url = attribute(element, name)
        if not url:
            return
        new = self.resources.place(url, self.base, describe(element), kind)
        if new != url:
            element.attrs[name] = new
        # A rewritten file has another hash, and its own origin needs no permission.
        element.attrs.pop("integrity", None)
        element.attrs.pop("crossorigin", None)

    def _refuse_remote(self, element: Element) -> None:
        src = (attribute(element, "src") or "").strip()
        address = urljoin(self.base, src)
        if src and not address.startswith(PAGE) and urlsplit(address).scheme in {"http", "https"}:
            raise PageAssetMissing(
                f"{describe(element)} shows a page of another site, which a render does not load.",
                resolution="Put what it shows into the project.",
            )
