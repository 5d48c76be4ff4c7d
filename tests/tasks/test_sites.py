"""Projects that are uploaded: the same content once, under its digest, as an archive that the worker takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prefect_aws import AwsCredentials
from rendering import Project

from flows.request import RenderRequest, check, output_uri, project_uri, render_folder
from lambda_handler import archive, storage
from lambda_handler.errors import InvalidConfig, ProjectNotFound, RenderError, UriNotAllowed
from lambda_handler.plan import fetch_project
from tasks.sites import digest_of, pack, upload_site
from tasks.stack import AwsStack


@pytest.fixture
def stack(bucket: str) -> AwsStack:
    """A stack in an empty bucket."""
    return AwsStack(bucket=bucket, function="render", credentials=AwsCredentials(region_name="us-east-1"))


def test_a_project_is_packed_the_same_every_time(project: Project, tmp_path: Path) -> None:
    """Whatever its files' times and modes are, and without what is never part of a picture."""
    folder = project(**{"assets/a.txt": "a", "node_modules/x.js": "no"})
    first = pack(folder, tmp_path / "first.tar.gz").read_bytes()
    os.utime(folder / "index.html", (1, 1))
    (folder / "assets" / "a.txt").chmod(0o600)
    assert pack(folder, tmp_path / "second.tar.gz").read_bytes() == first
    archive.unpack_project(tmp_path / "first.tar.gz", tmp_path / "unpacked", name="it")
    assert sorted(name for name, _ in archive.project_files(tmp_path / "unpacked")) == ["assets/a.txt", "index.html"]
    assert archive.project_digest(tmp_path / "unpacked") == archive.project_digest(folder)


def test_a_project_is_uploaded_once(project: Project, stack: AwsStack, tmp_path: Path) -> None:
    """Under the digest of its content; a worker unpacks the same files."""
    folder = project(**{"style.css": "p {}"})
    with stack.storage():
        uri = upload_site(folder, stack)
        assert uri == f"{stack.sites}/{archive.project_digest(folder)}.tar.gz"
        storage.write(uri, storage.read(uri) + b"marked")
        assert upload_site(folder, stack) == uri
        assert storage.read(uri).endswith(b"marked"), "it was there"
        storage.delete(uri)
        fetch_project(upload_site(folder, stack), tmp_path / "fetched")
    assert archive.project_digest(tmp_path / "fetched") == archive.project_digest(folder)


def test_an_archive_is_uploaded_as_it_is(project: Project, stack: AwsStack, tmp_path: Path) -> None:
    """Under the digest of its bytes."""
    packed = pack(project(), tmp_path / "project.tar.gz")
    with stack.storage():
        uri = upload_site(packed, stack)
        assert storage.read(uri) == packed.read_bytes()
        with pytest.raises(ProjectNotFound, match="gone"):
            upload_site(tmp_path / "gone.tar.gz", stack)


def test_what_was_uploaded_is_the_same_render_as_what_is_here(project: Project, stack: AwsStack) -> None:
    """Its folder follows from the content, by whichever name it is given."""
    folder = project()
    here = RenderRequest(project=str(folder), output="film.mp4")
    with stack.storage():
        uploaded = here.model_copy(update={"project": project_uri(here, stack)})
        assert digest_of(uploaded.project) == archive.project_digest(folder)
        assert render_folder(here, stack) == render_folder(uploaded, stack)
    assert render_folder(here, stack).startswith(f"{stack.renders}/film-")


@pytest.mark.parametrize(
    ("output", "uri"),
    [
        ("film.mp4", "s3://{bucket}/output/film.mp4"),
        ("autumn/film.mp4", "s3://{bucket}/output/autumn/film.mp4"),
        ("s3://{bucket}/output/film.mp4", "s3://{bucket}/output/film.mp4"),
    ],
)
def test_a_video_lies_in_the_stacks_bucket(stack: AwsStack, output: str, uri: str) -> None:
    """Below output/, when only a name was given."""
    request = RenderRequest(project=f"s3://{stack.bucket}/p.tar.gz", output=output.format(bucket=stack.bucket))
    check(request, stack)
    assert output_uri(request, stack) == uri.format(bucket=stack.bucket)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"output": "/srv/film.mp4"}, InvalidConfig),
        ({"output": "file:///srv/film.mp4"}, InvalidConfig),
        ({"output": "../film.mp4"}, InvalidConfig),
        ({"output": "s3://elsewhere/film.mp4"}, UriNotAllowed),
        ({"project": "s3://elsewhere/p.tar.gz"}, UriNotAllowed),
        ({"render_folder": "s3://elsewhere/renders/film"}, UriNotAllowed),
        ({"render_folder": "file:///srv/renders/film"}, UriNotAllowed),
    ],
    ids=str,
)
def test_what_the_stack_cannot_reach_is_refused(
    stack: AwsStack, change: dict[str, str], error: type[RenderError]
) -> None:
    """Before anything is uploaded or invoked."""
    given = {"project": f"s3://{stack.bucket}/p.tar.gz", "output": "film.mp4", **change}
    with pytest.raises(error):
        check(RenderRequest.model_validate(given), stack)


def test_a_bucket_that_is_not_there_is_told(project: Project, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the upload, which comes first."""
    monkeypatch.delenv(storage.BUCKET_VARIABLE)
    gone = AwsStack(bucket=f"{bucket}-gone", function="render", credentials=AwsCredentials(region_name="us-east-1"))
    with gone.storage(), pytest.raises(UriNotAllowed, match="no such bucket"):
        upload_site(project(), gone)
