"""The artifact: what is in it, that it is the same each time, and that too much of it is refused."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from infra.artifact import (
    BUILD,
    CONTENTS,
    FUNCTION,
    Row,
    TooLarge,
    browser_files,
    check_size,
    licences,
    page_files,
    table,
    write_pack,
)
from infra.wheels import closure, pins
from lambda_handler.browser_fonts import OWN_PACKAGES
from lambda_handler.compile.font_faces import faces, font_package, font_packages
from lambda_handler.compile.libraries import Bundle
from lambda_handler.toolchain import CHECKOUT, chromium, node_modules, sha256_of

LOCK = (CHECKOUT / "requirements.lock").read_text()
RULES = tomllib.loads(CONTENTS.read_text())
LATIN_AND_KANA = frozenset({ord("A"), ord("é"), ord("Ж"), ord("カ")})


AMAZON_LINUX = {
    "ld-linux-x86-64.so.2", "linux-vdso.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1",
    "libgcc_s.so.1", "libstdc++.so.6",
}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> dict[str, Path]:
    return dict(page_files(node_modules(), RULES["page"]))


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_worker_gets_its_own_packages_and_no_orchestration(python: str) -> None:
    """Out of the lock, each by hash; what another Python needs is left out."""
    chosen = {
        pin.name: pin for pin in closure((CHECKOUT / "requirements.lock").read_text(), RULES["python"]["roots"], python)
    }
    assert {"pydantic", "pydantic-core", "backports-zstd"} <= chosen.keys()
    assert not {"prefect", "boto3", "moto", "pytest", "mypy"} & chosen.keys()
    assert all(pin.hashes for pin in chosen.values())


def test_what_the_worker_imports_it_gets() -> None:
    """But for what only a checkout needs: the packs that the artifact's own are made from."""
    imported: set[str] = set()
    for file in (CHECKOUT / "lambda_handler").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.partition(".")[0] for name in names}
    brought_by = packages_distributions()
    # Other tests may have had setuptools put its own copies of packages on the path.
    locked = {pin.name for pin in pins(LOCK)}
    wanted = {canonicalize_name(each) for name in imported for each in brought_by.get(name, ())} & locked
    chosen = {pin.name for pin in closure(LOCK, RULES["python"]["roots"], "3.13")}
    assert wanted - chosen <= {"brotli", "manimgx-fonts", "manimgx-fonts-cjk"}, wanted - chosen
    assert "pydantic" in wanted


def test_a_root_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="no-such-thing"):
        closure(LOCK, ["no-such-thing"], "3.13")


def test_every_bundled_font_is_in_the_artifact(served: dict[str, Path], tmp_path: Path) -> None:
    """The rules made from the artifact's packages name the same files as those made from the checkout's."""
    for name, file in served.items():
        if name.startswith("@fontsource"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).symlink_to(file)
    whole, mine = Bundle(node_modules()), Bundle(tmp_path)
    asked_for = json.loads((CHECKOUT / "package.json").read_text())["dependencies"]
    families = [name.partition("/")[2] for name in asked_for if name.startswith("@fontsource")]
    families = [name for name in families if name not in OWN_PACKAGES]
    assert font_packages(mine) == sorted(families)
    for family in families:
        package, kept = font_package(whole, family), font_package(mine, family)
        assert package is not None
        assert kept is not None
        wanted = faces(package, family, LATIN_AND_KANA, italics=True)
        got = faces(kept, family, LATIN_AND_KANA, italics=True)
        assert got.css == wanted.css
        assert all(file.is_file() for file in got.files.values())


@pytest.mark.parametrize(
    "file",
    [
        "@hyperframes/core/dist/hyperframe.runtime.iife.js",
        "@hyperframes/core/dist/generated/audio-fx-runtime-inline.js",
        "gsap/dist/gsap.min.js",
        "gsap-3.12.5/dist/ScrollTrigger.min.js",
        "three/build/three.module.js",
        "three-0.160/examples/jsm/loaders/GLTFLoader.js",
        "lottie-web/build/player/lottie.min.js",
        "d3-array/dist/d3-array.js",
        "maplibre-gl/dist/maplibre-gl.css",
        "world-atlas/countries-110m.json",
    ],
)
def test_what_pages_load_is_in_the_artifact(served: dict[str, Path], file: str) -> None:
    assert file in served


def test_what_no_page_is_served_is_left_out(served: dict[str, Path]) -> None:
    """Maps, types, sources, documents, other font formats, and the browser, which is packed on its own."""
    unwanted = (".map", ".ts", ".md", ".woff", ".ttf", ".br", ".scss")
    assert [name for name in served if name.endswith(unwanted) and "LICENSE" not in name.upper()] == []
    assert [name for name in served if name.startswith(("@sparticuz", "prefect"))] == []


def _noticed() -> list[tuple[str, str]]:
    """What NOTICE lists: a package, or a pattern of them, and what stands beside it."""
    listed = (CHECKOUT / "NOTICE").read_text().partition("named as their registries name them.")[2]
    rows = re.sub(r"\n {30,}", " ", listed.partition("Set-up alone")[0]).strip().splitlines()
    columns = [re.split(r" {2,}", row.strip(), maxsplit=1) for row in rows]
    return [(name, licence) for names, licence in columns for name in re.sub(", the .*", "", names).split(", ")]


def _licence(distribution: str) -> str | None:
    try:
        told = metadata(distribution).json.get("license_expression")
    except PackageNotFoundError:  # of another Python than this
        return None
    return str(told) if told else None


def _shipped(served: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The packages in the artifact, and their licences where they name them as SPDX does."""
    for pin in closure(LOCK, RULES["python"]["roots"], "3.13"):
        yield pin.name, _licence(pin.name)
    for name in RULES["licences"]["distributions"]:
        yield name, _licence(name)
    folders = {"/".join(name.split("/")[: 2 if name.startswith("@") else 1]) for name in served}
    for folder in sorted({*folders, *RULES["licences"]["modules"]}):
        told = json.loads((node_modules() / folder / "package.json").read_text())
        yield told["name"], told.get("license")


def test_notice_lists_what_is_in_the_artifact_and_nothing_else(served: dict[str, Path]) -> None:
    """Each package with the licence that it names itself."""
    noticed, shipped = _noticed(), list(_shipped(served))
    for name, licence in shipped:
        said = [text for pattern, text in noticed if fnmatch(name, pattern)]
        assert said, f"NOTICE lacks {name}"
        if licence and re.fullmatch(r"[\w.-]+", licence):
            assert any(licence in text for text in said), f"NOTICE says {said} of {name}, which is under {licence}"
    unknown = [pattern for pattern, _ in noticed if not any(fnmatch(name, pattern) for name, _ in shipped)]
    assert unknown == []


def test_the_licences_of_what_is_packed_go_with_it() -> None:
    """GPL-3.0 for FFmpeg, and those of the packages of which only files without one are packed."""
    found = dict(licences(RULES["licences"]))
    assert "GNU GENERAL PUBLIC LICENSE" in found["GPL-3.0.txt"].read_text()
    assert "SIL OPEN FONT LICENSE" in found["manimgx-fonts.txt"].read_text().upper()
    assert all(file.is_file() for file in found.values())
    assert len(found) == 1 + sum(map(len, RULES["licences"].values()))
    of_the_browser = {name.partition("/")[2] for name in RULES["licences"]["modules"] if name.startswith("@fontsource")}
    assert of_the_browser == OWN_PACKAGES


def test_a_pack_is_the_same_each_time(tmp_path: Path) -> None:
    """Whatever the order, the times and the owners of its files are."""
    for place in ("one", "other"):
        for name in ("b", "a") if place == "one" else ("a", "b"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / name).write_text(name * 5000)
        os.utime(tmp_path / place / "a", (len(place), len(place)))
        files = {file.name: file for file in sorted((tmp_path / place).iterdir(), reverse=place == "one")}
        write_pack(files, tmp_path / f"{place}.tar.zst", 3, far=True)
    assert sha256_of(tmp_path / "one.tar.zst") == sha256_of(tmp_path / "other.tar.zst")


def test_what_is_packed_needs_no_library_that_lambda_lacks() -> None:
    """Amazon Linux has glibc's, libgcc and libstdc++; whatever else is loaded comes with the tool."""
    executable = chromium().executable
    own = {path.name for path in (executable.parent / "lib").iterdir()}
    # The dynamic linker lists what it would load, and loads nothing.
    traced = {**dict(chromium().environment), "LD_TRACE_LOADED_OBJECTS": "1"}
    listed = subprocess.run([executable], env=traced, capture_output=True, text=True, check=True).stdout
    needed = {Path(line.split()[0]).name for line in listed.splitlines()}
    assert "libc.so.6" in needed
    assert needed - own <= AMAZON_LINUX


def test_another_browser_takes_the_place_of_the_pinned_one(tmp_path: Path) -> None:
    """With all that lies beside it; the libraries that Amazon Linux lacks and the fonts stay."""
    for name in ("chrome-headless-shell", "icudtl.dat", "locales/en-US.pak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    pinned, own = browser_files("sparticuz", None), browser_files("chrome-headless-shell", tmp_path)
    assert own["chromium"] == tmp_path / "chrome-headless-shell"
    assert {"icudtl.dat", "locales/en-US.pak"} < own.keys()
    kept = {name for name in pinned if name.startswith(("lib/", "fonts/"))}
    assert {name: own[name] for name in kept} == {name: pinned[name] for name in kept}
    assert len(own) == 3 + len(kept)


def test_another_browser_has_to_be_there(tmp_path: Path) -> None:
    """The message says how it is had."""
    with pytest.raises(SystemExit, match="CHROME_FOLDER"):
        browser_files("chrome-headless-shell", tmp_path)


def test_too_much_is_refused_with_its_size() -> None:
    rows = [Row("chromium", 200 * 1024**2, 100 * 1024**2), Row("others", 49 * 1024**2, 10 * 1024**2)]
    with pytest.raises(TooLarge, match=r"249\.0 MiB unzipped, and 248 MiB"):
        check_size(rows, {"unzipped_mib": 248, "zipped_mib": 160})
    with pytest.raises(TooLarge, match=r"110\.0 MiB zipped, and 100 MiB"):
        check_size(rows, {"unzipped_mib": 250, "zipped_mib": 100})
    check_size(rows, {"unzipped_mib": 249, "zipped_mib": 110})
    assert "chromium" in table(rows)


def test_what_the_image_copies_is_what_the_build_makes() -> None:
    """The image's own build cannot run everywhere; its sources are where it looks for them."""
    lines = (CHECKOUT / "infra" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY")]
    made = (BUILD / FUNCTION).relative_to(CHECKOUT).as_posix()
    assert copied == [f"{made}/"]
    handler = next(line for line in lines if line.startswith("CMD"))
    assert '"lambda_handler.handler.handler"' in handler
    ignored = (CHECKOUT / "infra" / "Dockerfile.dockerignore").read_text().split()
    assert ignored == ["*", f"!{made}"]
