"""A stand-in for the servers that compositions load libraries and fonts from, answering out of the npm packages.

The reference fetches both while it renders: with the stand-in it draws as it would with a network, and with the
same files as we do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lambda_handler.compile import google_fonts
from lambda_handler.compile.css_urls import urls_in_css
from lambda_handler.compile.font_faces import FACE, descriptors, faces, font_package
from lambda_handler.compile.font_families import package_name
from lambda_handler.compile.libraries import Bundle, parse_cdn_url

FETCH_HOOK = Path(__file__).with_name("fetch_hook.mjs")
ADDRESS_VARIABLE = "PARITY_CDN"
FONT_FILES = "https://fonts.gstatic.com"
# Latin, Greek and Cyrillic: what Google sends of a family that has more is in parts that few pages load.
CHARACTERS = range(0x20, 0x530)


class Cdn:
    """What the servers would answer, found in the packages of `node_modules`."""

    def __init__(self, node_modules: Path) -> None:
        self._bundle = Bundle(node_modules)
        self._fonts: dict[str, Path] = {}

    def answer(self, url: str) -> tuple[bytes, str] | None:
        """The body and the media type of what is at `url`; None for what no package has."""
        if google_fonts.is_style_sheet(url):
            sheet = "\n".join(self._family(family) for family in google_fonts.families(url))
            return (sheet.encode(), "text/css") if sheet.strip() else None
        request = parse_cdn_url(url)
        found = self._bundle.find(request) if request else None
        file = self._fonts.get(urlsplit(url).path) if url.startswith(FONT_FILES) else found.path if found else None
        return (file.read_bytes(), guess_type(file.name)[0] or "application/octet-stream") if file else None

    def _family(self, family: str) -> str:
        package = font_package(self._bundle, package_name(family))
        if package is None:
            return ""
        made = faces(package, family, CHARACTERS, italics=True)
        self._fonts |= made.files
        return "\n".join(_as_google_writes(descriptors(face["body"])) for face in FACE.finditer(made.css))


def _as_google_writes(rule: Mapping[str, str]) -> str:
    """The reference reads Google's answer by its exact form: the descriptors' order, and the URL without quotes."""
    url = urls_in_css(rule["src"])[0]
    return (
        f"@font-face {{ font-family: {rule['font-family']}; font-style: {rule['font-style']}; "
        f"font-weight: {rule['font-weight']}; src: url({FONT_FILES}{url}) format('woff2'); "
        f"unicode-range: {rule.get('unicode-range', 'U+0-10FFFF')}; }}"
    )


@contextmanager
def serving(node_modules: Path) -> Iterator[dict[str, str]]:
    """Runs the stand-in; yields the variables that make a Node process ask it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(Cdn(node_modules)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        yield {ADDRESS_VARIABLE: address, "NODE_OPTIONS": f"--import={FETCH_HOOK.as_uri()}"}
    finally:
        server.shutdown()
        server.server_close()


def _handler(cdn: Cdn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answers `/<the whole URL, quoted>`."""
            answer = cdn.answer(unquote(self.path.removeprefix("/")))
            if answer is None:
                self.send_error(404)
                return
            body, media_type = answer
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name for it
            """Says nothing: what is missing shows in the render."""

    return Handler
