"""Files that a variable names (`data-var-src`): the page runtime writes their URLs into the page when it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urldefrag

from pydantic import AnyHttpUrl, ValidationError

from lambda_handler.compile.dom import Document, Element, ancestors, attribute, describe, select
from lambda_handler.compile.fetch import Fetch
from lambda_handler.compile.variables import Declaration, MountedScope, defaults_of
from lambda_handler.errors import PageAssetMissing

COMPOSITION = "data-composition-id"


def fetch_bound_files(
    document: Document,
    declared: Iterable[Declaration],
    scopes: Iterable[MountedScope],
    overrides: Mapping[str, Any],
    fetch: Fetch,
) -> dict[str, bytes]:
    """What is at the remote URLs that elements get from variables, by URL as a browser writes it: the page will ask
    for it under that.

    `declared` is what the page itself declares: an element within a mounted composition gets that one's values alone.

    Raises PageAssetMissing, AssetFetchUnavailable.
    """
    page = {**defaults_of(declared), **overrides}
    mounted = {scope.runtime_id: values for scope in scopes if (values := scope.values_with(overrides))}
    files: dict[str, bytes] = {}
    for element in select(document, "[data-var-src]"):
        variable = (attribute(element, "data-var-src") or "").strip()
        written = _url(mounted.get(_composition(element), page).get(variable))
        if written is None:
            continue
        asked_by = f'The variable "{variable}" of {describe(element)}'
        url = _as_browsers_write(written, asked_by)
        if url not in files:
            files[url] = fetch(url, asked_by=asked_by).body
    return files


def _composition(element: Element) -> str:
    around = (attribute(each, COMPOSITION) for each in (element, *ancestors(element)))
    return next((name.strip() for name in around if name is not None), "")


def _url(value: Any) -> str | None:
    url = value.get("url") if isinstance(value, Mapping) else value
    return url if isinstance(url, str) and url.strip().lower().startswith(("https://", "http://")) else None


def _as_browsers_write(url: str, asked_by: str) -> str:
    """The URL by the WHATWG's rules, as pydantic knows them, without its fragment, which no server is told."""
    try:
        return urldefrag(str(AnyHttpUrl(url.strip()))).url
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise PageAssetMissing(f"{asked_by} asks for {url}, which is no valid URL: {reason}.") from error
