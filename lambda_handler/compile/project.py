"""A project's folder: which paths are inside it, and what its text files say."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lambda_handler.errors import CompositionInvalid, UriNotAllowed

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True)
class Project:
    """A project unpacked in `root`. Paths are relative to it, with `/`, as `project_path` makes them."""

    root: Path

    def read_text(self, path: str) -> str | None:
        """The file's text, None where there is no such file; a link out of the folder is refused."""
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root.resolve()):
            raise UriNotAllowed(
                f"{path} lies outside the project's folder.",
                resolution="Copy the file into the project; a composition's pages must be inside it.",
            )
        if not file.is_file():
            return None
        try:
            return file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CompositionInvalid(
                f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.",
                resolution="Save the file as UTF-8.",
            ) from error

    def exists(self, path: str) -> bool:
        """Whether the project has this file."""
        return (self.root / path).is_file()


def is_relative(url: str) -> bool:
    """Whether `url` is a path relative to the page: no scheme, no host, no leading slash, no mere `#part`."""
    return bool(url) and not url.startswith(("/", "#", "?", "\\")) and not _SCHEME.match(url)


def split_suffix(url: str) -> tuple[str, str]:
    """`url` without its `?query` and `#part`, and those."""
    end = next((index for index, character in enumerate(url) if character in "?#"), len(url))
    return url[:end], url[end:]


def composition_path(src: str, asked_by: str) -> str:
    """The file a `data-composition-src` names; `asked_by` says where that stands, for the message."""
    written = src.strip()
    path = posixpath.normpath(unquote(split_suffix(written)[0]))
    if is_relative(written) and path != ".." and not path.startswith(("../", "/")) and "\0" not in path:
        return path
    raise CompositionInvalid(
        f'data-composition-src="{src}" of {asked_by} leaves the project.',
        resolution="Name a file of the project, relative to its top folder: compositions/intro.html, say.",
    )
