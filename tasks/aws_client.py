"""boto3 clients of a stack: its credentials, with a configuration that never does the same work twice."""

from __future__ import annotations

from typing import Any

from prefect_aws import AwsCredentials

CONNECT_SECONDS = 5
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


def client(
    credentials: AwsCredentials, service: str, *, read_seconds: int, pool: int, attempts: int = 1, generation: int = 0
) -> Any:
    """A client that waits `read_seconds` for an answer and keeps `pool` connections; the same one when asked again.

    Another `generation` gives a fresh one: prefect-aws keeps a client, with the session token it was made with, for
    the life of the process. One attempt unless told otherwise: botocore cannot tell "no answer in time" from "not
    begun", and would invoke a function that takes its time again and again.
    """
    parameters = credentials.aws_client_parameters
    config = {
        **(parameters.config or {}),
        "read_timeout": read_seconds,
        "connect_timeout": CONNECT_SECONDS,
        # NAT gateways drop connections that are idle for 350 s (Amazon VPC, "NAT gateway basics").
        "tcp_keepalive": True,
        "max_pool_connections": pool,
        "retries": {"total_max_attempts": attempts, "mode": "standard"},
        "user_agent_extra": f"prefect-hyperframes/{generation}",
    }
    told = parameters.model_copy(update={"config": config})
    return credentials.model_copy(update={"aws_client_parameters": told}).get_client(service)
