"""Projects as they travel: what an archive may hold, and what of a folder is a project."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_handler import archive
from lambda_handler.archive import copy_project, project_digest, project_files, unpack_project
from lambda_handler.errors import PlanTooLarge, ProjectArchiveInvalid, ProjectNotFound

Member = tuple[str, bytes, dict[str, object]]


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    """Writes a .tar.gz of members: name, bytes, fields of the header."""

    def written(*members: Member) -> Path:
        path = tmp_path / "project.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, data, fields in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                for field, value in fields.items():
                    setattr(info, field, value)
                tar.addfile(info, io.BytesIO(data))
        return path

    return written


INDEX: Member = ("index.html", b"<p>hello</p>", {})
FOLDER: Member = ("assets", b"", {"type": tarfile.DIRTYPE, "mode": 0o755})


def test_a_good_archive_unpacks(packed: Callable[..., Path], tmp_path: Path) -> None:
    """Files and folders, with the usual leading dot or without."""
    path = packed(("./", b"", {"type": tarfile.DIRTYPE}), INDEX, FOLDER, ("./assets/a.json", b"{}", {}))
    unpack_project(path, tmp_path / "out", name="it")
    assert [name for name, _ in project_files(tmp_path / "out")] == ["assets/a.json", "index.html"]
    assert (tmp_path / "out" / "index.html").read_bytes() == b"<p>hello</p>"


def test_a_folder_and_its_archive_are_the_same_project(packed: Callable[..., Path], tmp_path: Path) -> None:
    """Only names and bytes count, not times, owners or modes."""
    unpack_project(packed(("index.html", INDEX[1], {"mode": 0o600, "mtime": 9})), tmp_path / "out", name="it")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_bytes(INDEX[1])
    assert project_digest(tmp_path / "out") == project_digest(tmp_path / "folder")


@pytest.mark.parametrize(
    "member",
    [
        ("../evil", b"x", {}),
        ("assets/../../evil", b"x", {}),
        ("/tmp/evil", b"x", {}),  # noqa: S108 - never written
        ("link", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("link", b"", {"type": tarfile.SYMTYPE, "linkname": "index.html"}),
        ("link", b"", {"type": tarfile.LNKTYPE, "linkname": "index.html"}),
        ("device", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),
        ("disk", b"", {"type": tarfile.BLKTYPE}),
        ("pipe", b"", {"type": tarfile.FIFOTYPE}),
    ],
    ids=lambda member: str(member[0]),
)
def test_a_dangerous_member_is_refused_before_anything_is_written(
    packed: Callable[..., Path], tmp_path: Path, member: Member
) -> None:
    """Paths that leave the folder, links and devices; the message names archive and member."""
    with pytest.raises(ProjectArchiveInvalid) as caught:
        unpack_project(packed(INDEX, member), tmp_path / "out", name="s3://b/p.tar.gz")
    assert "s3://b/p.tar.gz" in caught.value.summary
    assert repr(member[0]) in caught.value.summary
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil").exists()


def _whole(packed: Callable[..., Path]) -> bytes:
    return packed(("big.bin", bytes(range(256)) * 4000, {}), INDEX).read_bytes()


def test_a_truncated_archive_is_refused(packed: Callable[..., Path], tmp_path: Path) -> None:
    """However much of it is missing."""
    whole = _whole(packed)
    for length in (0, 5, 12, len(whole) // 3, len(whole) // 2, len(whole) - 20, len(whole) - 9):
        (tmp_path / "cut.tar.gz").write_bytes(whole[:length])
        with pytest.raises(ProjectArchiveInvalid, match=r"cut\.tar\.gz"):
            unpack_project(tmp_path / "cut.tar.gz", tmp_path / f"out{length}", name="cut.tar.gz")


def test_a_damaged_archive_is_refused(packed: Callable[..., Path], tmp_path: Path) -> None:
    """One wrong byte in the compressed data, or in the checksum after it."""
    whole = _whole(packed)
    for place in (1, len(whole) // 2, len(whole) - 6):
        (tmp_path / "bad.tar.gz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(ProjectArchiveInvalid):
            unpack_project(tmp_path / "bad.tar.gz", tmp_path / f"out{place}", name="it")


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_another_compression_is_checked_as_well(
    packed: Callable[..., Path], tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """What it says about damage is translated, whatever its own words are."""
    path = tmp_path / "it"
    whole = compress(gzip.decompress(_whole(packed)))
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:])
    with pytest.raises(ProjectArchiveInvalid):
        unpack_project(path, tmp_path / "out", name="it")


@pytest.mark.parametrize(
    "content", [b"<html>", gzip.compress(b"<html>"), b"PK\x03\x04" + bytes(600)], ids=["page", "compressed", "zip"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """A page, a compressed page, a ZIP."""
    (tmp_path / "it").write_bytes(content)
    with pytest.raises(ProjectArchiveInvalid):
        unpack_project(tmp_path / "it", tmp_path / "out", name="it")


@pytest.mark.parametrize(
    "members",
    [
        [("a", b"x", {}), ("a/b", b"x", {})],
        [("a/b", b"x", {}), ("a", b"x", {})],
        [("a" * 300, b"x", {})],
        [("a\0" + "b" * 120, b"x", {})],
    ],
    ids=["file-then-folder", "folder-then-file", "name-too-long", "nul-in-name"],
)
def test_members_that_no_disk_can_hold_are_refused(
    packed: Callable[..., Path], tmp_path: Path, members: list[Member]
) -> None:
    """The archive is to blame, not the machine."""
    with pytest.raises(ProjectArchiveInvalid):
        unpack_project(packed(*members), tmp_path / "out", name="it")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    packed: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number of members and by bytes, as the headers tell them, before anything is written."""
    path = packed(INDEX, ("zeros", bytes(2_000_000), {}))
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    with pytest.raises(ProjectArchiveInvalid):
        unpack_project(path, tmp_path / "out", name="it")
    monkeypatch.setattr(archive, "MAX_BYTES", 3_000_000)
    monkeypatch.setattr(archive, "MAX_FILES", 1)
    with pytest.raises(ProjectArchiveInvalid):
        unpack_project(path, tmp_path / "out", name="it")
    assert not (tmp_path / "out").exists()


def _tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("skipped", sorted(archive.SKIPPED_FOLDERS))
def test_a_folder_that_is_never_part_of_a_picture_is_left_out(tmp_path: Path, skipped: str) -> None:
    """At the top only: deeper ones may be assets that happen to have such a name."""
    source = _tree(tmp_path / "in", "index.html", f"{skipped}/junk.js", f"assets/{skipped}/kept.js")
    copy_project(source, tmp_path / "out")
    assert [name for name, _ in project_files(tmp_path / "out")] == [
        f"assets/{skipped}/kept.js",
        "index.html",
    ]
    assert not (tmp_path / "out" / skipped).exists()


def test_a_link_that_leaves_the_project_is_left_out(tmp_path: Path) -> None:
    """One that stays inside is the file it points to."""
    source = _tree(tmp_path / "in", "index.html", "real.png")
    (tmp_path / "secret").write_text("secret")
    (source / "secret.txt").symlink_to(tmp_path / "secret")
    (source / "alias.png").symlink_to("real.png")
    copy_project(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "alias.png",
        "index.html",
        "real.png",
    ]


def test_a_digest_changes_with_every_name_and_byte(tmp_path: Path) -> None:
    """And with nothing else; a file's end is not mistaken for another's beginning."""
    digests = set()
    for number, files in enumerate(({"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a": "", "b": "1"})):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        digests.add(project_digest(folder))
    assert len(digests) == 5


def test_a_missing_folder_is_no_project(tmp_path: Path) -> None:
    """Neither is a file."""
    with pytest.raises(ProjectNotFound):
        copy_project(tmp_path / "nothing", tmp_path / "out")


def test_a_project_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's home folder, usually."""
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    source = _tree(tmp_path / "in", "index.html", "a", "node_modules/b")
    assert len(list(project_files(source))) == 2
    with pytest.raises(PlanTooLarge):
        list(project_files(_tree(source, "c")))
