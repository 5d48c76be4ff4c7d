"""Everything a page loads, each given a place under the page's own origin.

An address is a whole URL; the page's own files have addresses too, under `PAGE`. What is at an address is
looked for in the project's folder, then among the bundled packages, then in the network. What it loads in
turn (a style sheet's images, a module's imports) is placed with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from lambda_handler.compile import google_fonts, modules
from lambda_handler.compile.css_urls import rewrite_css_urls
from lambda_handler.compile.fetch import Fetch, Fetched
from lambda_handler.compile.font_sources import LostFont, rewrite_sources
from lambda_handler.compile.libraries import LIBRARY_ROOT, Bundle, LibraryFile, LibraryRequest, parse_cdn_url
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

PAGE = "https://page.invalid/"
REMOTE_ROOT = "/_hf/remote/"

_LOCAL_SCHEMES = frozenset({"data", "blob", "about", "javascript", "mailto", "tel"})
_SUFFIXES = {
    "text/css": ".css",
    "text/javascript": ".js",
    "application/javascript": ".js",
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "font/woff2": ".woff2",
    "application/json": ".json",
    "video/mp4": ".mp4",
    "audio/mpeg": ".mp3",
}
_UNSAFE = re.compile(r"[^\w.-]+")
# A package inside a path: `vendor/gsap/dist/gsap.min.js`, `node_modules/three/build/three.module.js`.
_VENDORED = re.compile(r"(?:^|/)node_modules/(?P<npm>(?:@[^/]+/)?[^/]+)/(?P<file>.+)|(?:^|/)gsap/(?P<gsap>dist/.+)")
_FETCHED_FROM_SCRIPTS = re.compile(
    r"\.(?:json|geojson|topojson|csv|tsv|txt|svg|png|jpe?g|webp|avif|gif|woff2?|ttf|otf|css|m?js|wasm|glb|gltf|"
    r"bin|hdr|exr|ktx2|obj|mp3|wav|m4a|ogg|mp4|webm|mov|lottie)$",
    re.IGNORECASE,
)


class Kind(Enum):
    """What a reference expects: it says what else has to be read inside."""

    ASSET = auto()
    STYLE = auto()
    SCRIPT = auto()
    MODULE = auto()


@dataclass
class Resources:
    """Places what is asked for, once. `files` is what has to be served beside the project's own files.

    A project file that had to be rewritten is in `files` too, under its own path. A font that cannot be had is no
    error yet: whether another will do is for those to say who know all of them.
    """

    project: Path
    bundle: Bundle
    fetch: Fetch
    take_google_families: Callable[[str], str | None]
    trim_google_sheet: Callable[[str], str]
    files: dict[str, Path | bytes] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    scripts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lost_fonts: list[LostFont] = field(default_factory=list)
    import_map: dict[str, str] = field(default_factory=dict)
    _placed: dict[tuple[str, Kind], str] = field(default_factory=dict)

    def place(self, url: str, base: str, asked_by: str, kind: Kind = Kind.ASSET) -> str:
        """The URL to write instead of `url`; the same where nothing needs to change."""
        written = url.strip()
        if not written or written.startswith("#") or _scheme(written) in _LOCAL_SCHEMES:
            return url
        try:
            address, part = urldefrag(urljoin(base, written))
        except ValueError as error:
            raise PageAssetMissing(f"{asked_by} asks for {url}, which is no valid URL: {error}.") from error
        suffix = f"#{part}" if part else ""
        if address.startswith(PAGE):
            served = self._place_local(address, asked_by, kind)
            return url if served is None else served + suffix
        if urlsplit(address).scheme not in {"http", "https"}:
            raise PageAssetMissing(f"{asked_by} asks for {url}, which no other machine has.")
        return (self._place_library(address, kind) or self._place_remote(address, asked_by, kind)) + suffix

    def style(self, css: str, base: str, asked_by: str) -> str:
        """`css`, which is at `base`, with what it loads placed."""
        done: set[str] = set()

        def placed(url: str) -> str:
            if url in done:  # and no URL that `base` would make another of
                return url
            new = self.place(url, base, asked_by, Kind.STYLE if _is_style(urlsplit(url).path) else Kind.ASSET)
            done.add(new)
            return new

        def imported(url: str) -> str | None:
            served = self.google_sheet(url, asked_by)
            done.add(served or "")
            return served

        css = google_fonts.rewrite_imports(css, imported)
        return rewrite_css_urls(rewrite_sources(css, placed, self.lost_fonts.append), placed)

    def google_sheet(self, url: str, asked_by: str) -> str | None:
        """Where the families of a Google Fonts sheet that are not bundled are served; None if none is."""
        others = self.take_google_families(url)
        if others is None:
            return None
        try:
            return self.place(others, PAGE, asked_by, Kind.STYLE)
        except (PageAssetMissing, AssetFetchUnavailable) as error:
            self.lost_fonts += [LostFont(family, error) for family in google_fonts.families(others)]
            return None

    def script(self, text: str, base: str, asked_by: str, *, module: bool, inline: bool) -> str:
        """A script of the author's, with its imports and the URLs it spells out placed."""
        self.scripts.append(text)
        text = self._imports(text, base, asked_by, static=module)
        return modules.rewrite_urls(text, lambda url: self._named_in_script(url, asked_by, inline))

    def _imports(self, text: str, base: str, asked_by: str, *, static: bool = True) -> str:
        return modules.rewrite_imports(text, lambda specifier: self._imported(specifier, base, asked_by), static=static)

    def _imported(self, specifier: str, base: str, asked_by: str) -> str:
        if specifier.startswith(("./", "../", "/")) or _scheme(specifier):
            return self.place(specifier, base, asked_by, Kind.MODULE)
        mapped = self._mapped(specifier)
        if mapped is not None:
            placed = self.place(mapped, PAGE, asked_by, Kind.MODULE)
            return urlsplit(placed).path if placed.startswith(PAGE) else placed
        importer = self._library_file(base)
        found = importer and self.bundle.import_from(importer, specifier)
        return self._ship(found, Kind.MODULE) if found else specifier

    def _mapped(self, specifier: str) -> str | None:
        """What the page's import map says: the whole specifier, else the longest prefix of it."""
        if specifier in self.import_map:
            return self.import_map[specifier]
        prefixes = [key for key in self.import_map if key.endswith("/") and specifier.startswith(key)]
        longest = max(prefixes, key=len, default=None)
        return None if longest is None else self.import_map[longest] + specifier.removeprefix(longest)

    def _named_in_script(self, url: str, asked_by: str, inline: bool) -> str:
        address = f"https:{url}" if url.startswith("//") else url
        request = parse_cdn_url(address)
        folder = self.bundle.folder(request) if request else []
        if request and folder:
            for file in folder:
                self._ship(file, Kind.ASSET)
            return folder[0].package.served + request.file
        found = self.bundle.find(request) if request else None
        if found:
            return self._ship(found, Kind.MODULE if _is_script(found.file) else Kind.ASSET)
        # Libraries in the project mention many URLs that they never load; what a page spells out it means.
        if not inline or not _FETCHED_FROM_SCRIPTS.search(urlsplit(address).path):
            return url
        try:
            return self._place_remote(address, asked_by, Kind.ASSET)
        except PageAssetMissing as missing:
            self.warnings.append(missing.summary)
            return url

    def _place_local(self, address: str, asked_by: str, kind: Kind) -> str | None:
        path = unquote(urlsplit(address).path)
        if path.startswith(LIBRARY_ROOT):
            found = self.bundle.served_file(path)
            return None if found is None or self._ship(found, kind) == path else found.served
        if path.startswith("/_hf/"):
            return None
        file = self.project / path.lstrip("/")
        if not (file.is_file() and file.resolve().is_relative_to(self.project.resolve())):
            vendored = self._vendored(path)
            if vendored is None:
                raise PageAssetMissing(f"{asked_by} asks for {path.lstrip('/')}, which the project does not have.")
            return self._ship(vendored, kind)
        if (address, kind) not in self._placed and kind is not Kind.ASSET:
            self._placed[address, kind] = path
            self._read_local(file, path, address, kind)
        return None

    def _read_local(self, file: Path, path: str, address: str, kind: Kind) -> None:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        if kind is Kind.STYLE:
            new = self.styles[path] = self.style(text, address, path)
        else:
            new = self.script(text, address, path, module=kind is Kind.MODULE, inline=False)
        if new != text:
            self.files[path] = new.encode()

    def _vendored(self, path: str) -> LibraryFile | None:
        """A package's file at a path where only the author's machine has it."""
        match = _VENDORED.search(path)
        if match is None:
            return None
        return self.bundle.find(LibraryRequest(match["npm"] or "gsap", "", match["file"] or match["gsap"]))

    def _place_library(self, address: str, kind: Kind) -> str | None:
        request = parse_cdn_url(address)
        found = self.bundle.find(request) if request else None
        return None if found is None or request is None else self._ship(found, Kind.MODULE if request.module else kind)

    def _ship(self, file: LibraryFile, kind: Kind) -> str:
        """Serve the file of a package, with what it loads."""
        if _is_style(file.file):
            kind = Kind.STYLE
        served = file.served
        if (served, kind) in self._placed:
            return served
        self._placed[served, kind] = served
        self.files.setdefault(served, file.path)
        if kind is Kind.STYLE:
            # Leaflet finds its markers by the place of its style sheet.
            for image in sorted((file.path.parent / "images").glob("*.png")):
                self.files.setdefault(f"{served.rpartition('/')[0]}/images/{image.name}", image)
        if kind in {Kind.STYLE, Kind.MODULE}:
            text = file.path.read_text(encoding="utf-8")
            address = urljoin(PAGE, served)
            if kind is Kind.STYLE:
                new = self.styles[served] = self.style(text, address, served)
            else:
                new = self._imports(text, address, served)
            if new != text:
                self.files[served] = new.encode()
        return served

    def _library_file(self, address: str) -> LibraryFile | None:
        return self.bundle.served_file(urlsplit(address).path) if address.startswith(PAGE) else None

    def _place_remote(self, address: str, asked_by: str, kind: Kind) -> str:
        if (address, kind) in self._placed:
            return self._placed[address, kind]
        fetched = self.fetch(address, asked_by=asked_by)
        served = self._placed[address, kind] = _served_name(address, fetched)
        if kind is Kind.ASSET and fetched.media_type == "text/css":
            kind = Kind.STYLE
        self.files[served] = fetched.body
        if kind in {Kind.STYLE, Kind.MODULE}:
            text = fetched.body.decode("utf-8-sig", errors="replace")
            if kind is Kind.STYLE:
                if google_fonts.is_style_sheet(address):
                    text = self.trim_google_sheet(text)
                text = self.styles[served] = self.style(text, fetched.url, address)
            else:
                text = self._imports(text, fetched.url, address)
            self.files[served] = text.encode()
        return served


def _scheme(url: str) -> str:
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", url)
    return match[1].lower() if match else ""


def _is_style(path: str) -> bool:
    return path.endswith(".css")


def _is_script(path: str) -> bool:
    return path.endswith((".js", ".mjs"))


def _served_name(address: str, fetched: Fetched) -> str:
    """A path for what was fetched: its name for people, its address's hash for uniqueness."""
    name = _UNSAFE.sub("-", unquote(PurePosixPath(urlsplit(address).path).name))[-80:] or "file"
    suffix = _SUFFIXES.get(fetched.media_type, "")
    if suffix and PurePosixPath(name).suffix.lower() != suffix and (suffix in {".css", ".js"} or "." not in name):
        name += suffix
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    return f"{REMOTE_ROOT}{digest}/{name}"
