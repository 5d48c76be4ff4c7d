"""Makes a page flat: every composition that it mounts, at any depth, becomes part of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lambda_handler.compile.asset_paths import rewrite_asset_paths
from lambda_handler.compile.dom import (
    Document,
    Element,
    Node,
    attribute,
    child_elements,
    describe,
    elements,
    parse,
    remove,
    select,
    select_one,
    template_content,
    text_of,
)
from lambda_handler.compile.mount import Content, Mount, fill_host, mount
from lambda_handler.compile.mounted_code import write_code
from lambda_handler.compile.project import composition_path
from lambda_handler.compile.variables import MountedScope
from lambda_handler.errors import CompositionCycle, CompositionInvalid, EmptyComposition, PlanTooLarge

MAX_DEPTH = 20
MAX_MOUNTS = 1000


@dataclass(frozen=True)
class Flattened:
    """A page that mounts nothing any more: its mounted scopes, and the files that were mounted."""

    document: Document
    scopes: tuple[MountedScope, ...]
    files: tuple[str, ...]


def flatten(
    document: Document,
    read_text: Callable[[str], str | None],
    exists: Callable[[str], bool] | None = None,
    entry: str = "index.html",
) -> Flattened:
    """Mount everything that `document`, the file `entry`, mounts; the document itself is changed.

    `read_text` gives a project file's text, None where there is none; `exists` tells whether an asset
    is there (the default asks `read_text`). Paths are relative to the project's top folder.
    """
    flattening = _Flattening(document, read_text, exists or (lambda path: read_text(path) is not None), entry)
    mounts = flattening.mount_all()
    scopes = _name_instances(document, mounts)
    write_code(document, list(zip(mounts, scopes, strict=True)))
    files = dict.fromkeys(each.file for each in mounts if each.file != entry)
    return Flattened(document, tuple(scopes), tuple(files))


@dataclass(frozen=True)
class _Host:
    """An element that waits for its content, and the chain of sources that it is in."""

    element: Element
    file: str
    chain: tuple[str, ...]


@dataclass
class _Flattening:
    document: Document
    read_text: Callable[[str], str | None]
    exists: Callable[[str], bool]
    entry: str
    templates: dict[str, tuple[Element, str]] = field(default_factory=dict)
    used_templates: set[str] = field(default_factory=set)
    files: dict[str, Document] = field(default_factory=dict)

    def mount_all(self) -> list[Mount]:
        """Mount level after level: an outer composition's styles and scripts come before the inner ones."""
        mounts: list[Mount] = []
        self._register_templates(self.document, self.entry)
        waiting = deque(self._hosts(self.document, self.entry, (self.entry,)))
        while waiting:
            host = waiting.popleft()
            if not self._is_on_page(host.element):
                continue  # it stood inside another host, whose content took its place
            if len(mounts) == MAX_MOUNTS:
                raise PlanTooLarge(
                    f"{self.entry} mounts more than {MAX_MOUNTS} compositions, counting those within others.",
                    resolution="Mount fewer; each mounted composition multiplies with those around it.",
                )
            chain = self._chain(host)
            content = self._content(host)
            self._register_templates(content.node, content.file)
            mounts.append(mount(host.element, content, host.file))
            if len(host.chain) == 1 and content.written_src:
                fill_host(host.element)
            waiting.extend(self._hosts(host.element, content.file, chain))
        for name in self.used_templates:
            remove(self.templates[name][0])
        return mounts

    def _is_on_page(self, element: Element) -> bool:
        node: Node | None = element
        while node is not None and node is not self.document:
            node = node.parent
        return node is self.document

    def _register_templates(self, root: Node, file: str) -> None:
        for template in select(root, 'template[id$="-template"]'):
            self.templates.setdefault(attribute(template, "id") or "", (template, file))

    def _hosts(self, root: Node, file: str, chain: tuple[str, ...]) -> list[_Host]:
        return [
            _Host(element, file, chain)
            for element in elements(root)
            if _src(element) or self._template_name(element) is not None
        ]

    def _template_name(self, element: Element) -> str | None:
        """The template of the same page that fills this composition, if it is an empty one."""
        composition = (attribute(element, "data-composition-id") or "").strip()
        if not composition or child_elements(element) or text_of(element).strip():
            return None
        return f"{composition}-template" if f"{composition}-template" in self.templates else None

    def _chain(self, host: _Host) -> tuple[str, ...]:
        """The sources around the host's content, its own last."""
        src = _src(host.element)
        source = composition_path(src, _place(host)) if src else f"#{self._template_name(host.element)}"
        chain = (*host.chain, source)
        if source in host.chain:
            cycle = " -> ".join(chain[chain.index(source) :])
            raise CompositionCycle(f"A composition mounts itself: {cycle}.")
        if len(host.chain) > MAX_DEPTH:
            raise CompositionInvalid(
                f"Compositions are mounted more than {MAX_DEPTH} deep: {' -> '.join(chain)}.",
                resolution="Mount the inner ones higher up.",
            )
        return chain

    def _content(self, host: _Host) -> Content:
        src = _src(host.element)
        if src:
            return self._file_content(composition_path(src, _place(host)), src, host)
        name = self._template_name(host.element) or ""
        template, file = self.templates[name]
        self.used_templates.add(name)
        return Content(node=template_content(template).clone_node(deep=True), file=file)

    def _file_content(self, path: str, src: str, host: _Host) -> Content:
        document = self._parsed(path, host).clone_node(deep=True)
        template = select_one(document, "template")
        content = Content.of_file(document, template, path, src)
        if not select(content.node, "[data-composition-id]"):
            where = "its template" if template else "it"
            raise EmptyComposition(
                f"{path}, mounted by {_place(host)}, holds no composition: "
                f"no element in {where} has a data-composition-id.",
                resolution=f'Write data-composition-id="{PurePosixPath(path).stem}" on its root.',
            )
        return content

    def _parsed(self, path: str, host: _Host) -> Document:
        if path not in self.files:
            text = self.read_text(path)
            if text is None or not text.strip():
                state = "does not exist" if text is None else "is empty"
                raise EmptyComposition(f"{path}, mounted by {_place(host)}, {state}.")
            self.files[path] = parse(text)
            rewrite_asset_paths(self.files[path], path, self.exists)
        return self.files[path]


def _src(element: Element) -> str:
    return (attribute(element, "data-composition-src") or "").strip()


def _place(host: _Host) -> str:
    return f"{describe(host.element)} in {host.file}"


def _name_instances(document: Document, mounts: list[Mount]) -> list[MountedScope]:
    """Give each mount its id on the page: the authored one where nothing else has that, else `id__hf1`, …."""
    order = {id(element): position for position, element in enumerate(elements(document))}
    hosts = {id(each.host) for each in mounts}
    taken = {
        (attribute(element, "data-composition-id") or "").strip()
        for element in select(document, "[data-composition-id]")
        if id(element) not in hosts
    }
    count = Counter(each.authored_id for each in mounts)
    names: dict[int, str] = {}
    for each in sorted(mounts, key=lambda each: order[id(each.host)]):
        name = each.authored_id
        if count[name] > 1 or name in taken:
            name = _free_name(each.authored_id, taken)
            each.host.attrs["data-hf-original-composition-id"] = each.authored_id
        taken.add(name)
        each.host.attrs["data-composition-id"] = name
        names[id(each.host)] = name
    return [
        MountedScope(names[id(each.host)], each.authored_id, each.source, each.declarations, each.values)
        for each in mounts
    ]


def _free_name(name: str, taken: set[str]) -> str:
    number = 1
    while f"{name}__hf{number}" in taken:
        number += 1
    return f"{name}__hf{number}"
