"""Storage: file:// and s3:// behave the same, and nothing outside what is allowed is touched."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import obstore
import pytest

from lambda_handler import storage
from lambda_handler.errors import StorageFull, StorageUnavailable, UriNotAllowed


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, roots: Path) -> str:
    """An empty place to write to, in each kind of storage."""
    if request.param == "file":
        return storage.file_uri(roots / "place")
    return f"s3://{request.getfixturevalue('bucket')}/place"


def test_what_is_written_is_read(place: str) -> None:
    """Byte for byte."""
    storage.write(f"{place}/deep/down", b"\0one\xff")
    assert storage.read(f"{place}/deep/down") == b"\0one\xff"


def test_what_may_expire_is_tagged_and_a_video_is_not(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket's lifecycle rule looks at the tag: a video lives on, wherever it lies."""
    (tmp_path / "file").write_bytes(b"x")
    folder = f"s3://{bucket}/renders/x"

    def tags(key: str) -> list[tuple[str, str]]:
        told = boto3.client("s3").get_object_tagging(Bucket=bucket, Key=f"renders/x/{key}")
        return [(tag["Key"], tag["Value"]) for tag in told["TagSet"]]

    storage.write(f"{folder}/untagged", b"x")
    monkeypatch.setenv(storage.EXPIRY_VARIABLE, "hyperframes=intermediate")
    storage.write(f"{folder}/manifest.json", b"x")
    storage.upload(tmp_path / "file", f"{folder}/chunk.mp4", expires=True)
    storage.upload(tmp_path / "file", f"{folder}/video.mp4")
    assert tags("manifest.json") == tags("chunk.mp4") == [("hyperframes", "intermediate")]
    assert tags("video.mp4") == tags("untagged") == []


def test_writing_again_replaces(place: str) -> None:
    """Nothing of a longer object stays behind a shorter one."""
    storage.write(f"{place}/a", b"longer")
    storage.write(f"{place}/a", b"short")
    assert storage.read(f"{place}/a") == b"short"


def test_only_whole_keys_exist(place: str) -> None:
    """A folder is no object, and neither is the beginning of a name."""
    storage.write(f"{place}/a/bc", b"")
    asked = ("a/bc", "a", "a/b", "a/bcd", "z")
    assert [storage.exists(f"{place}/{name}") for name in asked] == [True, False, False, False, False]


def test_a_deleted_object_is_gone_and_may_be_deleted_again(place: str) -> None:
    """Cancelling and cleaning up twice is harmless."""
    storage.write(f"{place}/a", b"1")
    storage.delete(f"{place}/a")
    assert not storage.exists(f"{place}/a")
    storage.delete(f"{place}/a")


def test_many_objects_are_deleted_at_once(place: str) -> None:
    """Those that are named, and no others; one that is gone already is no fault."""
    for name in ("a/1", "a/b/2", "a/3"):
        storage.write(f"{place}/{name}", b"x")
    storage.delete_all(f"{place}/a", ["b/2", "1", "nothing"])
    assert storage.listing(place) == {"a/3": 1}
    storage.delete_all(f"{place}/a", [])


def test_a_listing_has_sizes_below_the_prefix_only(place: str) -> None:
    """Names that only begin with the prefix's last part are not below it."""
    for name, data in {"a/1": b"x", "a/b/2": b"xyz", "ab/3": b"", "a1": b""}.items():
        storage.write(f"{place}/{name}", data)
    assert storage.listing(f"{place}/a") == {"1": 1, "b/2": 3}
    assert storage.listing(f"{place}/a/") == {"1": 1, "b/2": 3}
    assert storage.listing(f"{place}/nothing") == {}


def test_a_file_goes_up_and_comes_down(place: str, tmp_path: Path) -> None:
    """More than one part of a multipart upload; folders are made where they are missing."""
    source, target = tmp_path / "source", tmp_path / "new" / "folder" / "target"
    source.write_bytes(os.urandom(1 << 20) * 12)
    storage.upload(source, f"{place}/large")
    storage.download(f"{place}/large", target)
    assert target.read_bytes() == source.read_bytes()
    assert storage.listing(place) == {"large": 12 << 20}


def test_what_is_not_there_is_a_missing_file(place: str, tmp_path: Path) -> None:
    """One exception for both kinds of storage; a download leaves nothing behind."""
    with pytest.raises(FileNotFoundError):
        storage.read(f"{place}/nothing")
    with pytest.raises(FileNotFoundError):
        storage.download(f"{place}/nothing", tmp_path / "target" / "file")
    assert list((tmp_path / "target").iterdir()) == []


def test_a_download_replaces_what_was_there(place: str, tmp_path: Path) -> None:
    """The target is the old file or the new one."""
    (tmp_path / "target").write_text("old and longer")
    storage.write(f"{place}/new", b"new")
    storage.download(f"{place}/new", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["a b", "é", "🎬", "a:b", "x+y", "~", "(1)", "50%25"])
def test_unusual_names_stay_apart(place: str, name: str) -> None:
    """A name is neither cut nor mistaken for another."""
    storage.write(f"{place}/n/{name}", b"1")
    storage.write(f"{place}/n/other", b"2")
    assert storage.read(f"{place}/n/{name}") == b"1"
    assert len(storage.listing(f"{place}/n")) == 2


@pytest.mark.parametrize("name", ["a#b", "a?b", "#", "what?.mp4"])
def test_a_key_may_hold_what_means_something_in_other_uris(bucket: str, name: str) -> None:
    """S3 keys have no query and no fragment."""
    storage.write(f"s3://{bucket}/n/{name}", b"1")
    assert storage.listing(f"s3://{bucket}/n") == {name: 1}


def test_a_file_uri_of_any_path_leads_to_it(roots: Path) -> None:
    """Blanks, # and ? of a path are escaped in its URI."""
    path = roots / "a b#c?d%20é"
    storage.write(storage.file_uri(path), b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "file://{root}/../outside",
        "file://{root}/a/../../outside",
        "file://{root}/%2e%2e/outside",
        "file://{root}-beside/x",
        "file://{root}/a#b",
        "file://{root}/a?b",
        "file://elsewhere{root}/a",
        "{root}/plain",
        "https://example.com/x",
        "s3:///key",
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/a/../b",
        "s3://bucket/a//b",
        "s3://bucket//b",
        "s3://bucket/./b",
        "",
    ],
)
def test_a_uri_that_leads_elsewhere_is_refused(roots: Path, uri: str) -> None:
    """Other schemes, other hosts, and whatever leaves the allowed folder, escaped or not."""
    with pytest.raises(UriNotAllowed):
        storage.locate(uri.format(root=roots))


def test_nothing_is_allowed_without_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was told of no folder touches none."""
    monkeypatch.delenv(storage.ROOTS_VARIABLE, raising=False)
    with pytest.raises(UriNotAllowed, match="none"):
        storage.locate(storage.file_uri(tmp_path))


def test_a_link_that_leaves_the_root_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is where a path really leads."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "secret")
    monkeypatch.setenv(storage.ROOTS_VARIABLE, str(inside))
    for name in ("link/secret", "link/new", "file"):
        with pytest.raises(UriNotAllowed):
            storage.write(storage.file_uri(inside / name), b"mine")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_root_may_itself_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home folders often are."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv(storage.ROOTS_VARIABLE, str(tmp_path / "link"))
    storage.write(storage.file_uri(tmp_path / "link" / "a"), b"1")
    assert storage.read(storage.file_uri(tmp_path / "real" / "a")) == b"1"


def test_another_bucket_is_refused(bucket: str) -> None:
    """A request cannot make the worker read or write what its role may reach elsewhere."""
    with pytest.raises(UriNotAllowed, match=bucket):
        storage.read("s3://somebody-elses/a")
    with pytest.raises(UriNotAllowed, match=bucket):
        storage.read(f"s3://{bucket}-2/a")


def test_roots_are_allowed_for_a_while_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was allowed before stays allowed, what was added goes again."""
    monkeypatch.setenv(storage.ROOTS_VARIABLE, str(tmp_path / "a"))
    with storage.allowing([tmp_path / "b"]):
        for name in ("a", "b"):
            storage.locate(storage.file_uri(tmp_path / name / "x"))
    with pytest.raises(UriNotAllowed):
        storage.locate(storage.file_uri(tmp_path / "b" / "x"))


def test_one_that_ends_takes_nothing_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two renders at once in one process, the first of which is done first."""
    monkeypatch.delenv(storage.ROOTS_VARIABLE, raising=False)
    first, second = storage.allowing([tmp_path / "a"]), storage.allowing([tmp_path / "b"])
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    storage.locate(storage.file_uri(tmp_path / "b" / "x"))
    with pytest.raises(UriNotAllowed):
        storage.locate(storage.file_uri(tmp_path / "a" / "x"))
    second.__exit__(None, None, None)
    with pytest.raises(UriNotAllowed, match="none"):
        storage.locate(storage.file_uri(tmp_path / "b" / "x"))


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 64 KiB; where none can be mounted, the answer that one gives."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:

        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(obstore, "put", full)
        monkeypatch.setattr(shutil, "copyfile", full)
    yield disk
    if mounted:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_to_be_full(roots: Path, full_disk: Path) -> None:
    """Written, uploaded, downloaded: the same error, and no half of a file."""
    large = roots / "large"
    large.write_bytes(os.urandom(1 << 20))
    with pytest.raises(StorageFull):
        storage.write(storage.file_uri(full_disk / "a"), large.read_bytes())
    with pytest.raises(StorageFull):
        storage.upload(large, storage.file_uri(full_disk / "b"))
    with pytest.raises(StorageFull):
        storage.download(storage.file_uri(large), full_disk / "c")
    assert not any((full_disk / name).exists() for name in "abc")


@pytest.fixture
def answering(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """An object store that answers everything with one status."""
    told = {"status": 0}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(told["status"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield told
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_permission_is_not_tried_again(
    answering: dict[str, int], bucket: str, tmp_path: Path, status: int
) -> None:
    """Waiting mends no policy. It is the object that is named, whatever was wanted of it."""
    answering["status"] = status
    with pytest.raises(UriNotAllowed, match=f"no permission for s3://{bucket}/a"):
        storage.read(f"s3://{bucket}/a")
    with pytest.raises(UriNotAllowed, match=f"no permission for s3://{bucket}/a"):
        storage.download(f"s3://{bucket}/a", tmp_path / "a")


def test_any_other_fault_of_the_store_may_mend_itself(answering: dict[str, int], bucket: str) -> None:
    """So it is an error that is retried, and it names the object."""
    answering["status"] = 400
    with pytest.raises(StorageUnavailable, match=f"s3://{bucket}/a"):
        storage.read(f"s3://{bucket}/a")


def test_writing_to_a_bucket_that_is_not_there_is_told_with_its_uri(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a missing file, and nothing that a retry would mend."""
    monkeypatch.setenv(storage.BUCKET_VARIABLE, "no-such-bucket")
    with pytest.raises(UriNotAllowed, match="no such bucket"):
        storage.write("s3://no-such-bucket/key", b"")
