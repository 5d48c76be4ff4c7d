"""Which compositions are found, what a failed render says, and the table's lines."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from rendering import GSAP, page

from lambda_handler import toolchain
from lambda_handler.compile.css_urls import urls_in_css
from parity import cdn
from parity.cli import line
from parity.comparison import Rendered, Row, compositions, render_both
from parity.measure import Likeness, Limits
from parity.reference import Reference

ALIKE = Likeness((30, 30), (1.0, 1.0), ((64, 48), (64, 48)), (50.0,) * 30, (False, False), None)


def test_the_outermost_folders_with_a_page_are_the_compositions(tmp_path: Path) -> None:
    """Pages inside a composition belong to it, and what npm installed is no composition."""
    for place in ("a", "a/inner", "group/b", "node_modules/c"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "index.html").write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in compositions(tmp_path)] == ["a", "group/b"]
    assert list(compositions(tmp_path / "a")) == [tmp_path / "a"]


def test_a_failed_render_is_a_line_with_its_reason() -> None:
    """The table goes on; the verdict says whose render failed and why."""
    row = Row("x", Rendered(None, "PAGE_NOT_READY | no timeline", 1, 1), Rendered(Path("v"), None, 2, 2), None)
    assert line(row, Limits()).endswith("| ours: PAGE_NOT_READY \\| no timeline |")


def test_a_line_has_as_many_cells_as_the_head() -> None:
    """Whether the videos were compared or not."""
    from parity.cli import HEAD

    done = Rendered(Path("v"), None, 1, 1)
    for row in (Row("x", done, done, ALIKE), Row("x", done, Rendered(None, "why", 1, 1), None)):
        assert line(row, Limits()).count("|") == HEAD.splitlines()[0].count("|")


def test_libraries_of_a_cdn_are_answered_from_the_bundle() -> None:
    """With the bytes of the installed package; what is not installed is not found."""
    with cdn.serving(toolchain.node_modules()) as variables:
        address = variables[cdn.ADDRESS_VARIABLE]
        with urllib.request.urlopen(address + quote(GSAP, safe="")) as answer:  # noqa: S310 - our own server
            assert answer.read() == (toolchain.node_modules() / "gsap-3.14.2/dist/gsap.min.js").read_bytes()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address + quote("https://unpkg.com/nothing@1/x.js", safe=""))  # noqa: S310


def test_google_fonts_are_answered_with_every_weight_of_the_bundled_family() -> None:
    """The style sheet's font files are there; a family that is not bundled has none."""
    stand_in = cdn.Cdn(toolchain.node_modules())
    sheet = stand_in.answer("https://fonts.googleapis.com/css2?family=Inter:wght@800&display=swap")
    assert sheet and sheet[1] == "text/css"
    rules = sheet[0].decode()
    assert all(f"font-weight: {weight};" in rules for weight in range(100, 1000, 100))
    file = next(url for url in urls_in_css(rules) if "latin-800-normal" in url)
    answer = stand_in.answer(file)
    assert answer and answer[0].startswith(b"wOF2")
    assert stand_in.answer("https://fonts.googleapis.com/css2?family=Nobody+Has+This") is None


def test_both_renders_are_compared_and_drawn_on_one_sheet(tmp_path: Path, server: object) -> None:
    """Against a reference that copies what we rendered, everything is the same."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.html").write_text(page(duration="0.5"))
    script = tmp_path / "copy.cjs"
    ours = tmp_path / "work" / "ours.mp4"
    script.write_text(f"require('fs').copyFileSync({str(ours)!r}, process.argv[process.argv.indexOf('-o') + 1])")
    row = render_both(project, "project", Reference(script, {}, Path("node")), tmp_path / "work", 16)
    assert row.verdict(Limits()) == "same", row
    assert row.likeness and row.likeness.frames == (15, 15)
    assert (tmp_path / "work" / "sheet.jpg").is_file()


def test_a_reference_that_fails_is_told_with_its_own_words(tmp_path: Path, server: object) -> None:
    """From the last line that speaks of a failure on: the reason may be below it."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.html").write_text(page(duration="0.2"))
    script = tmp_path / "fail.cjs"
    script.write_text("console.log('starting'); console.error('Render failed\\nno such font'); process.exit(1)")
    row = render_both(project, "project", Reference(script, {}, Path("node")), tmp_path / "work", 16)
    assert row.verdict(Limits()) == "theirs: Render failed no such font"
