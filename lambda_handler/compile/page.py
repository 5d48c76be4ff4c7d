"""The compile step as a whole: a project's folder in, the files of one flat page out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from justhtml.dom import Document

from lambda_handler.archive import project_files
from lambda_handler.compile.animated import animated_images
from lambda_handler.compile.assets import localise
from lambda_handler.compile.bound_files import fetch_bound_files
from lambda_handler.compile.dom import (
    attribute,
    create_element,
    describe,
    elements,
    head_of,
    html_of,
    parse,
    remove,
    select,
    serialise,
    text_of,
)
from lambda_handler.compile.fetch import Fetch
from lambda_handler.compile.fonts import STRICT, FontStrictness
from lambda_handler.compile.media_ids import assign_media_ids, media_sources
from lambda_handler.compile.project import Project
from lambda_handler.compile.resources import PAGE
from lambda_handler.compile.root import resolve_root
from lambda_handler.compile.subcompositions import Flattened, flatten
from lambda_handler.compile.variable_page import apply_variables, declared_variables
from lambda_handler.compile.variables import Declaration, validate_overrides
from lambda_handler.errors import CompositionNotFound, FeatureNotSupported
from lambda_handler.page import CLOCK_SCRIPT, DRIVER_SCRIPT, MEDIA_SCRIPT

RUNTIME = "_hf/runtime.js"
DOTLOTTIE = re.compile(r"@lottiefiles/dotlottie|@dotlottie/|^dotlottie-")
RUNTIME_MARK = "hyperframe.runtime"


@dataclass(frozen=True)
class CompiledPage:
    """One flat page. `files`: served path (or whole URL, where the page will ask for that) -> file or content,
    "index.html" among them; sizes in px, `duration` in
    seconds, None where only the running page can tell it; `fps` as the author wrote it; `media` are the served paths
    of the files that its video and audio elements name; `webgpu`: it cannot be drawn without."""

    files: Mapping[str, Path | bytes]
    composition: str
    width: int
    height: int
    duration: float | None
    fps: str | None
    media: tuple[str, ...]
    animated: tuple[str, ...]
    webgpu: bool
    warnings: tuple[str, ...]


def compile_page(
    folder: Path,
    entry: str,
    variables: Mapping[str, Any],
    *,
    node_modules: Path,
    runtime: Path,
    fetch: Fetch,
    fonts: FontStrictness = STRICT,
) -> CompiledPage:
    """Makes the project in `folder` one page that needs no network.

    Raises ProjectError of the kind that fits, AssetFetchUnavailable where trying again may help.
    """
    document, flat = _flattened(folder, entry)
    declared = declared_variables(document, flat.scopes)
    validate_overrides(declared, variables)
    bound = fetch_bound_files(document, declared_variables(document, page=entry), flat.scopes, variables, fetch)
    apply_variables(document, flat.scopes, variables, entry)
    root = resolve_root(document, entry)
    assign_media_ids(document)
    _refuse_dotlottie(document)
    _remove_runtimes(document)
    localised = localise(document, project=folder, node_modules=node_modules, fetch=fetch, strictness=fonts)
    _load_runtime(document)
    files: dict[str, Path | bytes] = dict(project_files(folder))
    files |= {path.lstrip("/"): content for path, content in localised.files.items()}
    files |= bound
    files |= {"index.html": serialise(document).encode(), RUNTIME: runtime}
    return CompiledPage(
        files=files,
        composition=root.composition_id,
        width=root.width,
        height=root.height,
        duration=root.duration,
        fps=root.fps,
        media=tuple(served_path(url) for url in media_sources(document)),
        animated=animated_images(files),
        webgpu=bool(select(document, "[data-composition-id][data-requires-webgpu]")),
        warnings=localised.warnings,
    )


def declared_by(folder: Path, entry: str) -> tuple[Declaration, ...]:
    """The variables that a request may set, as the project in `folder` declares them. Raises ProjectError."""
    document, flat = _flattened(folder, entry)
    return declared_variables(document, flat.scopes)


def _flattened(folder: Path, entry: str) -> tuple[Document, Flattened]:
    project = Project(folder)
    html = project.read_text(entry)
    if html is None:
        raise CompositionNotFound(
            f"The project has no {entry}.",
            resolution="A project's top folder holds its entry page, index.html.",
        )
    document = parse(html)
    resolve_root(document, entry)
    return document, flatten(document, project.read_text, project.exists, entry)


def served_path(url: str) -> str:
    """The path under which the page's own origin serves `url`, as in `CompiledPage.files`."""
    return unquote(urlsplit(urljoin(PAGE, url)).path).lstrip("/")


def init_script(
    fps: float, media: Mapping[str, Mapping[str, float]] = MappingProxyType({}), animated: Sequence[str] = ()
) -> str:
    """What runs before any script of the page: the clock, the media elements, the driver, and what they and the
    runtime want to know: `media` has the facts of every media file by its served path, `animated` the paths of images
    that may move."""
    seek = json.dumps({"fps": fps, "fpsSource": "renderer", "mode": "exact"})
    settings = f"window.__HF_RENDER_CAPTURE_MODE = true; window.__HF_EXPORT_RENDER_SEEK_CONFIG = {seek};"
    facts = f"window.__hfMediaFacts = {json.dumps({path: dict(known) for path, known in media.items()})};"
    moving = f"window.__hfAnimatedImages = {json.dumps(list(animated))};"
    return "\n".join([settings, facts, moving, CLOCK_SCRIPT, MEDIA_SCRIPT, DRIVER_SCRIPT])


def _remove_runtimes(document: Document) -> None:
    # A project that carries a copy of the runtime would run two.
    for script in select(document, "script"):
        if RUNTIME_MARK in (attribute(script, "src") or "") or attribute(script, "data-hyperframes-preview-runtime"):
            remove(script)


def _refuse_dotlottie(document: Document) -> None:
    """Its player fetches a WebAssembly module while it runs, and would leave an empty box where nothing answers."""
    for element in elements(document):
        named = f"{attribute(element, 'src') or ''} {text_of(element)}" if element.name == "script" else element.name
        if DOTLOTTIE.search(named):
            raise FeatureNotSupported(
                f"{describe(element)} plays dotLottie files, which cannot be rendered.",
                resolution="Unpack the .lottie file (it is a ZIP), and play its JSON with lottie-web.",
            )


def _load_runtime(document: Document) -> None:
    head = head_of(document) or html_of(document)
    head.append_child(create_element("script", {"src": f"/{RUNTIME}"}))
