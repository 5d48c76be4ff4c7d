"""Writes the styles and scripts of mounted compositions into the page, each kept inside its own."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from lambda_handler.compile.css_scope import CssScope, scope_css
from lambda_handler.compile.dom import (
    Document,
    Element,
    attribute,
    body_of,
    create_element,
    head_of,
    select,
    set_text,
    text_of,
)
from lambda_handler.compile.mount import Mount
from lambda_handler.compile.script_scope import (
    ScriptScope,
    is_classic,
    is_module,
    scope_runtime,
    wrap_module,
    wrap_script,
)
from lambda_handler.compile.variables import MountedScope

SCOPE_MARK = "data-hf-scope"
RUNTIME_MARK = "data-hf-script-scope"


def write_code(document: Document, mounts: Sequence[tuple[Mount, MountedScope]]) -> None:
    """Put links and styles at the head's end; external scripts, then inline ones, at the body's."""
    head, body = head_of(document), body_of(document)
    _write_links(document, [link for mount, _ in mounts for link in mount.links])
    for mount, scope in mounts:
        for style in mount.styles:
            head.append_child(_scoped_style(style, mount, scope))

    scripts = [(script, mount, scope) for mount, scope in mounts for script in mount.scripts]
    _write_external(document, [script for script, _, _ in scripts if attribute(script, "src") is not None])
    inline = [each for each in scripts if attribute(each[0], "src") is None and text_of(each[0]).strip()]
    if inline:
        body.append_child(create_element("script", {RUNTIME_MARK: ""}, scope_runtime()))
    for script, mount, scope in inline:
        if is_classic(attribute(script, "type")) or is_module(attribute(script, "type")):
            body.append_child(_scoped_script(script, mount, scope))
        else:  # an import map, which says where modules are: it must precede them
            head.append_child(script)


def _write_links(document: Document, links: Sequence[Element]) -> None:
    present = {(attribute(link, "rel"), _normal(attribute(link, "href"))) for link in select(document, "link")}
    for link in links:
        key = (attribute(link, "rel"), _normal(attribute(link, "href")))
        if key not in present:
            present.add(key)
            head_of(document).append_child(link)


def _write_external(document: Document, scripts: Sequence[Element]) -> None:
    present = {_normal(attribute(script, "src")) for script in select(document, "script[src]")}
    for script in scripts:
        src = _normal(attribute(script, "src"))
        if not src or src in present:
            continue
        present.add(src)
        for name in ("async", "defer"):  # the inline scripts behind it need it
            script.attrs.pop(name, None)
        body_of(document).append_child(script)


def _normal(url: str | None) -> str:
    return posixpath.normpath(url) if url and url.startswith("./") else url or ""


def _scoped_style(style: Element, mount: Mount, scope: MountedScope) -> Element:
    if (attribute(style, "type") or "text/css").strip().lower() == "text/css":
        css_scope = CssScope(mount.authored_id, scope.runtime_id, mount.root_id)
        # A style inside an SVG is an HTML one once it stands in the head.
        scoped = create_element("style", {SCOPE_MARK: scope.runtime_id})
        if attribute(style, "media"):
            scoped.attrs["media"] = style.attrs["media"]
        set_text(scoped, scope_css(text_of(style), css_scope))
        return scoped
    return style


def _scoped_script(script: Element, mount: Mount, scope: MountedScope) -> Element:
    script_scope = ScriptScope(
        runtime_id=scope.runtime_id,
        authored_ids=tuple(dict.fromkeys([mount.authored_id, mount.declared_id])),
        replaced_id=mount.authored_id,
        root_id=mount.root_id,
    )
    attributes = {SCOPE_MARK: scope.runtime_id}
    if is_module(attribute(script, "type")):
        return create_element("script", {"type": "module", **attributes}, wrap_module(text_of(script), script_scope))
    return create_element("script", attributes, wrap_script(text_of(script), script_scope))
