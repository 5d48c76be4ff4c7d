"""A project's folder has a fence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_handler.compile.project import Project, composition_path
from lambda_handler.errors import CompositionInvalid, UriNotAllowed


@pytest.mark.parametrize(
    ("src", "path"),
    [("a.html", "a.html"), (" ./x/../a%20b.html?v=1#y ", "a b.html"), ("x/y.html", "x/y.html")],
)
def test_a_composition_is_named_from_the_top_folder(src: str, path: str) -> None:
    """One file has one name, however it is spelled."""
    assert composition_path(src, "<div> in index.html") == path


@pytest.mark.parametrize(
    "src",
    [
        "../a.html",
        "x/../../a.html",
        "/etc/passwd",
        "http://a.b/c.html",
        "//a.b/c",
        "%2e%2e/a.html",
        "file:a",
        "..",
        "%2Fetc/passwd",
        "a%00b",
    ],
)
def test_a_composition_outside_the_project_is_refused(src: str) -> None:
    """And the message names the element that asks for it."""
    with pytest.raises(CompositionInvalid, match=r"of <div> in index.html leaves the project"):
        composition_path(src, "<div> in index.html")


def test_text_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    """A missing file, or a folder, is None."""
    (tmp_path / "a.html").write_bytes(b"\xef\xbb\xbfx")
    project = Project(tmp_path)
    assert [project.read_text("a.html"), project.read_text("b.html"), project.read_text(".")] == [
        "x",
        None,
        None,
    ]
    assert project.exists("a.html")
    assert not project.exists("b.html")


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    """A project could read any file of the machine otherwise."""
    (tmp_path / "secret").write_text("x")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/a.html").symlink_to(tmp_path / "secret")
    with pytest.raises(UriNotAllowed, match=r"a.html lies outside"):
        Project(tmp_path / "project").read_text("a.html")


def test_a_page_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Guessing would change its text."""
    (tmp_path / "a.html").write_bytes("é".encode("latin-1"))
    with pytest.raises(CompositionInvalid, match=r"a.html is not UTF-8"):
        Project(tmp_path).read_text("a.html")
