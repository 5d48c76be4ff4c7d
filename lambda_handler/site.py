"""The files a page is served from, and the artifacts they travel as."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lambda_handler import storage
from lambda_handler.errors import MissingPlanArtifact, PlanArtifactDigestMismatch
from lambda_handler.manifest import Artifact, Role
from lambda_handler.toolchain import sha256_of

PAGE = "index.html"
INIT_SCRIPT = "_hf/init.js"
TRANSFERS = 16


def stage(files: Mapping[str, Path | bytes], folder: Path) -> dict[str, Path]:
    """Served path -> file; what is no file yet is written below `folder`, the others stay where they are."""
    site: dict[str, Path] = {}
    for served, content in files.items():
        if isinstance(content, Path):
            site[served] = content
            continue
        site[served] = target = folder / "site" / hashlib.sha256(served.encode()).hexdigest()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return site


def publish(site: Mapping[str, Path], prefix: str, sources: Collection[str] = ()) -> tuple[Artifact, ...]:
    """Uploads what is not there yet, under its sha256; returns the artifacts sorted by served path.

    The paths `sources` are files that the page itself never asks for.
    """

    def published(item: tuple[str, Path]) -> Artifact:
        served, file = item
        return publish_one(served, file, prefix, "source" if served in sources else "page")

    with ThreadPoolExecutor(TRANSFERS) as pool:
        return tuple(pool.map(published, sorted(site.items())))


def publish_one(path: str, file: Path, prefix: str, role: Role) -> Artifact:
    """Uploads the file, where it is not there yet, under its sha256; returns the artifact."""
    artifact = Artifact(path=path, sha256=sha256_of(file), size_bytes=file.stat().st_size, role=role)
    uri = storage.join(prefix, artifact.key)
    if storage.size_of(uri) != artifact.size_bytes:
        storage.upload(file, uri, expires=True)
    return artifact


def are_there(artifacts: Iterable[Artifact], prefix: str) -> bool:
    """Whether all of them are stored: a bucket's lifecycle rule takes them one by one."""
    stored = storage.listing(prefix)
    return all(stored.get(artifact.key) == artifact.size_bytes for artifact in artifacts)


def materialise(artifacts: Iterable[Artifact], prefix: str, folder: Path) -> dict[str, Path]:
    """Fetches artifacts of the plan into `folder`, each checked; returns served path -> file.

    Raises MissingPlanArtifact, PlanArtifactDigestMismatch.
    """

    def fetched(artifact: Artifact) -> tuple[str, Path]:
        file = folder / artifact.sha256
        if not file.is_file():
            try:
                storage.download(storage.join(prefix, artifact.key), file)
            except FileNotFoundError as error:
                raise MissingPlanArtifact(f"{artifact.path} ({artifact.key}) is not in the render folder.") from error
        found = sha256_of(file)
        if found != artifact.sha256:
            file.unlink()
            raise PlanArtifactDigestMismatch(f"{artifact.path} has sha256 {found}, the plan froze {artifact.sha256}.")
        return artifact.path, file

    artifacts = tuple(artifacts)
    unique = {artifact.sha256: artifact for artifact in artifacts}
    with ThreadPoolExecutor(TRANSFERS) as pool:
        files = {file.name: file for _, file in pool.map(fetched, unique.values())}
    return {artifact.path: files[artifact.sha256] for artifact in artifacts}
