"""Makes the paths in a mounted file right for the page it is mounted in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from urllib.parse import unquote

from lambda_handler.compile.css_urls import rewrite_css_urls
from lambda_handler.compile.dom import Node, attribute, elements, set_text, template_content, text_of
from lambda_handler.compile.project import is_relative, split_suffix

PATH_ATTRIBUTES = ("src", "href", "poster", "xlink:href")

_CANDIDATE = re.compile(r"(?P<url>[^\s,]\S*[^\s,]|[^\s,])(?P<descriptor>[^,]*)")


def page_path(url: str, file: str, exists: Callable[[str], bool]) -> str:
    """`url`, as the mounted `file` writes it, relative to the project's top folder.

    One that climbs (`../`) means the file's own folder. Any other may mean that or the top folder,
    both are in use: it means its own folder where `exists` finds it there.
    """
    folder = posixpath.dirname(file)
    if not folder or not is_relative(url):
        return url
    path, suffix = split_suffix(url)
    # Climbing above the top folder ends there, as it does in a browser.
    beside = posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")
    climbs = posixpath.normpath(path).startswith("..")
    if climbs or (path and exists(unquote(beside))):
        return beside + suffix
    return url


def rewrite_asset_paths(root: Node, file: str, exists: Callable[[str], bool]) -> None:
    """Rewrite every path below `root`, which came from `file`: attributes, styles, and those in templates."""

    def rewritten(url: str) -> str:
        # A browser ignores blanks around a URL.
        return page_path(url.strip(), file, exists) if is_relative(url.strip()) else url

    if not posixpath.dirname(file):
        return
    for element in elements(root):
        for name in PATH_ATTRIBUTES:
            value = attribute(element, name)
            if value:
                element.attrs[name] = rewritten(value)
        srcset = attribute(element, "srcset")
        if srcset and "data:" not in srcset:
            element.attrs["srcset"] = _CANDIDATE.sub(
                lambda match: rewritten(match["url"]) + match["descriptor"], srcset
            )
        style = attribute(element, "style")
        if style:
            element.attrs["style"] = rewrite_css_urls(style, rewritten)
        if element.name == "style":
            css = text_of(element)
            new = rewrite_css_urls(css, rewritten)
            if new != css:
                set_text(element, new)
        if element.template_content is not None:
            rewrite_asset_paths(template_content(element), file, exists)
