"""Projects as they travel: a folder, or a `.tar.gz` of one, with checks on everything that comes out of it."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lambda_handler.errors import PlanTooLarge, ProjectArchiveInvalid, ProjectNotFound, StorageFull

MAX_FILES = 20_000
MAX_BYTES = 4 * 1024**3
# Never part of a picture, often huge (composition contract, section 4.3).
SKIPPED_FOLDERS = frozenset(
    {"node_modules", ".git", ".cache", "output", "failures", "dist", ".next", ".turbo", ".hyperframes"}
)


def project_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The project's files with their paths inside it, sorted; links that leave the folder are left out.

    Raises PlanTooLarge above 20,000 files or 4 GiB.
    """
    root = folder.resolve()
    count = size = 0
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if inside.parts[0] in SKIPPED_FOLDERS or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        count, size = count + 1, size + path.stat().st_size
        if count > MAX_FILES or size > MAX_BYTES:
            raise PlanTooLarge(f"The project {folder} has more than {MAX_FILES} files or {MAX_BYTES // 1024**3} GiB.")
        yield inside.as_posix(), path


def project_digest(folder: Path) -> str:
    """sha256 over the project's files: path, NUL, bytes of each, sorted by path and NUL-separated."""
    digest = hashlib.sha256()
    for name, path in project_files(folder):
        digest.update(name.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digest.update(b"\0")
    return digest.hexdigest()


def copy_project(source: Path, target: Path) -> None:
    """Copies the project's files into `target`. Raises ProjectNotFound, PlanTooLarge."""
    if not source.is_dir():
        raise ProjectNotFound(f"There is no project folder at {source}.")
    for name, path in project_files(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)


def unpack_project(archive: Path, target: Path, *, name: str) -> None:
    """Extracts a `.tar.gz` into `target`; `name` stands for it in messages.

    Every member is checked before anything is written: plain files and folders only, inside the folder, within
    the size limits. Raises ProjectArchiveInvalid.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = _checked_members(tar, name)
            _read_to_the_end(tar)
            extract(tar, members, target)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        if StorageFull.is_meant_by(error):
            raise
        raise ProjectArchiveInvalid(f"{name} cannot be unpacked: {error}.") from error


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    # A tar ends before its compressed stream does, and the stream's checksum stands at the very end.
    while tar.fileobj is not None and tar.fileobj.read(1 << 20):
        pass


def extract(tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], target: Path) -> None:
    """Writes files and folders, and nothing else an archive can hold: no links, owners, modes or devices.

    (tarfile's own data filter came with Python 3.11.4, and Debian 12 has 3.11.2.)
    """
    for member in members:
        path = target / member.name
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif (content := tar.extractfile(member)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)


def _checked_members(tar: tarfile.TarFile, name: str) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    size = 0
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise ProjectArchiveInvalid(f"{name} holds {member.name!r}, which would leave the project's folder.")
        if not (member.isfile() or member.isdir()):
            raise ProjectArchiveInvalid(f"{name} holds {member.name!r}, a link or a device.")
        size += member.size
        members.append(member)
        if len(members) > MAX_FILES or size > MAX_BYTES:
            raise ProjectArchiveInvalid(f"{name} has more than {MAX_FILES} members or {MAX_BYTES // 1024**3} GiB.")
    return members
