"""boto3 clients of a stack: its credentials, renewed when they expire, and nothing ever asked for twice by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials

CONNECT_SECONDS = 5
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
RENEWALS = 2


def code_of(error: ClientError) -> str:
    """What AWS calls the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


class Client:
    """One client for all threads. prefect-aws keeps a client, with the session token that it was made with, for the
    life of the process: when that has expired, a fresh one goes on.

    One attempt, unless told otherwise: botocore cannot tell "no answer in time" from "not begun", and would invoke a
    function that takes its time again and again.
    """

    def __init__(
        self, credentials: AwsCredentials, service: str, *, read_seconds: int, connections: int, attempts: int = 1
    ) -> None:
        self._credentials = credentials
        self._service = service
        self._config = {
            "read_timeout": read_seconds,
            "connect_timeout": CONNECT_SECONDS,
            # NAT gateways drop connections that are idle for 350 s (Amazon VPC, "NAT gateway basics").
            "tcp_keepalive": True,
            "max_pool_connections": connections,
            "retries": {"total_max_attempts": attempts, "mode": "standard"},
        }
        self._lock = threading.Lock()
        self._generation = 0
        # Before threads ask for it: prefect-aws's cache would make one for each that comes too early.
        self._client = self._made(0)

    def call(self, operation: str, **asked: Any) -> Any:
        """The answer to an operation by its boto3 name. Raises ClientError, BotoCoreError."""
        for renewal in range(RENEWALS + 1):
            generation, client = self._generation, self._client
            try:
                return getattr(client, operation)(**asked)
            except ClientError as error:
                if code_of(error) not in EXPIRED or renewal == RENEWALS:
                    raise
                self._renew(generation)
        raise AssertionError("a call that was not answered has raised")

    def _renew(self, expired: int) -> None:
        with self._lock:
            if self._generation == expired:
                self._client = self._made(expired + 1)
                self._generation = expired + 1

    def _made(self, generation: int) -> Any:
        parameters = self._credentials.aws_client_parameters
        # Told apart by something in them, else the cache gives the old client.
        config = {**(parameters.config or {}), **self._config, "user_agent_extra": f"prefect-hyperframes/{generation}"}
        told = parameters.model_copy(update={"config": config})
        return self._credentials.model_copy(update={"aws_client_parameters": told}).get_client(self._service)
