"""A page that needs no network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compile_page import localised

from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

GSAP = "https://cdn.jsdelivr.net/npm/gsap@3.14.2/dist/gsap.min.js"
THREE = "https://cdn.jsdelivr.net/npm/three@0.184.0/"


def test_a_library_comes_out_of_the_bundle(tmp_path: Path) -> None:
    """The network is not asked; what guarded the CDN's copy goes."""
    page = localised(f'<script src="{GSAP}" integrity="sha384-x" crossorigin="anonymous" defer></script>', tmp_path)
    assert '<script src="/_hf/lib/gsap@3.14.2/dist/gsap.min.js" defer></script>' in page.html
    assert page.libraries == {"gsap@3.14.2/dist/gsap.min.js"}
    assert page.asked == []


def test_what_no_package_has_is_fetched_once(tmp_path: Path) -> None:
    """However often it is named."""
    url = "https://cdn.jsdelivr.net/npm/gsap@3.11.0/dist/gsap.min.js"
    page = localised(
        f'<script src="{url}"></script><script src="{url}"></script>',
        tmp_path,
        internet={url: ("application/javascript", "gsap = {}")},
    )
    served = next(path for path in page.localised.files if path.startswith("/_hf/remote/"))
    assert served.endswith("/gsap.min.js")
    assert page.html.count(f'src="{served}"') == 2
    assert page.content(served) == "gsap = {}"
    assert page.asked == [url]


def test_what_cannot_be_had_fails_the_plan(tmp_path: Path) -> None:
    """With the URL and the element, and as what it is: missing, or out of reach for now."""
    with pytest.raises(PageAssetMissing, match=r'<img id="logo" src="https://a\.b/c\.png">'):
        localised('<img id="logo" src="https://a.b/c.png">', tmp_path)
    with pytest.raises(AssetFetchUnavailable):
        localised('<img src="https://a.b/c.png">', tmp_path, internet={"https://a.b/c.png": None})


@pytest.mark.parametrize(
    "html",
    [
        '<script src="js/gone.js"></script>',
        '<link rel="stylesheet" href="gone.css">',
        '<img src="gone.png">',
        '<img srcset="gone.png 2x">',
        '<video poster="gone.jpg"></video>',
        '<svg><image href="gone.svg"/></svg>',
        '<div style="background: url(gone.png)"></div>',
        "<style>a { background: url('gone.png') }</style>",
        '<img src="%2e%2e/%2e%2e/etc/passwd">',
        '<img src="file:///etc/passwd">',
        '<img src="http://[oops/a.png">',
    ],
)
def test_a_path_that_leads_nowhere_fails_the_plan(tmp_path: Path, html: str) -> None:
    """A picture or a style that is not there changes the video; and nothing outside the project is there."""
    with pytest.raises(PageAssetMissing):
        localised(html, tmp_path)


def test_a_link_out_of_the_project_leads_nowhere(tmp_path: Path) -> None:
    """Its target is not part of what is rendered."""
    (tmp_path / "secret.png").write_text("x")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/logo.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PageAssetMissing):
        localised('<img src="logo.png">', tmp_path / "project")


def test_local_files_keep_their_paths(tmp_path: Path) -> None:
    """What the project has is left as it is written."""
    html = (
        '<img src="a%20b.png?v=1"><img srcset="a%20b.png 1x, /a%20b.png 2x"><img src="data:,x"><img src="#p">'
        '<svg><use href="#part"></use></svg><video src="a b.png" crossorigin></video><a href="https://a.b/">x</a>'
    )
    page = localised(html, tmp_path, files={"a b.png": ""})
    assert html.replace(" crossorigin", "") in page.html
    assert not [path for path in page.localised.files if not path.startswith("/_hf/fonts/")]


def test_a_style_sheet_brings_what_it_names(tmp_path: Path) -> None:
    """Its own rewritten copy is served under its path; local URLs in it stay as they are."""
    page = localised(
        '<link rel="stylesheet" href="css/main.css">',
        tmp_path,
        files={
            "css/main.css": "@import 'more.css'; a { background: url(../a.png), url(https://a.b/i.png) }",
            "css/more.css": "b { background: url('//a.b/i.png') }",
            "a.png": "",
        },
        internet={"https://a.b/i.png": ("image/png", "")},
    )
    main = page.content("/css/main.css")
    assert "@import 'more.css'; a { background: url(../a.png), url(\"/_hf/remote/" in main
    assert "/_hf/remote/" in page.content("/css/more.css")
    assert '<link rel="stylesheet" href="css/main.css">' in page.html


def test_a_remote_style_sheet_is_followed(tmp_path: Path) -> None:
    """What it imports and names is relative to where it came from."""
    page = localised(
        '<link rel="stylesheet" href="https://a.b/x/s.css#top">',
        tmp_path,
        internet={
            "https://a.b/x/s.css": ("text/css", "@import url(t.css);"),
            "https://a.b/x/t.css": ("text/css", "a { background: url(../i.png) }"),
            "https://a.b/i.png": ("image/png", "picture"),
        },
    )
    served = {path.rpartition("/")[2]: path for path in page.localised.files if "/remote/" in path}
    assert f'url("{served["t.css"]}")' in page.content(served["s.css"])
    assert f'url("{served["i.png"]}")' in page.content(served["t.css"])
    assert f'href="{served["s.css"]}#top"' in page.html


def test_a_packages_style_sheet_brings_its_pictures(tmp_path: Path) -> None:
    """They lie where its relative URLs look for them."""
    page = localised('<link rel="stylesheet" href="https://unpkg.com/leaflet@1.9.4/dist/leaflet.css">', tmp_path)
    assert {"leaflet@1.9.4/dist/leaflet.css", "leaflet@1.9.4/dist/images/layers.png"} <= page.libraries


def test_every_kind_of_reference_is_followed(tmp_path: Path) -> None:
    """Pictures, media, SVG, styles in attributes, and elements of the author's own making."""
    url = "https://a.b/m"
    html = (
        f'<img src="{url}" srcset="{url} 1x, {url} 2x"><video src="{url}" poster="{url}"></video>'
        f'<audio src="{url}"></audio><picture><source srcset="{url}"></picture>'
        f'<svg><image xlink:href="{url}"></image></svg>'
        f'<div style="background: url({url})"></div><lottie-player src="{url}"></lottie-player>'
        f'<style>a {{ background: url({url}) }}</style><template><img src="{url}"></template>'
    )
    page = localised(html, tmp_path, internet={url: ("image/png", "")})
    assert url not in page.html
    assert page.html.count("/_hf/remote/") == 12
    assert page.asked == [url]


def test_a_template_may_name_what_is_not_there(tmp_path: Path) -> None:
    """It may never be mounted, so it is a warning."""
    page = localised('<template><img src="gone.png"></template>', tmp_path)
    assert "gone.png" in page.localised.warnings[0]


def test_modules_are_followed_through_the_import_map(tmp_path: Path) -> None:
    """Addons, what they import, and the parts a build consists of."""
    names = {"three": f"{THREE}build/three.module.js", "three/addons/": f"{THREE}examples/jsm/"}
    page = localised(
        f'<script type="importmap">{json.dumps({"imports": names})}</script><script type="module" src="m.js"></script>',
        tmp_path,
        files={"m.js": "import { EffectComposer } from 'three/addons/postprocessing/EffectComposer.js'"},
    )
    assert '"three": "/_hf/lib/three@0.184.0/build/three.module.js"' in page.html
    assert '"three/addons/": "/_hf/lib/three@0.184.0/examples/jsm/"' in page.html
    assert "'/_hf/lib/three@0.184.0/examples/jsm/postprocessing/EffectComposer.js'" in page.content("/m.js")
    assert {
        "three@0.184.0/build/three.module.js",
        "three@0.184.0/build/three.core.js",
        "three@0.184.0/examples/jsm/postprocessing/ShaderPass.js",
        "three@0.184.0/examples/jsm/shaders/CopyShader.js",
    } <= page.libraries
    composer = page.content("/_hf/lib/three@0.184.0/examples/jsm/postprocessing/EffectComposer.js")
    assert "from '/_hf/lib/three@0.184.0/build/three.module.js'" in composer


def test_modules_are_followed_without_an_import_map(tmp_path: Path) -> None:
    """As CDNs that serve modules do it: a package's bare imports get whole paths."""
    page = localised('<script type="module">import * as d3 from "https://esm.sh/d3@7"</script>', tmp_path)
    assert 'from "/_hf/lib/d3@7.9.0/src/index.js"' in page.html
    assert any(path.startswith("d3-geo@") for path in page.libraries)
    assert 'from "d3-' not in page.content("/_hf/lib/d3@7.9.0/src/index.js")


def test_remote_modules_are_followed(tmp_path: Path) -> None:
    """Even in a circle."""
    page = localised(
        '<script type="module" src="https://a.b/m/one.js"></script>',
        tmp_path,
        internet={
            "https://a.b/m/one.js": ("text/javascript", "import './two.js'"),
            "https://a.b/m/two.js": ("text/javascript", "import '/m/one.js'"),
        },
    )
    one, two = (path for path in page.localised.files if "/remote/" in path)
    assert page.content(one) == f"import '{two}'"
    assert page.content(two) == f"import '{one}'"


def test_urls_that_scripts_spell_out_are_local_too(tmp_path: Path) -> None:
    """Bundled ones anywhere; others where the page itself spells out the URL of a file."""
    page = localised(
        "<script>d3.json('https://cdn.jsdelivr.net/npm/us-atlas@3/states-10m.json');"
        " load('https://a.b/model.glb'); open('https://a.b/page');</script><script src='lib.js'></script>",
        tmp_path,
        files={"lib.js": "load('https://a.b/never-loaded.png')"},
        internet={"https://a.b/model.glb": ("model/gltf-binary", "glb")},
    )
    assert "d3.json('/_hf/lib/us-atlas@3.0.1/states-10m.json')" in page.html
    assert "/model.glb')" in page.html
    assert "open('https://a.b/page')" in page.html
    assert page.asked == ["https://a.b/model.glb"]


def test_a_package_that_only_the_author_has_installed_is_bundled(tmp_path: Path) -> None:
    """A path into node_modules, or gsap's own folder, says which package is meant."""
    page = localised(
        '<script src="node_modules/three/build/three.module.js" type="module"></script>'
        '<script src="vendor/gsap/dist/gsap.min.js"></script>',
        tmp_path,
    )
    assert {"three@0.184.0/build/three.module.js", "gsap@3.15.0/dist/gsap.min.js"} <= page.libraries


def test_the_projects_own_file_comes_first(tmp_path: Path) -> None:
    """The author may have changed it."""
    page = localised(
        '<script src="vendor/gsap/dist/gsap.min.js"></script>',
        tmp_path,
        files={"vendor/gsap/dist/gsap.min.js": "1"},
    )
    assert page.libraries == set()


def test_what_would_reach_for_the_network_in_vain_is_left_out(tmp_path: Path) -> None:
    """Hints to other hosts, their icons, and a policy that would forbid the local copies."""
    page = localised(
        '<html><head><meta http-equiv="Content-Security-Policy" content="script-src https://a.b">'
        '<link rel="preconnect" href="https://a.b"><link rel="dns-prefetch" href="//a.b">'
        '<link rel="icon" href="https://a.b/i.png">'
        '<link rel="preload" href="x.png" as="image"></head></html>',
        tmp_path,
    )
    assert "a.b" not in page.html
    assert '<link rel="preload" href="x.png" as="image">' in page.html


def test_a_remote_base_does_not_catch_local_paths(tmp_path: Path) -> None:
    """What was relative to it is fetched, and then the page is its own base again."""
    page = localised(
        '<html><head><base href="https://a.b/c/"></head><body><img src="i.png"></body></html>',
        tmp_path,
        internet={"https://a.b/c/i.png": ("image/png", "")},
    )
    assert "<base" not in page.html
    assert '<img src="/_hf/remote/' in page.html


def test_a_page_of_another_site_is_refused(tmp_path: Path) -> None:
    """It cannot be made local, and an empty frame would be in the video."""
    with pytest.raises(PageAssetMissing, match="another site"):
        localised('<iframe src="https://a.b/"></iframe>', tmp_path)


def test_a_broken_import_map_is_named(tmp_path: Path) -> None:
    """A browser would ignore it and fail later."""
    with pytest.raises(PageAssetMissing, match="import map"):
        localised('<script type="importmap">{ oops</script>', tmp_path)
