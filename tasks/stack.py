"""Where renders run: values that say it, and how a name becomes one. Nothing of AWS's is imported that is not used."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import S3Store
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from lambda_handler import storage
from lambda_handler.errors import StackInvalid, StackNotFound
from tasks.local_stack import LocalStack

if TYPE_CHECKING:
    from obstore.store import S3Credential
    from prefect_aws import AwsCredentials

__all__ = ["LOCAL", "AwsStack", "LocalStack", "Stack", "StackOrName", "load_stack"]

LOCAL = "local"
# Roles may be assumed for 15 minutes at the shortest (STS, AssumeRole, DurationSeconds).
CREDENTIAL_LIFE = timedelta(minutes=10)


def _credentials(given: object) -> AwsCredentials:
    from prefect_aws import AwsCredentials  # noqa: PLC0415 - takes a third of what starting a flow takes

    return AwsCredentials.model_validate(given)


class AwsStack(BaseModel):
    """What infra/template.yaml deploys: a bucket, the function, the state machine, and how to reach them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["aws"] = Field("aws", title="Kind", description="A stack on AWS; leave it as it is.")
    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        title="Bucket",
        description="The stack's bucket: render folders, projects and videos (output RenderBucketName).",
    )
    function: str = Field(
        min_length=1,
        max_length=170,
        title="Function",
        description="Name or ARN of the function that plays the roles (output RenderFunctionArn).",
    )
    qualifier: str | None = Field(
        None,
        max_length=128,
        title="Qualifier",
        description="Version or alias of the function; the newest, if left out.",
    )
    state_machine: str | None = Field(
        None,
        pattern=r"^arn:[a-z-]+:states:[a-z0-9-]+:\d{12}:stateMachine:.{1,80}$",
        title="State machine",
        description="ARN of the state machine (output RenderStateMachineArn); engine step-functions needs it.",
    )
    concurrency: int = Field(
        50,
        ge=1,
        le=1000,
        title="Concurrency",
        description="Chunks of one render that are rendered at once; at most what the function reserves.",
    )
    timeout_seconds: int = Field(
        900, ge=60, le=900, title="Time limit", description="Time limit of the function, in seconds (LambdaTimeoutSec)."
    )
    memory_mb: int = Field(
        10_240, ge=2048, le=10_240, title="Memory", description="Memory of the function, in MB (LambdaMemoryMb)."
    )
    hedge: bool = Field(
        True,
        title="Hedge stragglers",
        description="Render a chunk a second time when it stands still or lags far behind the others.",
    )
    poll_seconds: float = Field(
        15.0,
        gt=0,
        le=300,
        title="Poll interval",
        description="Seconds between two looks at an execution of the state machine, at most.",
    )
    # AwsCredentials. Excluded from every dump: a stack may be recorded as a flow run's parameter.
    credentials: Annotated[SkipJsonSchema[Any], PlainValidator(_credentials)] = Field(
        default_factory=lambda: _credentials({}), exclude=True, repr=False
    )

    @property
    def renders(self) -> str:
        """The URI below which render folders lie."""
        return f"s3://{self.bucket}/renders"

    @property
    def sites(self) -> str:
        """The URI below which uploaded projects lie, each under the digest of its content."""
        return f"s3://{self.bucket}/sites"

    @property
    def outputs(self) -> str:
        """The URI below which videos go that are asked for by a name only."""
        return f"s3://{self.bucket}/output"

    def storage(self) -> AbstractContextManager[None]:
        """Has this process reach the bucket with the stack's credentials for a while. Raises StackInvalid."""
        endpoint = self.credentials.aws_client_parameters.endpoint_url or storage.endpoint_of_environment()
        self._credential()
        store = S3Store(
            self.bucket,
            endpoint=endpoint,
            region=self._session().region_name or "us-east-1",
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http://"))},
            credential_provider=self._credential,
        )
        return storage.reaching(self.bucket, store)

    def _session(self) -> Any:
        return self.credentials.get_boto3_session()

    def _credential(self) -> S3Credential:
        """Asked for anew before it is too old: a block that assumes a role does so each time."""
        try:
            found = self._session().get_credentials()
        except (BotoCoreError, ClientError) as error:
            raise StackInvalid(f"The stack's credentials cannot be had: {error}") from error
        if found is None:
            raise StackInvalid(
                f"There are no AWS credentials for the stack with bucket {self.bucket}.",
                resolution="Give the RenderStack block an AwsCredentials block, or set AWS_PROFILE.",
            )
        frozen = found.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + CREDENTIAL_LIFE,
        }


Stack = LocalStack | AwsStack


def _stack_or_name(given: object) -> object:
    # Never a description of a stack: whoever starts a run must not say which folders workers may touch.
    if isinstance(given, (str, LocalStack, AwsStack)):
        return given
    raise ValueError("a stack is named by its RenderStack block, or 'local'")


StackOrName = Annotated[
    str | LocalStack | AwsStack,
    BeforeValidator(_stack_or_name),
    WithJsonSchema({"type": "string", "description": "Name of a RenderStack block, or local."}),
]
"""A flow's parameter: the name of a RenderStack block. Callers in Python may pass the value itself."""


def load_stack(stack: str | Stack) -> Stack:
    """The stack of that name, or the value itself. Raises StackNotFound, StackInvalid.

    "local" needs no block: it is this machine, with the working folder and HYPERFRAMES_LOCAL_ROOTS allowed.
    """
    if not isinstance(stack, str):
        return stack
    if stack == LOCAL and not _is_saved(stack):
        return _this_machine()
    from tasks.render_stack import RenderStack  # noqa: PLC0415 - see above

    try:
        block: Any = RenderStack.load(stack)
    except ValueError as error:
        raise StackNotFound(f"There is no RenderStack block named {stack!r}.") from error
    except RuntimeError as error:
        raise StackInvalid(
            f"The RenderStack block {stack!r} cannot be read: {error.__cause__ or error}",
            resolution="Open it in the Prefect UI, or save it again.",
        ) from error
    found: Stack = block.value()
    return found


def _is_saved(name: str) -> bool:
    with get_client(sync_client=True) as client:
        try:
            client.read_block_document_by_name(name, "render-stack")
        except ObjectNotFound:
            return False
    return True


def _this_machine() -> LocalStack:
    roots = os.environ.get(storage.ROOTS_VARIABLE, "").split(os.pathsep)
    return LocalStack(allowed=(Path.cwd(), *(Path(root) for root in roots if root)))
