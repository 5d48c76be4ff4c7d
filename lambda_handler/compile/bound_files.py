"""Files that a variable names (`data-var-src`): the page runtime writes their URLs into the page when it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambda_handler.compile.dom import Document, attribute, describe, select
from lambda_handler.compile.fetch import Fetch
from lambda_handler.compile.variables import Declaration, MountedScope


def fetch_bound_files(
    document: Document,
    declared: Iterable[Declaration],
    scopes: Iterable[MountedScope],
    overrides: Mapping[str, Any],
    fetch: Fetch,
) -> dict[str, bytes]:
    """What is at the remote URLs that elements get from variables, by URL: the page will ask for it under that.

    Raises PageAssetMissing, AssetFetchUnavailable.
    """
    values = [{**{each.id: each.default for each in declared}, **overrides}]
    values += [scope.values_with(overrides) for scope in scopes]
    files: dict[str, bytes] = {}
    for element in select(document, "[data-var-src]"):
        variable = (attribute(element, "data-var-src") or "").strip()
        for url in _remote(known.get(variable) for known in values):
            if url not in files:
                files[url] = fetch(url, asked_by=f'The variable "{variable}" of {describe(element)}').body
    return files


def _remote(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        url = value.get("url") if isinstance(value, Mapping) else value
        if isinstance(url, str) and url.strip().lower().startswith(("https://", "http://")):
            yield url.strip()
