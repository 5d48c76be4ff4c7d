"""One HTTPS call to somebody outside: signed, to no address that is none of theirs, and tried again when it fails.

Signed as standardwebhooks.com says, so that its libraries verify it: HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import socket
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import httpx

from lambda_handler.errors import WebhookInvalid

TRIES = 5
TIMEOUT_SECONDS = 10.0
PRIVATE_VARIABLE = "HYPERFRAMES_WEBHOOK_PRIVATE"
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class DeliveryFailed(Exception):
    """Nobody took it, however often it was tried."""


def checked(url: str) -> str:
    """`url`, when it may be called as far as can be seen without asking for its address. Raises WebhookInvalid."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise WebhookInvalid(f"The webhook's address is none: {error}.") from error
    if parts.scheme != "https" or not parts.hostname:
        raise WebhookInvalid(f"The webhook's address begins with {parts.scheme or 'nothing'}://, not with https://.")
    if parts.username or parts.password:
        raise WebhookInvalid("The webhook's address holds a user name or a password.")
    try:
        addresses = [ipaddress.ip_address(parts.hostname)]
    except ValueError:
        return url
    _refuse_inside(parts.hostname, addresses)
    return url


def addresses_of(host: str) -> list[Address]:
    """The host's addresses, those first that this machine reaches best. Raises OSError."""
    found = dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    return [ipaddress.ip_address(address.partition("%")[0]) for address in found]


def _refuse_inside(host: str, addresses: Iterable[Address]) -> None:
    for address in addresses:
        plain = getattr(address, "ipv4_mapped", None) or address
        # The metadata service (169.254.169.254) is link-local, and no setting opens the way to it.
        inside = not plain.is_global and not os.environ.get(PRIVATE_VARIABLE)
        if inside or plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            raise WebhookInvalid(
                f"The webhook's host {host} has the address {address}, which is not on the internet.",
                resolution=f"Name a public host; where a receiver inside is meant, set {PRIVATE_VARIABLE}=1.",
            )


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: `v1,` and the base64 of HMAC-SHA256(secret, "id.timestamp.body").

    Raises WebhookInvalid.
    """
    signed = b".".join([message.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: base64 after whsec_; any other is taken as it is. Raises WebhookInvalid."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:
        raise WebhookInvalid(
            f"The webhook's secret begins with {SECRET_PREFIX}, and is not base64 after it.",
            resolution="Copy the whole secret, or use one that does not begin so.",
        ) from error


def deliver(
    url: str,
    message: str,
    body: bytes,
    *,
    secret: str | None,
    transport: httpx.BaseTransport | None = None,
    resolve: Callable[[str], list[Address]] = addresses_of,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """Posts `body` until somebody answers with 2xx, five times at most; returns the status. `message` is its id.

    Redirects are not followed. The address that was checked is the one that is called, whatever the name says a
    moment later. Raises WebhookInvalid, DeliveryFailed.
    """
    parts = urlsplit(checked(url))
    host = str(parts.hostname)
    last = ""
    with httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
        for attempt in range(TRIES):
            if attempt:
                wait(2.0**attempt)
            try:
                addresses = resolve(host)
                _refuse_inside(host, addresses)
                answer = _posted(client, url, host, addresses[attempt % len(addresses)], message, body, secret)
            except (OSError, ZeroDivisionError, httpx.TransportError) as error:
                last = type(error).__name__
                continue
            if answer.is_success:
                return answer.status_code
            last = f"status {answer.status_code}"
            if answer.status_code < 500 and answer.status_code not in (408, 425, 429):
                break
    raise DeliveryFailed(f"{host} did not take the event: {last}.")


def _posted(
    client: httpx.Client, url: str, host: str, address: Address, message: str, body: bytes, secret: str | None
) -> httpx.Response:
    now = int(time.time())
    parsed = httpx.URL(url)
    headers = {
        "Host": parsed.netloc.decode(),
        "Content-Type": "application/json",
        "User-Agent": "prefect-hyperframes",
        "webhook-id": message,
        "webhook-timestamp": str(now),
    }
    if secret:
        headers["webhook-signature"] = signature(secret, message, now, body)
    pinned = parsed.copy_with(host=str(address))
    return client.post(pinned, content=body, headers=headers, extensions={"sni_hostname": host})
