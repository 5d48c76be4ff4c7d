"""The webhook: which addresses may be called, how it is signed, and when it is tried again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Callable

import httpx
import pytest

from lambda_handler.errors import WebhookInvalid
from tasks.webhook import TRIES, Address, DeliveryFailed, addresses_of, checked, deliver, signature

URL = "https://hooks.example.com/renders?token=1"
PUBLIC = ipaddress.ip_address("93.184.215.14")


class Receiver:
    """Answers with one status after another, the last of them for good, and keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return httpx.Response(status, headers={"location": "https://10.0.0.8"})


def _deliver(
    receiver: Callable[[httpx.Request], httpx.Response],
    address: Address = PUBLIC,
    waits: list[float] | None = None,
    *,
    signed: bool = True,
) -> int:
    return deliver(
        URL,
        "message-1",
        b'{"frames": 60}',
        secret="secret" if signed else None,
        transport=httpx.MockTransport(receiver),
        resolve=lambda _host: [address],
        wait=(waits if waits is not None else []).append,
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.com/", "not with https"),
        ("file:///etc/passwd", "not with https"),
        ("https:///renders", "not with https"),
        ("https://me:secret@hooks.example.com/", "a user name or a password"),
        ("https://169.254.169.254/latest/meta-data", "not on the internet"),
        ("https://127.0.0.1/", "not on the internet"),
        ("https://10.0.0.8/", "not on the internet"),
        ("https://[::1]/", "not on the internet"),
        ("https://[::ffff:10.0.0.8]/", "not on the internet"),
        ("https://[fd00:ec2::254]/", "not on the internet"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused(url: str, says: str) -> None:
    """And the message does not repeat a password."""
    with pytest.raises(WebhookInvalid, match=says) as caught:
        checked(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["169.254.169.254", "192.168.1.5", "127.0.0.1", "::1", "fe80::1", "0.0.0.0"])  # noqa: S104
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    """The host's address is looked at, and nothing is sent."""
    receiver = Receiver(200)
    with pytest.raises(WebhookInvalid, match=r"hooks\.example\.com has the address"):
        _deliver(receiver, ipaddress.ip_address(address))
    assert receiver.requests == []


def test_a_receiver_inside_may_be_allowed_but_never_the_metadata_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """On-premises farms have receivers of their own."""
    monkeypatch.setenv("HYPERFRAMES_WEBHOOK_PRIVATE", "1")
    assert _deliver(Receiver(204), ipaddress.ip_address("10.0.0.8")) == 204
    with pytest.raises(WebhookInvalid):
        _deliver(Receiver(204), ipaddress.ip_address("169.254.169.254"))


def test_of_several_addresses_the_next_is_called_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which the machine would call them: one without IPv6 has IPv4 first."""
    found = [(0, 0, 0, "", ("93.184.215.14", 0)), (0, 0, 0, "", ("2606:4700::1", 0, 0, 0))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [*found, *found])
    addresses = addresses_of("hooks.example.com")
    assert [str(address) for address in addresses] == ["93.184.215.14", "2606:4700::1"]
    receiver = Receiver(503, 200)
    deliver(
        URL,
        "message-1",
        b"",
        secret=None,
        transport=httpx.MockTransport(receiver),
        resolve=lambda _host: addresses,
        wait=lambda _: None,
    )
    assert [request.url.host for request in receiver.requests] == ["93.184.215.14", "2606:4700::1"]


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """The name goes into the Host header and the TLS handshake only: it may lead elsewhere a moment later."""
    receiver = Receiver(200)
    assert _deliver(receiver) == 200
    (request,) = receiver.requests
    assert (request.url.host, request.headers["host"]) == (str(PUBLIC), "hooks.example.com")
    assert request.url.raw_path == b"/renders?token=1"
    assert request.extensions["sni_hostname"] == "hooks.example.com"


def test_the_receiver_can_verify_what_was_sent() -> None:
    """By the recipe in docs/prefect.md."""
    receiver = Receiver(200)
    _deliver(receiver)
    headers, body = receiver.requests[0].headers, receiver.requests[0].content
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == "message-1"
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of their specification."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    told = signature(secret, message, 1614265330, b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed() -> None:
    """The receiver need not know one."""
    receiver = Receiver(200)
    _deliver(receiver, signed=False)
    assert "webhook-signature" not in receiver.requests[0].headers


def test_a_receiver_that_is_down_is_tried_again_under_the_same_id() -> None:
    """Twice as long apart each time, until it answers."""
    receiver, waits = Receiver(503, 429, 200), list[float]()
    assert _deliver(receiver, waits=waits) == 200
    assert [request.headers["webhook-id"] for request in receiver.requests] == ["message-1"] * 3
    assert waits == [2.0, 4.0]


def test_a_receiver_that_stays_down_is_given_up() -> None:
    """After five tries; the error names the host, and no token of the address."""

    def refused(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        raise httpx.ConnectError("refused")

    tries: list[httpx.Request] = []
    with pytest.raises(DeliveryFailed, match=r"hooks\.example\.com did not take the event: ConnectError") as caught:
        _deliver(refused)
    assert len(tries) == TRIES
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_what_is_refused_is_not_sent_again(status: int) -> None:
    """Nor is a redirect followed."""
    receiver = Receiver(status)
    with pytest.raises(DeliveryFailed, match=str(status)):
        _deliver(receiver)
    assert len(receiver.requests) == 1
