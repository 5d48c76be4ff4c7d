"""What the localisation tests share: a page in a project, localised with a stand-in for the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lambda_handler.compile.assets import Localised, localise
from lambda_handler.compile.dom import parse, serialise
from lambda_handler.compile.fetch import Fetched
from lambda_handler.compile.fonts import FontStrictness
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing
from lambda_handler.toolchain import node_modules


@dataclass
class Internet:
    """Answers from a table: URL -> (type, text). None is a server that cannot be reached."""

    answers: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, url: str, *, asked_by: str) -> Fetched:
        """The answer, as the real network would give it."""
        self.asked.append(url)
        if url not in self.answers:
            raise PageAssetMissing(f"{asked_by} asks for {url}, which answered HTTP 404.")
        answer = self.answers[url]
        if answer is None:
            raise AssetFetchUnavailable(f"{asked_by} asks for {url}, which cannot be reached: refused.")
        return Fetched(url, answer[0], answer[1].encode())


@dataclass(frozen=True)
class Page:
    """A localised page: its HTML, what is served beside it, and what it asked the network for."""

    html: str
    localised: Localised
    asked: list[str]

    def content(self, served: str) -> str:
        """The text served under a path."""
        found = self.localised.files[served]
        return found.decode() if isinstance(found, bytes) else found.read_text()

    @property
    def without_fonts(self) -> str:
        """The HTML without the style sheet of fonts that every page gets."""
        before, _, after = self.html.partition("<style data-hf-fonts>")
        return before + after.partition("</style>")[2]

    @property
    def libraries(self) -> set[str]:
        """The paths of the packages' files, below their root."""
        root = "/_hf/lib/"
        return {path.removeprefix(root) for path in self.localised.files if path.startswith(root)}


def localised(
    html: str,
    project: Path,
    *,
    internet: Mapping[str, tuple[str, str] | None] | None = None,
    files: Mapping[str, str] | None = None,
    strict: bool = True,
) -> Page:
    """`html` as the page of a project that holds `files`."""
    for name, text in (files or {}).items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    network = Internet(internet or {})
    document = parse(f"<!doctype html><html><head></head><body>{html}</body></html>" if "<html" not in html else html)
    strictness = FontStrictness(fail_closed_fetch=strict, reject_system=strict)
    result = localise(document, project=project, node_modules=node_modules(), fetch=network, strictness=strictness)
    return Page(serialise(document), result, network.asked)
