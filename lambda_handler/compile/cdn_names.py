"""How CDNs name packages: what cannot be read off the URL."""

from __future__ import annotations

from types import MappingProxyType

CDNJS_PACKAGES = MappingProxyType(
    {
        "animejs": "animejs",
        "bodymovin": "lottie-web",
        "d3": "d3",
        "gsap": "gsap",
        "leaflet": "leaflet",
        "lottie-web": "lottie-web",
        "maplibre-gl": "maplibre-gl",
        "three.js": "three",
        "topojson-client": "topojson-client",
    }
)
"""The names under which cdnjs has the bundled packages."""

CDNJS_FOLDERS = ("", "dist", "lib", "build", "build/player")
"""Where the npm package may have a file that cdnjs keeps at the top of its folder."""

DRACO_PREFIX = "https://www.gstatic.com/draco/"
DRACO_FOLDER = ("three", "0.160", "examples/jsm/libs/draco/")
"""Geometry decoders that pages name by folder; three carries the same ones: package, version, folder."""
