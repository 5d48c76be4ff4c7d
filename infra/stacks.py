"""The two places where the state machine runs: an AWS account, and this machine. What is asked of both is the same."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError

from infra.local_aws import LocalAws, local_aws
from infra.state_machine import FILE, filled
from lambda_handler.toolchain import CHECKOUT

POLL_SECONDS = 0.5
TEMPLATE = CHECKOUT / "infra" / "template.yaml"
# What CloudFormation leaves of a stack that came to nothing: it can only be deleted.
NEVER_DEPLOYED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


class Clients(Protocol):
    """Makes boto3 clients of one place."""

    def client(self, service: str) -> Any:
        """A client for s3 or stepfunctions."""
        ...


@dataclass(frozen=True)
class Stack:
    """What is deployed: the outputs of the template, and the clients that reach it."""

    bucket: str
    machine: str
    clients: Clients
    local: LocalAws | None = None

    def put(self, file: Path, key: str) -> str:
        """Uploads `file`; returns its URI."""
        self.clients.client("s3").upload_file(str(file), self.bucket, key)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str, file: Path) -> Path:
        """Downloads the object at `uri` into `file`."""
        self.clients.client("s3").download_file(self.bucket, uri.removeprefix(f"s3://{self.bucket}/"), str(file))
        return file

    def keys(self, prefix: str) -> dict[str, str]:
        """The objects below `prefix` and their ETags."""
        pages = self.clients.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}

    def execute(self, request: Mapping[str, Any]) -> Execution:
        """Runs the state machine on `request` to its end."""
        machines = self.clients.client("stepfunctions")
        began = time.monotonic()
        arn = machines.start_execution(
            stateMachineArn=self.machine, name=f"smoke-{uuid4()}", input=json.dumps(request)
        )["executionArn"]
        while (told := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        pages = machines.get_paginator("get_execution_history").paginate(executionArn=arn)
        history = [event for page in pages for event in page["events"]]
        return Execution(told["status"], told.get("error"), told.get("cause"), seconds, history)


@dataclass(frozen=True)
class Execution:
    """A finished execution of the state machine."""

    status: str
    error: str | None
    cause: str | None
    seconds: float
    history: list[dict[str, Any]]


@contextmanager
def local_stack(archive: Path, logs: Path, **limits: Any) -> Iterator[Stack]:
    """The state machine by moto's interpreter, around the built function in the Lambda stand-in."""
    with local_aws(archive, logs, **limits) as place:
        machine = filled(
            FILE.read_text(), {"RenderFunctionArn": place.standin.function.arn, "RenderTimeoutSec": 21_600}
        )
        machines = place.client("stepfunctions")
        role = "arn:aws:iam::123456789012:role/render"
        made = machines.create_state_machine(name="render", definition=json.dumps(machine), roleArn=role)
        yield Stack(place.bucket, made["stateMachineArn"], place, place)


class NotTornDown(Exception):
    """Something of a deployed stack is still there, and may cost money."""


def _sam(*arguments: str) -> None:
    subprocess.run(["sam", *arguments], check=True)


@contextmanager
def deployed_stack(
    name: str, *, reserved: int | None = None, keep: bool = False, sam: Callable[..., None] = _sam
) -> Iterator[Stack]:
    """The template, deployed by `sam` with what the environment's AWS credentials allow.

    At the end, and when it could not be deployed, all of it is deleted, its bucket too: it holds nothing but what was
    rendered to try it. Unless `keep`: then a stack of that name may be there already, and is brought up to date.
    Raises FileExistsError for one that is there, NotTornDown when something is left.
    """
    status = _status(name)
    if status in NEVER_DEPLOYED and not keep:
        _tear_down(name, sam)
    elif status is not None and not keep:
        raise FileExistsError(f"There is a stack {name} ({status}); use another --stack-name, or --keep-stack.")
    parameters = [f"ReservedConcurrency={reserved}"] if reserved is not None else []
    deploy = ["deploy", "--template-file", str(TEMPLATE), "--stack-name", name, "--resolve-s3"]
    deploy += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    try:
        sam(*deploy, "--parameter-overrides", f"ProjectName={name}", *parameters)
        told = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in told}
        yield Stack(outputs["RenderBucketName"], outputs["RenderStateMachineArn"], boto3.Session())
    finally:
        if not keep:
            _tear_down(name, sam)


def _status(name: str) -> str | None:
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return str(found[0]["StackStatus"]) if found else None


def _tear_down(name: str, sam: Callable[..., None]) -> None:
    """Deletes the stack, and the bucket that it would leave behind."""
    try:
        if _status(name) is None:
            return
        resources = boto3.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        named = {each["LogicalResourceId"]: each.get("PhysicalResourceId") for each in resources}
        sam("delete", "--stack-name", name, "--no-prompts", "--region", boto3.client("s3").meta.region_name)
        if bucket := named.get("RenderBucket"):
            _delete_bucket(bucket)
    except Exception as error:
        left = NotTornDown(f"The stack {name} was not deleted whole: {error}")
    else:
        return
    # Outside the handler: its context is what went wrong before, if anything did.
    raise left


def _delete_bucket(name: str) -> None:
    s3 = boto3.client("s3")
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=name)
    except s3.exceptions.NoSuchBucket:
        return  # a stack that was rolled back may have taken it along
