"""AWS on this machine for both engines: S3 and Step Functions by moto, and a function of the test's own as Lambda."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from lambda_endpoint import Function, lambda_endpoint
from moto.core.config import default_user_config
from prefect_aws import AwsCredentials
from pydantic import SecretStr
from step_functions import FUNCTION_ARN, definition, function

from flows.render import Engine, RenderOutcome, render, resume
from flows.request import RenderRequest
from lambda_handler import storage
from lambda_handler.events import parse_config
from lambda_handler.render_folder import RenderFolder
from tasks.stack import AwsStack

ENGINES: tuple[Engine, ...] = ("prefect", "step-functions")


@dataclass(frozen=True)
class Place:
    """A stack, and the renders that are made on it."""

    stack: AwsStack

    def request(self, name: str = "film", **config: Any) -> RenderRequest:
        """A request for `name`.mp4, in a folder of that name."""
        where = f"s3://{self.stack.bucket}"
        return RenderRequest(
            project=f"{where}/project.tar.gz",
            output=f"{where}/output/{name}.mp4",
            config=parse_config(config),
            render_folder=f"{where}/renders/{name}",
        )

    def render(self, engine: Engine, name: str = "film", **config: Any) -> RenderOutcome:
        """The outcome of a render by that engine."""
        return render(self.request(name, **config), self.stack, engine)

    def resume(self, engine: Engine, name: str = "film") -> RenderOutcome:
        """The outcome of going on with a render by that engine, knowing nothing but its folder."""
        return resume(f"s3://{self.stack.bucket}/renders/{name}", self.stack, engine)

    def folder(self, name: str = "film") -> RenderFolder:
        """The render folder of `name`."""
        return RenderFolder(f"s3://{self.stack.bucket}/renders/{name}")

    def left(self, name: str = "film") -> dict[str, Any]:
        """All that a render leaves and that has to be the same by either engine: no addresses, no times."""
        report: dict[str, Any] = json.loads(storage.read(self.folder(name).report))
        for own in ("outputUri", "executionArn", "finishedAt", "cost", "profileMs"):
            report.pop(own, None)
        asked: Mapping[str, Any] = json.loads(storage.read(self.folder(name).request))
        return {
            "manifest": storage.read(self.folder(name).manifest),
            "chunks": sorted(storage.listing(self.folder(name).chunks).items()),
            "video": storage.read(f"s3://{self.stack.bucket}/output/{name}.mp4"),
            "config": asked["Config"],
            "report": report,
        }


@contextmanager
def place(bucket: str, worker: Function, *, concurrency: int = 4, hedge: bool = False) -> Iterator[Place]:
    """A stack in `bucket` whose function is `worker`, by either engine."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with pytest.MonkeyPatch.context() as patch, lambda_endpoint(worker) as endpoint, function(worker):
        patch.setenv("AWS_ENDPOINT_URL_LAMBDA", endpoint.url)
        patch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        machines = boto3.client("stepfunctions")
        machine = machines.create_state_machine(
            name=f"render-{uuid4()}",
            definition=json.dumps(definition()),
            roleArn="arn:aws:iam::123456789012:role/render",
        )
        # Keys of its own: prefect-aws keeps clients by their credentials, and each test has another endpoint.
        keys = AwsCredentials(
            aws_access_key_id=f"K{uuid4().hex}", aws_secret_access_key=SecretStr("-"), region_name="us-east-1"
        )
        yield Place(
            AwsStack(
                bucket=bucket,
                function=FUNCTION_ARN,
                state_machine=machine["stateMachineArn"],
                concurrency=concurrency,
                hedge=hedge,
                poll_seconds=0.2,
                credentials=keys,
            )
        )
