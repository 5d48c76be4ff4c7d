"""Objects in `s3://` or `file://`: the few operations the render folder needs, one code path for both.

Writing is atomic: an object is there whole or not at all. Local paths have to lie inside the roots that
HYPERFRAMES_LOCAL_ROOTS lists, S3 URIs inside HYPERFRAMES_RENDER_BUCKET where that is set. Where HYPERFRAMES_EXPIRY_TAG
names a tag, KEY=VALUE, what may expire is put into S3 with it: a bucket's lifecycle rule then tells the objects of a
render folder from a video that lies beside them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from lambda_handler.errors import StorageFull, StorageUnavailable, UriNotAllowed

ROOTS_VARIABLE = "HYPERFRAMES_LOCAL_ROOTS"
BUCKET_VARIABLE = "HYPERFRAMES_RENDER_BUCKET"
EXPIRY_VARIABLE = "HYPERFRAMES_EXPIRY_TAG"


# The stores that `reaching` was given, by bucket; of several renders at once, the last one's counts.
_reached: dict[str, list[S3Store]] = {}
# The roots that `allowing` was given, beside those of the environment.
_allowed: list[tuple[Path, ...]] = []


@dataclass(frozen=True)
class Stored:
    """An object's size in bytes, and when it was written."""

    size: int
    written: datetime


@dataclass(frozen=True)
class Location:
    """One object, or a prefix, in a store. `key` has no leading slash."""

    store: S3Store | LocalStore
    key: str
    uri: str


def join(prefix: str, *parts: str) -> str:
    """The URI of `parts` below `prefix`."""
    return "/".join([prefix.rstrip("/"), *parts])


def file_uri(path: Path) -> str:
    """The `file://` URI of a local path."""
    return path.absolute().as_uri()


@contextmanager
def allowing(roots: Iterable[Path]) -> Iterator[None]:
    """Adds `roots` to the local roots of this process for a while, whatever other threads add meanwhile."""
    added = tuple(roots)
    _allowed.append(added)
    try:
        yield
    finally:
        _allowed.remove(added)


def path_of(uri: str) -> Path:
    """The path that a `file://` URI names, unchecked."""
    return Path(unquote(urlsplit(uri).path))


def local_path(uri: str) -> Path:
    """The path that a `file://` URI names, symbolic links resolved, when it lies inside an allowed root.

    Raises UriNotAllowed.
    """
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or "?" in uri or "#" in uri:
        raise UriNotAllowed(f"{uri} is not of the form file:///PATH, with ? and # written as %3F and %23.")
    path = path_of(uri).resolve()
    named = [Path(root) for root in os.environ.get(ROOTS_VARIABLE, "").split(os.pathsep) if root]
    roots = [root.resolve() for root in dict.fromkeys([*chain.from_iterable(_allowed), *named])]
    if not any(path.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots)) or "none"
        raise UriNotAllowed(f"{uri} lies outside the folders this worker may touch ({allowed}).")
    return path


def locate(uri: str) -> Location:
    """Where `uri` points to. Raises UriNotAllowed for other schemes, other buckets and paths outside the roots."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        path = local_path(uri)
        return Location(_local_store(), str(path.relative_to("/")), uri)
    if parts.scheme == "s3":
        # A key is everything after the bucket, as it is: ? and # mean nothing in it.
        bucket, _, key = uri.partition("://")[2].partition("/")
        allowed = os.environ.get(BUCKET_VARIABLE)
        if allowed and bucket != allowed:
            raise UriNotAllowed(f"{uri} is not in the render bucket {allowed}.")
        if not bucket or not {"", ".", ".."}.isdisjoint(key.removesuffix("/").split("/")):
            raise UriNotAllowed(f"{uri} is not of the form s3://BUCKET/KEY.")
        reached = _reached.get(bucket)
        return Location(reached[-1] if reached else _s3_store(bucket), key, uri)
    raise UriNotAllowed(f"{uri} is neither an s3:// nor a file:// URI.")


@cache
def _local_store() -> LocalStore:
    return LocalStore("/", mkdir=True)


def endpoint_of_environment() -> str | None:
    """The address of another S3 than Amazon's, as boto3 takes it from the environment."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


@contextmanager
def reaching(bucket: str, store: S3Store) -> Iterator[None]:
    """Has this process reach `bucket` through `store` for a while, whatever credentials the environment has."""
    stores = _reached.setdefault(bucket, [])
    stores.append(store)
    try:
        yield
    finally:
        stores.remove(store)


@cache
def _s3_store(bucket: str) -> S3Store:
    endpoint = endpoint_of_environment()
    if endpoint:
        return S3Store(bucket, endpoint=endpoint, client_options={"allow_http": endpoint.startswith("http://")})
    return S3Store(bucket)


@contextmanager
def _reported(uri: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        if StorageFull.is_meant_by(error) or "No space left" in str(error):
            raise StorageFull(f"No space is left for {uri}.") from error
        if isinstance(error, (PermissionError, PermissionDeniedError, UnauthenticatedError)):
            raise UriNotAllowed(f"This worker has no permission for {uri}.") from error
        raise StorageUnavailable(f"{uri}: {str(error).splitlines()[0][:300]}") from error


def exists(uri: str) -> bool:
    """Whether there is an object at `uri`."""
    return size_of(uri) is not None


def size_of(uri: str) -> int | None:
    """The object's size in bytes; None where there is none."""
    location = locate(uri)
    with _reported(uri):
        try:
            return obstore.head(location.store, location.key)["size"]
        except FileNotFoundError:
            return None


def read(uri: str) -> bytes:
    """The object's bytes. Raises FileNotFoundError."""
    location = locate(uri)
    with _reported(uri):
        return bytes(obstore.get(location.store, location.key).bytes())


def write(uri: str, data: bytes) -> None:
    """Puts `data`, a small object of a render folder, at `uri`, replacing what is there. It may expire."""
    _put(uri, data, expires=True)


def create(uri: str, data: bytes) -> bool:
    """As `write`, unless there is an object at `uri` already; says whether it did."""
    return _put(uri, data, expires=True, mode="create")


def delete(uri: str) -> None:
    """Removes the object at `uri`, if there is one."""
    location = locate(uri)
    with _reported(uri), suppress(FileNotFoundError):
        obstore.delete(location.store, location.key)


def delete_all(prefix: str, names: Iterable[str]) -> None:
    """Removes the objects below `prefix` that have these names: many in one request where the store can."""
    location = locate(prefix)
    base = location.key.rstrip("/")
    with _reported(prefix), suppress(FileNotFoundError):
        obstore.delete(location.store, [f"{base}/{name}" for name in names])


def upload(path: Path, uri: str, *, expires: bool = False) -> None:
    """Puts the file at `uri`, in parts where it is large. What a render leaves behind on its way `expires`."""
    _put(uri, path, expires=expires)


def _put(uri: str, content: bytes | Path, *, expires: bool, mode: Literal["overwrite", "create"] = "overwrite") -> bool:
    location = locate(uri)
    tag = os.environ.get(EXPIRY_VARIABLE) if expires and isinstance(location.store, S3Store) else None
    name, _, value = (tag or "").partition("=")
    with _reported(uri):
        try:
            obstore.put(location.store, location.key, content, tags={name: value} if name else None, mode=mode)
        except AlreadyExistsError:
            return False
        except FileNotFoundError as error:
            raise UriNotAllowed(f"{uri} cannot be written: there is no such bucket.") from error
    return True


def download(uri: str, path: Path) -> None:
    """Writes the object to `path`, whole or not at all. Raises FileNotFoundError."""
    location = locate(uri)
    with _reported(uri):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix="downloading-") as scratch:
            partial = Path(scratch) / "partial"
            if isinstance(location.store, LocalStore):
                shutil.copyfile(Path("/") / location.key, partial)
            else:
                with partial.open("wb") as file:
                    for block in obstore.get(location.store, location.key).stream():
                        file.write(block)
            partial.replace(path)


def objects(prefix: str) -> dict[str, Stored]:
    """The objects below `prefix`, by the part of their keys after it."""
    location = locate(prefix)
    base = location.key.rstrip("/") + "/"
    with _reported(prefix):
        batches = obstore.list(location.store, location.key.rstrip("/"))
        return {
            item["path"].removeprefix(base): Stored(item["size"], item["last_modified"])
            for batch in batches
            for item in batch
        }


def listing(prefix: str) -> dict[str, int]:
    """Sizes in bytes of the objects below `prefix`, by the part of their keys after it."""
    return {name: stored.size for name, stored in objects(prefix).items()}
