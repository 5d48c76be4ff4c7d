"""Page libraries that authors load from CDNs, found among the installed npm packages.

`parse_cdn_url` reads what a URL asks for; `Bundle.find` gives the installed file that answers it. A file
is served under `/_hf/lib/<package>@<version>/<path in the package>`, so that relative URLs inside a package
keep working.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lambda_handler.compile.cdn_names import CDNJS_FOLDERS, CDNJS_PACKAGES, DRACO_FOLDER, DRACO_PREFIX
from lambda_handler.compile.versions import newest_satisfying

LIBRARY_ROOT = "/_hf/lib/"

_PACKAGE = re.compile(r"(?P<name>(?:@[\w.~-]+/)?[\w.~-]+)(?:@(?P<version>[^/]*))?(?:/(?P<file>.*))?")
_SERVED = re.compile(r"/_hf/lib/(?P<name>(?:@[^/]+/)?[^/@]+)@(?P<version>[^/]+)/(?P<file>.+)")
_RELEASE = re.compile(r"r(\d+)")  # three.js counts its releases r128; npm calls that 0.128.0
_NPM_CDNS = {
    "cdn.jsdelivr.net": "/npm/",
    "fastly.jsdelivr.net": "/npm/",
    "unpkg.com": "/",
    "www.unpkg.com": "/",
}
_MODULE_CDNS = {"esm.sh": "/", "cdn.skypack.dev": "/", "esm.run": "/"}
_CONDITIONS = ("import", "module", "browser", "default")


@dataclass(frozen=True)
class LibraryRequest:
    """What a CDN URL asks for. `module` says that the answer has to be an ES module."""

    package: str
    version: str
    file: str
    module: bool = False
    folders: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class LibraryFile:
    """A file of an installed package; `file` is its path inside the package."""

    package: Package = field(repr=False)
    file: str

    @property
    def path(self) -> Path:
        """Where it is on this machine."""
        return self.package.folder / self.file

    @property
    def served(self) -> str:
        """The path it is served under."""
        return f"{self.package.served}{self.file}"


def parse_cdn_url(url: str) -> LibraryRequest | None:
    """What `url` asks a CDN for, or None if it is not a CDN's URL for an npm package."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), unquote(parts.path)
    if host == "cdnjs.cloudflare.com":
        return _parse_cdnjs(path)
    if url.startswith(DRACO_PREFIX):
        package, version, folder = DRACO_FOLDER
        return LibraryRequest(package, version, folder + path.rpartition("/")[2])
    module = host in _MODULE_CDNS or "module" in parts.query.split("&")
    prefix = _NPM_CDNS.get(host) or _MODULE_CDNS.get(host)
    if prefix is None or not path.startswith(prefix):
        return None
    match = _PACKAGE.fullmatch(path.removeprefix(prefix))
    if match is None:
        return None
    file = match["file"] or ""
    if file == "+esm" or file.endswith("/+esm"):
        file, module = file.removesuffix("+esm").rstrip("/"), True
    return LibraryRequest(match["name"], match["version"] or "", file, module)


def _parse_cdnjs(path: str) -> LibraryRequest | None:
    match = re.fullmatch(r"/ajax/libs/([^/]+)/([^/]+)/(.+)", path)
    package = CDNJS_PACKAGES.get(match[1]) if match else None
    if match is None or package is None:
        return None
    return LibraryRequest(package, _RELEASE.sub(r"0.\1.0", match[2]), match[3], folders=CDNJS_FOLDERS)


@dataclass(frozen=True)
class Package:
    """An installed package. Its folder may be an alias; its name and version are what package.json says."""

    folder: Path

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / "package.json").read_text(encoding="utf-8"))
        return manifest

    @property
    def name(self) -> str:
        """The name on npm."""
        return str(self._manifest.get("name", ""))

    @property
    def version(self) -> str:
        """The exact version."""
        return str(self._manifest.get("version", ""))

    @property
    def served(self) -> str:
        """The path its folder is served under."""
        return f"{LIBRARY_ROOT}{self.name}@{self.version}/"

    def file(self, path: str) -> LibraryFile | None:
        """The file at `path`, if the package has it. A missing `x.min.js` is answered with `x.js`."""
        for candidate in (path, re.sub(r"\.min\.(\w+)$", r".\1", path)):
            found = self.folder / candidate
            if found.is_file() and found.resolve().is_relative_to(self.folder.resolve()):
                return LibraryFile(self, found.relative_to(self.folder).as_posix())
        return None

    def script_entry(self, fields: tuple[str, ...] = ("jsdelivr", "unpkg", "browser", "main")) -> str:
        """The file that a CDN serves for the bare package name."""
        named = (self._manifest.get(field) for field in fields)
        return next((str(name).removeprefix("./") for name in named if isinstance(name, str)), "index.js")

    def module_entry(self, subpath: str) -> LibraryFile | None:
        """The ES module that importing `<package>/<subpath>` gives."""
        target = self._exported(f"./{subpath}" if subpath else ".")
        candidates = (
            [target, f"{subpath}", f"{subpath}.js"] if subpath else [target, self.script_entry(("module", "main"))]
        )
        found = (self.file(candidate.removeprefix("./")) for candidate in candidates if candidate)
        return next((file for file in found if file), None)

    def _exported(self, key: str) -> str | None:
        exports = self._manifest.get("exports")
        if isinstance(exports, str) or (isinstance(exports, dict) and not any(k.startswith(".") for k in exports)):
            exports = {".": exports}
        for pattern, target in (exports or {}).items():
            head, star, tail = pattern.partition("*")
            chosen = _condition(target)
            if chosen is None:
                continue
            if not star and pattern == key:
                return chosen
            if star and key.startswith(head) and key.endswith(tail):
                candidate = chosen.replace("*", key[len(head) : len(key) - len(tail)])
                if (self.folder / candidate).is_file():
                    return candidate
        return None


def _condition(target: object) -> str | None:
    if isinstance(target, dict):
        return next((found for name in _CONDITIONS if (found := _condition(target.get(name)))), None)
    return target if isinstance(target, str) else None


@dataclass(frozen=True)
class Bundle:
    """The packages in one node_modules folder."""

    node_modules: Path

    def packages(self, name: str) -> list[Package]:
        """Every installed version of `name`: its own folder, and aliases of the form `<name>-<version>`."""
        folder = self.node_modules / name
        folders = [folder, *sorted(folder.parent.glob(f"{folder.name}-*"))]
        packages = (Package(found) for found in folders if (found / "package.json").is_file())
        return [package for package in packages if package.name == name]

    def package(self, name: str, version: str = "") -> Package | None:
        """The newest installed package `name` that `version` allows."""
        installed = {package.version: package for package in self.packages(name)}
        chosen = newest_satisfying(installed, version)
        return installed[chosen] if chosen else None

    def find(self, request: LibraryRequest) -> LibraryFile | None:
        """The installed file that answers `request`."""
        package = self.package(request.package, request.version)
        if package is None:
            return None
        if request.module:
            return package.module_entry(request.file)
        file = request.file or package.script_entry()
        found = (package.file(f"{folder}/{file}".lstrip("/")) for folder in request.folders)
        return next((library_file for library_file in found if library_file), None)

    def folder(self, request: LibraryRequest) -> list[LibraryFile]:
        """The files below the folder that `request` names with a trailing slash."""
        package = self.package(request.package, request.version)
        if package is None or not request.file.endswith("/"):
            return []
        top = package.folder / request.file
        if not top.resolve().is_relative_to(package.folder.resolve()):
            return []
        return [
            LibraryFile(package, p.relative_to(package.folder).as_posix())
            for p in sorted(top.rglob("*"))
            if p.is_file()
        ]

    def served_file(self, served: str) -> LibraryFile | None:
        """The file that is served under the path `served`."""
        match = _SERVED.fullmatch(served)
        package = self.package(match["name"], match["version"]) if match else None
        return package.file(match["file"]) if match and package else None

    def import_from(self, importer: LibraryFile, specifier: str) -> LibraryFile | None:
        """What the bare `specifier` means inside the package of `importer`."""
        match = _PACKAGE.fullmatch(specifier)
        if match is None or match["version"]:
            return None
        own = importer.package
        if match["name"] == own.name:
            return own.module_entry(match["file"] or "")
        nested = Package(own.folder / "node_modules" / match["name"])
        dependency = nested if (nested.folder / "package.json").is_file() else self.package(match["name"])
        return dependency.module_entry(match["file"] or "") if dependency else None
