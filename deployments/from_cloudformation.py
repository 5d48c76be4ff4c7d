"""A RenderStack block from a deployed stack: `python -m deployments.from_cloudformation STACK --name production`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from prefect_aws import AwsCredentials

from flows.prefect_server import connected, ensure_api
from lambda_handler.errors import RenderError, StackInvalid
from tasks.render_stack import RenderStack
from tasks.stack import AwsStack

UNRESERVED_CONCURRENCY = 50


def stack_of(described: Mapping[str, Any]) -> AwsStack:
    """The stack that CloudFormation describes: its outputs and parameters. Raises StackInvalid."""
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", ())}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", ())}
    needed = ("RenderBucketName", "RenderFunctionArn", "RenderStateMachineArn")
    if missing := [name for name in needed if name not in outputs]:
        raise StackInvalid(
            f"The CloudFormation stack {described.get('StackName')} has no output {', '.join(missing)}.",
            resolution="Name a stack that was deployed from infra/template.yaml, when it has been deployed.",
        )
    reserved = int(parameters.get("ReservedConcurrency", -1))
    return AwsStack(
        bucket=outputs["RenderBucketName"],
        function=outputs["RenderFunctionArn"],
        state_machine=outputs["RenderStateMachineArn"],
        concurrency=reserved if reserved > 0 else UNRESERVED_CONCURRENCY,
        timeout_seconds=int(parameters.get("LambdaTimeoutSec", 900)),
        memory_mb=int(parameters.get("LambdaMemoryMb", 10_240)),
    )


def save(cloudformation: str, name: str, *, region: str | None, credentials: str | None) -> RenderStack:
    """Saves the CloudFormation stack as the RenderStack block `name`.

    `credentials` names an AwsCredentials block that it then uses; else runs use those of their environment, and this
    region. Raises StackInvalid.
    """
    loaded: Any = AwsCredentials.load(credentials) if credentials else AwsCredentials(region_name=region)
    session = loaded.get_boto3_session() if credentials else boto3.Session(region_name=region)
    try:
        described = session.client("cloudformation").describe_stacks(StackName=cloudformation)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        raise StackInvalid(
            f"The CloudFormation stack {cloudformation} cannot be looked at: {error}",
            resolution="Check its name, the region and the AWS credentials.",
        ) from error
    with_region = loaded if credentials or region else AwsCredentials(region_name=session.region_name)
    block = RenderStack(where=stack_of(described), credentials=with_region)
    block.save(name, overwrite=True)
    return block


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m deployments.from_cloudformation", description=__doc__)
    parser.add_argument("stack", help="Name of the CloudFormation stack.")
    parser.add_argument("--name", default="production", help="Name of the block; production.")
    parser.add_argument("--region", help="The stack's region; that of the AWS profile.")
    parser.add_argument("--credentials", help="Name of an AwsCredentials block; the environment's.")
    asked = parser.parse_args()
    try:
        with connected(ensure_api().api_url, quiet=True):
            block = save(asked.stack, asked.name, region=asked.region, credentials=asked.credentials)
    except RenderError as error:
        print(f"{error.code}  {error.summary}\n→ {error.resolution}", file=sys.stderr)
        return 1
    print(f"render-stack/{asked.name}: {block.where.model_dump_json(exclude_none=True)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
