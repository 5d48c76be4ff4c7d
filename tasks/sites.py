"""Projects on their way to a stack: packed the same every time, and put under the digest of their content."""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lambda_handler import archive, storage
from lambda_handler.errors import ProjectNotFound

if TYPE_CHECKING:
    from tasks.stack import AwsStack

SITE = re.compile(r"/sites/([0-9a-f]{64})\.tar\.gz$")


def content_digest(project: Path) -> str:
    """sha256 over the files of a folder, or over the bytes of an archive. Raises ProjectNotFound, PlanTooLarge."""
    if project.is_dir():
        return archive.project_digest(project)
    try:
        with project.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ProjectNotFound(f"There is no project at {project}.") from error


def digest_of(uri: str) -> str | None:
    """The digest in the name of an uploaded project; None for any other URI."""
    found = SITE.search(uri)
    return found.group(1) if found else None


def upload_site(project: Path, stack: AwsStack) -> str:
    """Puts a project, a folder or a .tar.gz, into the stack's bucket, unless it is there; returns its URI.

    Raises ProjectNotFound, PlanTooLarge, UriNotAllowed.
    """
    uri = storage.join(stack.sites, f"{content_digest(project)}.tar.gz")
    if storage.exists(uri):
        return uri
    if project.is_file():
        storage.upload(project, uri)
        return uri
    with TemporaryDirectory(prefix="hf-site-") as scratch:
        storage.upload(pack(project, Path(scratch) / "project.tar.gz"), uri)
    return uri


def pack(project: Path, target: Path) -> Path:
    """The project's files as a .tar.gz of the same bytes every time: sorted, without owners, modes and times."""
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in archive.project_files(project):
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)
    return target
