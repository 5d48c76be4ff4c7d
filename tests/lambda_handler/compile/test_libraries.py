"""Libraries that pages load from CDNs, found among the installed packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_handler.compile.libraries import Bundle, parse_cdn_url
from lambda_handler.toolchain import node_modules

BUNDLE = Bundle(node_modules())


@pytest.mark.parametrize(
    ("url", "served"),
    [
        ("cdn.jsdelivr.net/npm/gsap@3.14.2/dist/gsap.min.js", "gsap@3.14.2/dist/gsap.min.js"),
        (
            "cdn.jsdelivr.net/npm/gsap@3/dist/MotionPathPlugin.min.js",
            "gsap@3.15.0/dist/MotionPathPlugin.min.js",
        ),
        ("cdn.jsdelivr.net/npm/gsap@3.12", "gsap@3.12.7/dist/gsap.js"),
        ("cdn.jsdelivr.net/npm/gsap", "gsap@3.15.0/dist/gsap.js"),
        ("cdn.jsdelivr.net/npm/d3@7", "d3@7.9.0/dist/d3.min.js"),
        ("cdn.jsdelivr.net/npm/animejs@4.0.2/lib/anime.iife.min.js", "animejs@4.0.2/lib/anime.iife.min.js"),
        (
            "cdn.jsdelivr.net/npm/lottie-web@5/build/player/lottie.min.js",
            "lottie-web@5.12.2/build/player/lottie.min.js",
        ),
        (
            "cdn.jsdelivr.net/npm/three@0.147.0/examples/js/loaders/GLTFLoader.js",
            "three@0.147.0/examples/js/loaders/GLTFLoader.js",
        ),
        ("cdn.jsdelivr.net/npm/three@0.160.0/+esm", "three@0.160.0/build/three.module.js"),
        (
            "cdn.jsdelivr.net/npm/@hyperframes/shader-transitions/dist/index.global.js",
            "@hyperframes/shader-transitions@0.8.41/dist/index.global.js",
        ),
        ("cdn.jsdelivr.net/npm/us-atlas@3/states-10m.json", "us-atlas@3.0.1/states-10m.json"),
        ("unpkg.com/leaflet@1.9.4/dist/leaflet.css", "leaflet@1.9.4/dist/leaflet.css"),
        ("unpkg.com/three@0.160.0?module", "three@0.160.0/build/three.module.js"),
        ("cdnjs.cloudflare.com/ajax/libs/gsap/3.12.5/gsap.min.js", "gsap@3.12.5/dist/gsap.min.js"),
        ("cdnjs.cloudflare.com/ajax/libs/animejs/3.2.2/anime.min.js", "animejs@3.2.2/lib/anime.min.js"),
        (
            "cdnjs.cloudflare.com/ajax/libs/bodymovin/5.12.2/lottie.min.js",
            "lottie-web@5.12.2/build/player/lottie.min.js",
        ),
        ("cdnjs.cloudflare.com/ajax/libs/three.js/r128/three.min.js", "three@0.128.0/build/three.min.js"),
        ("cdnjs.cloudflare.com/ajax/libs/d3/7.9.0/d3.min.js", "d3@7.9.0/dist/d3.min.js"),
        (
            "esm.sh/three@0.184.0/addons/controls/OrbitControls.js",
            "three@0.184.0/examples/jsm/controls/OrbitControls.js",
        ),
        ("esm.sh/d3@7", "d3@7.9.0/src/index.js"),
        ("cdn.skypack.dev/gsap@3.12.5", "gsap@3.12.5/index.js"),
        ("cdn.jsdelivr.net/npm/gsap@3.11.0/dist/gsap.min.js", None),
        ("cdn.jsdelivr.net/npm/gsap@3/dist/no-such.js", None),
        ("cdn.jsdelivr.net/npm/gsap@3/../../package.json", None),
        ("cdn.jsdelivr.net/npm/gsap@3/%2e%2e/%2e%2e/package.json", None),
        ("cdn.jsdelivr.net/gh/greensock/GSAP/dist/gsap.js", None),
        ("example.com/npm/gsap@3/dist/gsap.min.js", None),
    ],
)
def test_a_cdn_url_is_answered_by_the_installed_file(url: str, served: str | None) -> None:
    """Package, version range and file decide; what is not installed in that version is not guessed."""
    request = parse_cdn_url(f"https://{url}")
    found = BUNDLE.find(request) if request else None
    assert (found.served if found else None) == (f"/_hf/lib/{served}" if served else None)
    assert found is None or (found.path.is_file() and BUNDLE.served_file(found.served) == found)


def test_an_alias_is_found_by_the_name_it_stands_for(tmp_path: Path) -> None:
    """A second version is installed under a folder of its own; a stranger with such a name is not taken."""
    for folder, name, version in [("x", "x", "2.0.0"), ("x-1", "x", "1.5.0"), ("x-tra", "x-tra", "1.9.0")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "package.json").write_text(json.dumps({"name": name, "version": version}))
    bundle = Bundle(tmp_path)
    found = bundle.package("x", "1")
    assert found is not None
    assert (found.folder, found.served) == (tmp_path / "x-1", "/_hf/lib/x@1.5.0/")


def test_a_folder_of_decoders_is_answered_with_its_files() -> None:
    """Loaders are given a folder's URL and choose among its files while the page runs."""
    request = parse_cdn_url("https://cdn.jsdelivr.net/npm/three@0.160.0/examples/jsm/libs/draco/gltf/")
    assert request is not None
    names = {file.path.name for file in BUNDLE.folder(request)}
    assert {"draco_decoder.js", "draco_decoder.wasm", "draco_wasm_wrapper.js"} <= names


def test_a_bare_import_means_the_importers_own_package_first() -> None:
    """An addon of one version of three gets that version, whichever others are installed."""
    addon = BUNDLE.served_file("/_hf/lib/three@0.160.0/examples/jsm/controls/OrbitControls.js")
    assert addon is not None
    three = BUNDLE.import_from(addon, "three")
    assert three is not None
    assert three.served == "/_hf/lib/three@0.160.0/build/three.module.js"


def test_without_installed_packages_nothing_is_found(tmp_path: Path) -> None:
    """A machine without node_modules still plans pages that need none."""
    request = parse_cdn_url("https://unpkg.com/gsap")
    assert request is not None
    assert Bundle(tmp_path / "missing").find(request) is None
