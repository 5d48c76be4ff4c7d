"""Small projects and places for renders: real files below the test's own folder, a real S3 server."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.utilities.asyncutils import run_coro_as_sync
from rendering import HEIGHT, WIDTH, Project, Render, page
from showing import Shows, shows_in
from synthetic_media import counting_videos

from flows.prefect_server import PrefectApi, connected, ensure_api, stop_server
from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.devtools import Devtools
from lambda_handler.storage import BUCKET_VARIABLE, ROOTS_VARIABLE, file_uri

CONFIG = {"fps": 30, "chunkSize": 10}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes, one runs all the tests that need the Prefect server, and a file stays whole."""
    for item in items:
        needs_server = "server" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("prefect" if needs_server else item.path.as_posix()))


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Devtools]:
    """A browser for 320 x 180 px."""
    with launched(toolchain.chromium(), WIDTH, HEIGHT) as browser:
        yield browser


@pytest.fixture
def shows(browser: Devtools, tmp_path: Path) -> Shows:
    """Opens a page in the browser."""
    return shows_in(browser, tmp_path)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of counting videos of 160 x 90 px, of many kinds."""
    folder = tmp_path_factory.mktemp("media")
    counting_videos(folder)
    return folder


@pytest.fixture
def videos(roots: Path, media: Path) -> Callable[..., Render]:
    """A render of a page beside the media."""

    def rendered(body: str, *, seconds: float = 1, files: dict[str, str] | None = None, **config: object) -> Render:
        project = roots / "project"
        project.mkdir()
        html = page(body, duration=str(seconds))
        for name, text in {"index.html": html, **(files or {})}.items():
            (project / name).write_text(text)
        for file in media.iterdir():
            if any(file.name in text for text in (html, *(files or {}).values())):
                (project / file.name).write_bytes(file.read_bytes())
        return Render(file_uri(project), file_uri(roots / "render"), config)

    return rendered


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


def _at(place: Path) -> Render:
    return Render(file_uri(place / "project"), file_uri(place / "render"), CONFIG)


@pytest.fixture(scope="session")
def rendered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project, its render as it was planned ("planned"), and with all its chunks ("render")."""
    place = tmp_path_factory.mktemp("rendered")
    (place / "project").mkdir()
    (place / "project" / "index.html").write_text(page())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOTS_VARIABLE, str(place))
        render = _at(place)
        render.plan()
        shutil.copytree(place / "render", place / "planned")
        render.chunks()
    return place


def _copied(once: Path, place: Path, which: str) -> Render:
    shutil.copytree(once / "project", place / "project")
    shutil.copytree(once / which, place / "render")
    render = _at(place)
    render.plan()
    return render


@pytest.fixture
def planned(rendered_once: Path, roots: Path) -> Render:
    """A planned render of 30 frames in three chunks: a box that moves."""
    return _copied(rendered_once, roots, "planned")


@pytest.fixture
def rendered(rendered_once: Path, roots: Path) -> Render:
    """The same with all its chunks."""
    return _copied(rendered_once, roots, "render")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectApi]:
    """The background server, with a state folder of the tests' own, stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERFRAMES_STATE", str(tmp_path_factory.mktemp("state")))
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        for name in [name for name in os.environ if name.startswith("PREFECT_API")]:
            patch.delenv(name)
        yield ensure_api()
        _drain()
        stop_server()


@pytest.fixture
def api(server: PrefectApi) -> Iterator[PrefectApi]:
    """Flows of the test report to the server."""
    with connected(server.api_url, quiet=True):
        yield server


def _drain() -> None:
    """Has Prefect send what it still holds: with the server gone, the process would wait a minute for it at exit."""

    async def drained() -> None:
        for waiting in (APILogWorker.drain_all(), EventsWorker.drain_all()):
            if inspect.isawaitable(waiting):
                await waiting

    run_coro_as_sync(drained())
