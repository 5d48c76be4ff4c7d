"""Small projects and places for renders: real files below the test's own folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer
from rendering import Project, Render, page

from lambda_handler.storage import BUCKET_VARIABLE, ROOTS_VARIABLE, file_uri


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, and the only one that the handler may touch."""
    monkeypatch.setenv(ROOTS_VARIABLE, str(tmp_path))
    monkeypatch.delenv(BUCKET_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes a project: its index.html, and other files by name."""

    def written(html: str | None = None, *, name: str = "project", **files: str) -> Path:
        folder = tmp_path / name
        for path, text in {"index.html": page() if html is None else html, **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return written


@pytest.fixture
def render(roots: Path, project: Project) -> Callable[..., Render]:
    """A render of a small page, in a folder of its own."""

    def made(html: str | None = None, *, folder: str = "render", **config: Any) -> Render:
        return Render(file_uri(project(html)), file_uri(roots / folder), config)

    return made


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 server on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, the only one that the handler may touch."""
    name = f"renders-{uuid4()}"
    for variable, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        BUCKET_VARIABLE: name,
    }.items():
        monkeypatch.setenv(variable, value)
    boto3.client("s3").create_bucket(Bucket=name)
    return name
