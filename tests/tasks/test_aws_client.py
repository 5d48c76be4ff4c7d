"""Clients of a stack: made once for all threads, renewed when their credentials expire."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from lambda_endpoint import refused
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters

from tasks.aws_client import RENEWALS, Client


class Kept:
    """Credentials whose clients answer as they are told to."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.configs: list[dict[str, Any]] = []
        kept = self

        class Told(AwsCredentials):
            _block_type_slug = f"told-credentials-{id(kept)}"

            def get_client(self, _client_type: object) -> Any:
                kept.configs.append(dict(self.aws_client_parameters.config or {}))
                return kept

        self.credentials = Told(
            aws_client_parameters=AwsClientParameters(config={"read_timeout": 60, "proxies": {"https": "http://proxy"}})
        )

    def describe(self, **_asked: object) -> object:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def _client(kept: Kept) -> Client:
    return Client(kept.credentials, "lambda", read_seconds=920, connections=200)


def test_a_client_waits_as_long_as_the_function_may_take_and_asks_once() -> None:
    """With as many connections as there are callers, kept alive; what the block says beside that stays."""
    kept = Kept("answer")
    client = _client(kept)
    assert [client.call("describe") for _ in range(3)] == ["answer"] * 3
    (config,) = kept.configs
    assert config["read_timeout"] == 920
    assert config["retries"]["total_max_attempts"] == 1
    assert (config["max_pool_connections"], config["tcp_keepalive"]) == (200, True)
    assert config["proxies"] == {"https": "http://proxy"}


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
def test_expired_credentials_make_a_fresh_client(code: str) -> None:
    """One that prefect-aws does not take for the old one."""
    kept = Kept(refused(code, 403), "answer")
    assert _client(kept).call("describe") == "answer"
    assert len({str(config) for config in kept.configs}) == 2


def test_credentials_that_stay_expired_are_told() -> None:
    """After two renewals."""
    kept = Kept(refused("ExpiredTokenException", 403))
    with pytest.raises(ClientError, match="ExpiredToken"):
        _client(kept).call("describe")
    assert len(kept.configs) == 1 + RENEWALS


def test_another_error_is_not_asked_about_again() -> None:
    """That is for who asked to decide."""
    kept = Kept(refused("AccessDeniedException", 403), "answer")
    with pytest.raises(ClientError, match="AccessDenied"):
        _client(kept).call("describe")
    assert len(kept.configs) == 1
