"""A page as a tree: the few operations the compile step does on it, over `justhtml`.

Every search here stays out of `<template>` contents, as a browser's does: what a template holds is no
part of the page until it is mounted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from justhtml import Document, DocumentFragment, Element, JustHTML, Node, Text
from justhtml.selector import SelectorMatcher, parse_selector

from lambda_handler.errors import CompositionInvalid

__all__ = [
    "Document",
    "DocumentFragment",
    "Element",
    "Node",
    "Text",
    "ancestors",
    "attribute",
    "body_of",
    "child_elements",
    "create_element",
    "describe",
    "element_with_id",
    "elements",
    "head_of",
    "html_of",
    "insert_after",
    "move_children",
    "parse",
    "prepend",
    "remove",
    "replace",
    "select",
    "select_one",
    "serialise",
    "set_text",
    "template_content",
    "text_of",
]

_END_TAG = re.compile(r"</(?=script|style)", re.IGNORECASE)
_DESCRIBED_ATTRIBUTES = ("id", "data-composition-id", "data-composition-src", "src", "href")


def parse(html: str) -> Document:
    """The document a browser would build from `html`; a fragment gets its `html`, `head` and `body`."""
    root = JustHTML(html, sanitize=False).root
    if not isinstance(root, Document):  # only fragment parsing gives anything else
        raise TypeError(f"expected a document, got {root.name}")
    return root


def serialise(node: Node) -> str:
    """`node` as HTML, in one piece: no whitespace is added or dropped."""
    try:
        return node.to_html(pretty=False)
    except ValueError as error:  # names that HTML can hold but not spell, as in <div ="x">
        raise CompositionInvalid(f"The page cannot be written: {error}.") from error


def elements(root: Node) -> list[Element]:
    """Every element below `root`, in document order."""
    found: list[Element] = []
    pending: list[Node | Text] = list(reversed(root.children or []))
    while pending:
        node = pending.pop()
        if isinstance(node, Element):
            found.append(node)
        pending.extend(reversed(node.children or []))
    return found


def select(root: Node, css: str) -> list[Element]:
    """The elements below `root` that match the selector `css`, in document order."""
    selector = parse_selector(css)
    matcher = SelectorMatcher()
    return [element for element in elements(root) if matcher.matches(element, selector)]


def select_one(root: Node, css: str) -> Element | None:
    """The first element below `root` that matches `css`."""
    return next(iter(select(root, css)), None)


def element_with_id(root: Node, wanted: str) -> Element | None:
    """The first element below `root` whose id is `wanted`, whatever characters that has."""
    return next((element for element in elements(root) if attribute(element, "id") == wanted), None)


def attribute(element: Element, name: str) -> str | None:
    """The attribute's value, `""` for one without a value, None where it is absent."""
    if name not in element.attrs:
        return None
    return element.attrs[name] or ""


def text_of(element: Element) -> str:
    """The text of an element that holds only text: a script, a style, a title."""
    return "".join(child.data or "" for child in element.children if isinstance(child, Text))


def set_text(element: Element, text: str) -> None:
    r"""Make `text` the element's only content.

    Inside a script or a style the text cannot hold its own end tag, so `</script` becomes `<\/script`,
    which JavaScript and CSS strings read as the same.
    """
    if element.name in {"script", "style"}:
        text = _END_TAG.sub(r"<\\/", text)
    for child in list(element.children):
        element.remove_child(child)
    element.append_child(Text(text))


def create_element(name: str, attributes: Mapping[str, str] | None = None, text: str | None = None) -> Element:
    """A new HTML element that is in no document yet."""
    element = Element(name, dict(attributes or {}), "html")
    if text is not None:
        set_text(element, text)
    return element


def html_of(document: Document) -> Element:
    """The document's `html` element."""
    return _required(document, "html")


def head_of(document: Document) -> Element:
    """The document's `head` element."""
    return _required(html_of(document), "head")


def body_of(document: Document) -> Element:
    """The document's `body` element (or `frameset`, which takes its place)."""
    html = html_of(document)
    return next((child for child in child_elements(html) if child.name == "frameset"), None) or _required(html, "body")


def child_elements(node: Node) -> list[Element]:
    """The elements directly below `node`."""
    return [child for child in node.children or [] if isinstance(child, Element)]


def ancestors(node: Node) -> list[Element]:
    """The elements around `node`, the nearest first."""
    found: list[Element] = []
    parent = node.parent
    while parent is not None:
        if isinstance(parent, Element):
            found.append(parent)
        parent = parent.parent
    return found


def template_content(element: Element) -> Node:
    """What a `<template>` holds."""
    content = element.template_content
    if content is None:
        raise TypeError(f"{describe(element)} is not a template")
    return content


def prepend(parent: Node, node: Node) -> None:
    """Make `node` the first child of `parent`."""
    parent.insert_before(node, next(iter(parent.children or []), None))


def insert_after(node: Node, reference: Node) -> None:
    """Put `node` behind `reference`, under the same parent."""
    replace(reference, reference, node)


def replace(node: Node, *replacements: Node) -> None:
    """Put `replacements`, which may include `node` itself, where `node` is."""
    parent = node.parent
    if parent is None or parent.children is None:
        raise ValueError(f"{node.name} is in no document")
    for replacement in replacements:
        if replacement is not node:
            remove(replacement)
    index = parent.children.index(node)
    node.parent = None
    parent.children[index : index + 1] = replacements
    for replacement in replacements:
        replacement.parent = parent


def remove(node: Node) -> None:
    """Take `node` out of its document, if it is in one."""
    if node.parent is not None:
        node.parent.remove_child(node)


def move_children(source: Node, target: Node) -> None:
    """Move everything `source` holds to the end of `target`."""
    for child in list(source.children or []):
        target.append_child(child)


def describe(element: Element) -> str:
    """The element's start tag, shortened to what tells it from others: for messages."""
    shown = [(name, attribute(element, name)) for name in _DESCRIBED_ATTRIBUTES]
    return "<" + " ".join([element.name, *(f'{name}="{value}"' for name, value in shown if value)]) + ">"


def _required(parent: Node, name: str) -> Element:
    found = next((child for child in child_elements(parent) if child.name == name), None)
    if found is None:
        raise CompositionInvalid(f"The page has no <{name}> element.")
    return found
