"""Mounts one composition: its content goes into the host, its styles and scripts are set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handler.compile.css_scope import AUTHORED_ID, INNER_ROOT
from lambda_handler.compile.dom import (
    Document,
    Element,
    Node,
    attribute,
    body_of,
    elements,
    head_of,
    html_of,
    move_children,
    remove,
    select,
    select_one,
    template_content,
)
from lambda_handler.compile.script_scope import is_classic, is_module
from lambda_handler.compile.variables import (
    DECLARATIONS,
    Declaration,
    defaults_of,
    read_declarations,
    read_host_values,
)

# What a root says about its place in time is said by its host once it is mounted.
_ROOT_ONLY_ATTRIBUTES = (
    "data-composition-id",
    "data-composition-file",
    "data-composition-src",
    "data-start",
    "data-duration",
    "data-end",
    "data-track-index",
    "data-track",
    "data-hf-authored-duration",
    "data-hf-authored-end",
)


@dataclass(frozen=True)
class Content:
    """What is to be mounted: `node` holds it; a whole file has a `head` and an `html` element too.

    `own_head` says that the head's styles and scripts belong to the composition: where it is in a
    template, that holds all of it. `written_src` is how the host spells the file, None for a template
    of the same page.
    """

    node: Node
    file: str
    head: Element | None = None
    html: Element | None = None
    own_head: bool = False
    written_src: str | None = None

    @classmethod
    def of_file(cls, document: Document, template: Element | None, path: str, written_src: str) -> Content:
        """The content of the file `path`: what its first template holds, else its body."""
        node = body_of(document) if template is None else template_content(template)
        head, html = head_of(document), html_of(document)
        return cls(node, path, head, html, own_head=template is None, written_src=written_src.strip())


@dataclass(frozen=True)
class Mount:
    """A mounted composition. Its styles and scripts are in no document yet.

    `authored_id` is the id its host asks for, `declared_id` the one its own root has; `root_id` is
    that root's DOM id, if the root became the host's inner root.
    """

    host: Element
    file: str
    source: str
    authored_id: str
    declared_id: str
    root_id: str | None
    links: tuple[Element, ...]
    styles: tuple[Element, ...]
    scripts: tuple[Element, ...]
    declarations: tuple[Declaration, ...]
    values: Mapping[str, Any]


def mount(host: Element, content: Content, host_file: str) -> Mount:
    """Put `content` into `host`, which stands in `host_file`, in place of what that holds."""
    wanted = _composition_id(host)
    compositions = select(content.node, "[data-composition-id]")
    root = next((each for each in compositions if not wanted or _composition_id(each) == wanted), None)
    declared = _composition_id(root or compositions[0]) if compositions else wanted

    declarer = root or select_one(content.node, f"[{DECLARATIONS}]")
    declarations = (
        *read_declarations(content.html, content.file),
        *read_declarations(declarer, content.file),
    )
    values = {**defaults_of(declarations), **read_host_values(host, host_file)}
    styles, scripts = _code(content)
    links = _links(content, root)
    for node in (*links, *styles, *scripts):
        remove(node)
    for child in list(host.children):
        host.remove_child(child)
    root_id = None
    if root is None:
        move_children(content.node, host)
    else:
        _copy_size(root, host)
        root_id = _make_inner_root(root)
        remove(root)
        host.append_child(root)
        for place in _places(content):
            for data in select(place, "script"):
                root.append_child(data)
    host.attrs.pop("data-composition-src", None)
    if content.written_src is not None:
        host.attrs["data-composition-file"] = content.written_src
    return Mount(
        host=host,
        file=content.file,
        source=content.written_src or content.file,
        authored_id=wanted or declared,
        declared_id=declared,
        root_id=root_id,
        links=links,
        styles=styles,
        scripts=scripts,
        declarations=declarations,
        values=values,
    )


def fill_host(host: Element) -> None:
    """Write the host's size into its style, unless that has one: its content may be sized in percent."""
    width, height = attribute(host, "data-width"), attribute(host, "data-height")
    if not width or not height:
        return
    style = (attribute(host, "style") or "").strip().rstrip(";")
    sizes = [f"{name}:{size}px" for name, size in (("width", width), ("height", height)) if name not in style]
    if sizes:
        host.attrs["style"] = ";".join([*([style] if style else []), *sizes])


def _composition_id(element: Element) -> str:
    return (attribute(element, "data-composition-id") or "").strip()


def _code(content: Content) -> tuple[tuple[Element, ...], tuple[Element, ...]]:
    styles = [style for place in _places(content) for style in select(place, "style")]
    scripts = [script for place in _places(content) for script in select(place, "script")]
    return tuple(styles), tuple(script for script in scripts if _runs(script))


def _places(content: Content) -> list[Node]:
    """Where styles and scripts of the composition are, in their order."""
    return [content.head, content.node] if content.own_head and content.head else [content.node]


def _runs(script: Element) -> bool:
    """Whether a browser executes it: other types are data that scripts look for where it stands."""
    kind = attribute(script, "type")
    return is_classic(kind) or is_module(kind) or (kind or "").strip().lower() == "importmap"


def _links(content: Content, root: Element | None) -> tuple[Element, ...]:
    """The links to carry over: the head's, and those beside the root, whose siblings are left behind."""
    inside = set(map(id, elements(root))) if root else set()
    beside = [link for link in select(content.node, "link") if root and id(link) not in inside]
    links = [*(select(content.head, "link") if content.head else []), *beside]
    return tuple(
        link for link in links if {"stylesheet", "preconnect"} & set((attribute(link, "rel") or "").lower().split())
    )


def _copy_size(root: Element, host: Element) -> None:
    for name in ("data-width", "data-height"):
        size = attribute(root, name)
        if size and not attribute(host, name):
            host.attrs[name] = size


def _make_inner_root(root: Element) -> str | None:
    """Turn a composition's root into a plain box that fills its host; returns its DOM id."""
    root_id = (attribute(root, "id") or "").strip() or None
    width, height = attribute(root, "data-width"), attribute(root, "data-height")
    for name in ("id", *_ROOT_ONLY_ATTRIBUTES):
        root.attrs.pop(name, None)
    if root_id:
        root.attrs[AUTHORED_ID] = root_id
    root.attrs[INNER_ROOT] = "true"
    fill = f"width:{f'{width}px' if width else '100%'};height:{f'{height}px' if height else '100%'}"
    style = (attribute(root, "style") or "").strip().rstrip(";")
    root.attrs["style"] = f"{style};{fill}" if style else fill
    return root_id
