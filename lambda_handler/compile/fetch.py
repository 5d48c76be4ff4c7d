"""What only the network has, fetched once, while planning.

The URLs come from a page, and a page may be anybody's: so only http and https are spoken, every address
is checked when it is connected to (also after a redirect, and so that a name cannot change its meaning
in between), and no environment proxy is used, behind which an address could not be seen.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any, Protocol, cast
from urllib.parse import quote, urlsplit

from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

OFFLINE_VARIABLE = "HYPERFRAMES_OFFLINE"

# Google Fonts answers browsers it does not know with formats of the last century.
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Fetched:
    """An answer: where it came from after redirects, what it says it is, and its bytes."""

    url: str
    media_type: str
    body: bytes


class Fetch(Protocol):
    """How a URL's bytes are had. `asked_by` names the element or file that needs them, for messages."""

    def __call__(self, url: str, *, asked_by: str) -> Fetched:
        """The answer; raises PageAssetMissing or AssetFetchUnavailable."""
        ...


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, and not to this machine or its network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True)
class Network:
    """Fetches over http and https. `allowed` decides which resolved addresses may be connected to."""

    allowed: Callable[[str], bool] = is_public
    attempts: int = 2
    pause: float = 0.25
    timeout: float = 15.0
    total_timeout: float = 120.0
    max_bytes: int = 512 << 20

    def __call__(self, url: str, *, asked_by: str) -> Fetched:
        """The bytes at `url`; see `Fetch`."""
        if os.environ.get(OFFLINE_VARIABLE) == "1":
            raise PageAssetMissing(
                f"{asked_by} asks for {url}, and {OFFLINE_VARIABLE}=1 forbids the network.",
                resolution=f"Put the file into the project, or unset {OFFLINE_VARIABLE}.",
            )
        if urlsplit(url).scheme not in {"http", "https"}:
            raise PageAssetMissing(f"{asked_by} asks for {url}, which is neither http nor https.")
        for attempt in range(1, self.attempts + 1):
            try:
                return self._fetch(url, asked_by)
            except AssetFetchUnavailable:
                if attempt == self.attempts:
                    raise
                time.sleep(self.pause)
        raise AssertionError("a fetch makes at least one attempt")

    def _fetch(self, url: str, asked_by: str) -> Fetched:
        # Browsers encode what authors leave bare, such as spaces.
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers={"User-Agent": _USER_AGENT, "Accept": "*/*"}
        )
        try:
            with self._opener(asked_by).open(request, timeout=self.timeout) as response:
                body = self._read(response, url, asked_by)
                return Fetched(response.url, response.headers.get_content_type(), body)
        except urllib.error.HTTPError as error:
            error.close()
            summary = f"{asked_by} asks for {url}, which answered HTTP {error.code}."
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _WORTH_ANOTHER_TRY:
                raise AssetFetchUnavailable(summary) from error
            raise PageAssetMissing(summary) from error
        except (ValueError, http.client.InvalidURL) as error:
            raise PageAssetMissing(f"{asked_by} asks for {url}, which is no valid URL: {error}.") from error
        except (OSError, http.client.HTTPException) as error:
            raise AssetFetchUnavailable(f"{asked_by} asks for {url}, which cannot be reached: {error}.") from error

    def _read(self, response: IO[bytes], url: str, asked_by: str) -> bytes:
        deadline = time.monotonic() + self.total_timeout
        body = bytearray()
        while block := response.read(_BLOCK):
            body += block
            if len(body) > self.max_bytes:
                raise PageAssetMissing(f"{asked_by} asks for {url}, which is larger than {self.max_bytes >> 20} MiB.")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not complete after {self.total_timeout:.0f} seconds")
        length = getattr(response, "length", None)
        if length:  # http.client lets a body end early when it is read in blocks
            raise http.client.IncompleteRead(b"", length)
        return bytes(body)

    def _opener(self, asked_by: str) -> urllib.request.OpenerDirector:
        """An opener that speaks http and https only; urllib's own would open files and FTP too."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            _Handler(self.allowed, asked_by),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        return opener


class _Checked(http.client.HTTPConnection):
    """Connects to an address only after checking it, and to that very address."""

    allowed: Callable[[str], bool]
    asked_by: str

    def connect(self) -> None:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        refused = next((address for address in addresses if not self.allowed(address)), None)
        if refused is not None:
            raise PageAssetMissing(
                f"{self.asked_by} asks for something at {self.host}, whose address {refused} is not public.",
                resolution="Put the file into the project: a page may not read from private networks.",
            )
        failure: OSError = OSError(f"{self.host} has no address")
        for address in addresses:
            try:
                self.sock = socket.create_connection((address, self.port), self.timeout)
                return
            except OSError as error:
                failure = error
        raise failure


class _CheckedTls(http.client.HTTPSConnection, _Checked):
    """The same, under TLS: HTTPSConnection connects through its base class and then wraps the socket."""


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens http and https over checked connections."""

    def __init__(self, allowed: Callable[[str], bool], asked_by: str) -> None:
        super().__init__()
        self._allowed, self._asked_by = allowed, asked_by

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self._open(_Checked, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self._open(_CheckedTls, req)

    def _open(self, kind: type[_Checked], req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, *, timeout: float) -> _Checked:
            made = kind(host, timeout=timeout)
            made.allowed, made.asked_by = self._allowed, self._asked_by
            return made

        return self.do_open(cast(Any, connection), req)
