"""The network, asked once, while planning."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from lambda_handler.compile.fetch import Network, is_public
from lambda_handler.errors import AssetFetchUnavailable, PageAssetMissing

ASKED_BY = '<script src="x">'


class _Server(ThreadingHTTPServer):
    """Answers by path, and remembers what was asked."""

    daemon_threads = True
    seen: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        again = self.server.seen.count(self.path) > 1
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.end_headers()
            return
        codes = {"/ok": 200, "/with%20blank": 200, "/short": 200, "/gone": 404, "/fault": 503, "/busy": 429}
        code = 200 if self.path == "/mends" and again else codes.get(self.path, 500)
        body = b"body { }"
        self.send_response(code)
        self.send_header("Content-Type", "text/css; charset=utf-8")
        self.send_header("Content-Length", str(len(body) + (9 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Answers) as server:
        server.seen = []
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.delenv("HYPERFRAMES_OFFLINE", raising=False)
    return Network(allowed=lambda address: address == "127.0.0.1", pause=0.01, timeout=5)


def test_an_answer_has_its_bytes_and_its_type(server: _Server, network: Network) -> None:
    """The type says how to read it; its parameters do not matter."""
    fetched = network(f"{server.url}/ok", asked_by=ASKED_BY)
    assert (fetched.url, fetched.media_type, fetched.body) == (f"{server.url}/ok", "text/css", b"body { }")


def test_blanks_in_a_url_are_sent_encoded(server: _Server, network: Network) -> None:
    """Authors write them, browsers encode them."""
    network(f"{server.url}/with blank", asked_by=ASKED_BY)
    assert server.seen == ["/with%20blank"]


def test_a_redirect_is_followed(server: _Server, network: Network) -> None:
    """The answer's URL is the last one: what it names is relative to that."""
    assert network(f"{server.url}/to?/ok", asked_by=ASKED_BY).url == f"{server.url}/ok"


def test_a_missing_file_is_the_projects_fault(server: _Server, network: Network) -> None:
    """It is asked for once, and the message says what asked for what."""
    with pytest.raises(PageAssetMissing, match="404") as caught:
        network(f"{server.url}/gone", asked_by=ASKED_BY)
    assert ASKED_BY in str(caught.value)
    assert f"{server.url}/gone" in str(caught.value)
    assert server.seen == ["/gone"]


@pytest.mark.parametrize("path", ["/fault", "/busy", "/short"])
def test_a_servers_fault_is_tried_twice(server: _Server, network: Network, path: str) -> None:
    """A fault, too many requests and a broken-off answer may all be gone in a moment."""
    with pytest.raises(AssetFetchUnavailable):
        network(server.url + path, asked_by=ASKED_BY)
    assert server.seen == [path, path]


def test_the_second_attempt_may_succeed(server: _Server, network: Network) -> None:
    """One fault does not fail a plan."""
    assert network(f"{server.url}/mends", asked_by=ASKED_BY).body == b"body { }"


def test_nobody_listening_is_a_fault_of_the_network(server: _Server, network: Network) -> None:
    """It may be different later."""
    server.server_close()
    with pytest.raises(AssetFetchUnavailable, match="cannot be reached"):
        network(f"{server.url}/ok", asked_by=ASKED_BY)


def test_too_much_is_refused(server: _Server) -> None:
    """A page cannot fill the worker's memory."""
    with pytest.raises(PageAssetMissing, match="larger"):
        Network(allowed=bool, max_bytes=4)(f"{server.url}/ok", asked_by=ASKED_BY)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.b/c", "gopher://a.b/c"])
def test_only_http_is_spoken(network: Network, url: str) -> None:
    """A page cannot read the worker's files."""
    with pytest.raises(PageAssetMissing, match="neither http nor https"):
        network(url, asked_by=ASKED_BY)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_to_another_scheme_is_refused(server: _Server, network: Network, target: str) -> None:
    """Not even by way of a server."""
    with pytest.raises(PageAssetMissing):
        network(f"{server.url}/to?{target}", asked_by=ASKED_BY)


PRIVATE = ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "[::1]", "[fd00::1]"]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused(host: str) -> None:
    """The machine itself, its network and the cloud's metadata service are none of a page's business."""
    with pytest.raises(PageAssetMissing, match="not public"):
        Network(timeout=2)(f"http://{host}:9/latest/meta-data", asked_by=ASKED_BY)


def test_a_redirect_to_a_private_address_is_refused(server: _Server, network: Network) -> None:
    """Each connection is checked, not only the first."""
    with pytest.raises(PageAssetMissing, match=r"169\.254\.169\.254"):
        network(f"{server.url}/to?http://169.254.169.254/latest", asked_by=ASKED_BY)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_inside_another_counts(address: str, public: bool) -> None:
    """IPv6 has several ways to write an IPv4 address."""
    assert is_public(address) is public


def test_offline_means_offline(monkeypatch: pytest.MonkeyPatch, server: _Server) -> None:
    """Nothing is connected to, and the message names the variable."""
    monkeypatch.setenv("HYPERFRAMES_OFFLINE", "1")
    with pytest.raises(PageAssetMissing, match="HYPERFRAMES_OFFLINE=1"):
        Network(allowed=bool)(f"{server.url}/ok", asked_by=ASKED_BY)
    assert server.seen == []
