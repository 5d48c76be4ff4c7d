"""What a page's files are served as, by their names' endings; the same on every machine."""

from __future__ import annotations

from mimetypes import MimeTypes

UNKNOWN = "application/octet-stream"

# Not mimetypes.guess_type: that reads what the machine knows. Python's own table differs between its versions in these.
_TYPES = MimeTypes(filenames=())
for _ending, _type in {
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".js": "text/javascript",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _ending)


def content_type(path: str) -> str:
    """The Content-Type header of the file that is served at the URL path `path`; texts are UTF-8."""
    kind = _TYPES.guess_type(path)[0] or UNKNOWN
    text = kind.startswith("text/") or kind.endswith(("json", "xml"))
    return f"{kind}; charset=utf-8" if text else kind
