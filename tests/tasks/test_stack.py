"""Stacks as values and as a block: what is kept, what is refused, and what never leaves the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.context import get_run_context
from prefect_aws import AwsCredentials
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from flows.prefect_server import PrefectApi
from lambda_handler import storage
from lambda_handler.errors import StackInvalid, StackNotFound, UriNotAllowed
from tasks.render_stack import RenderStack
from tasks.stack import LOCAL, AwsStack, LocalStack, StackOrName, load_stack
from tasks.state_machine import StateMachine

AWS = {"bucket": "renders-1a2b", "function": "render"}


@pytest.mark.parametrize("model", [RenderStack, StateMachine, LocalStack, AwsStack])
def test_every_field_of_a_stack_explains_itself(model: type[BaseModel]) -> None:
    """A title and a sentence for the form, and for numbers their bounds."""
    for name, field in model.model_fields.items():
        if name == "credentials" and model is AwsStack:  # in no form: the block has a field of its own
            continue
        assert field.title, name
        assert (field.description or "").endswith((".", ")", ").")), name
        if field.annotation in (int, float):
            assert len(field.metadata) >= 2, name


@pytest.mark.parametrize("block", [RenderStack, StateMachine])
def test_a_blocks_example_loads_one(block: type[Block]) -> None:
    """As the UI shows it."""
    example = block.get_code_example() or ""
    assert f"from {block.__module__} import {block.__name__}" in example
    assert f'{block.__name__}.load("BLOCK_NAME")' in example


def test_a_stack_on_aws_is_saved_and_loaded_by_its_name(api: PrefectApi) -> None:
    """With its credentials, which stay in a block of their own."""
    name = f"stack-{uuid4().hex[:8]}"
    keys = AwsCredentials(aws_access_key_id="me", aws_secret_access_key=SecretStr("hush"), region_name="eu-west-1")
    keys.save(name)
    RenderStack(where=AwsStack(**AWS, concurrency=7), credentials=keys).save(name)
    stack = load_stack(name)
    assert isinstance(stack, AwsStack)
    assert (stack.bucket, stack.concurrency, stack.kind) == ("renders-1a2b", 7, "aws")
    assert stack.credentials.aws_secret_access_key == SecretStr("hush")
    assert hash(stack) == hash(load_stack(name))


def test_a_stack_that_has_credentials_keeps_them_when_it_is_saved(api: PrefectApi) -> None:
    """Though they are in no dump of the stack itself."""
    name = f"stack-{uuid4().hex[:8]}"
    keys = AwsCredentials(aws_access_key_id="me", aws_secret_access_key=SecretStr("hush"))
    RenderStack(where=AwsStack(**AWS, credentials=keys)).save(name)
    stack = load_stack(name)
    assert isinstance(stack, AwsStack)
    assert stack.credentials.aws_secret_access_key == SecretStr("hush")


@pytest.mark.parametrize(
    ("left", "kind"),
    [
        ({}, "local"),
        ({"where": {"root": "/srv"}}, "local"),
        ({"where": {**AWS, "hedge": True}, "credentials": {}}, "aws"),
    ],
    ids=str,
)
def test_what_the_ui_leaves_out_is_understood(left: dict[str, Any], kind: str) -> None:
    """Its form saves only what differs from the defaults, and not which of the two it was."""
    assert RenderStack.model_validate(left).value().kind == kind


@pytest.mark.parametrize(
    "where", [{"hedge": True}, {"bucket": "renders-1a2b"}, {"root": "/srv", "bucket": "b-1"}], ids=str
)
def test_half_a_stack_is_refused(where: dict[str, Any]) -> None:
    """Not taken for this machine."""
    with pytest.raises(ValidationError):
        RenderStack.model_validate({"where": where})


def test_a_block_that_cannot_be_read_is_told(api: PrefectApi) -> None:
    """With what is wrong in it."""
    name = f"stack-{uuid4().hex[:8]}"
    saved = cast(UUID, RenderStack(where=AwsStack(**AWS)).save(name))
    with get_client(sync_client=True) as client:
        client.update_block_document(
            saved, BlockDocumentUpdate(data={"where": {"bucket": "B"}}, merge_existing_data=False)
        )
    with pytest.raises(StackInvalid, match=name):
        load_stack(name)


def test_local_needs_no_block_and_allows_the_working_folder(
    api: PrefectApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And the folders that HYPERFRAMES_LOCAL_ROOTS names, and no others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(storage.ROOTS_VARIABLE, "/srv/videos")
    stack = load_stack(LOCAL)
    assert isinstance(stack, LocalStack)
    assert stack.allowed == (tmp_path, Path("/srv/videos"))


def test_flows_of_this_machine_import_nothing_of_aws() -> None:
    """It takes a third of the time in which a run begins."""
    asked = "import sys, flows.render, flows.batch; print({'boto3', 'prefect_aws'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_a_name_that_no_block_has_is_told(api: PrefectApi) -> None:
    """With how to save one."""
    with pytest.raises(StackNotFound, match=r"(?s)'nowhere'.*prefect block register"):
        load_stack("nowhere")


@pytest.mark.parametrize(
    "given", [{"kind": "local", "root": "/", "allowed": ["/"]}, {"kind": "aws", **AWS}, 3, None], ids=str
)
def test_a_run_cannot_describe_a_stack_of_its_own(given: object) -> None:
    """Whoever starts a run must not say which folders or buckets the workers may touch."""
    with pytest.raises(ValidationError, match="named by its RenderStack block"):
        TypeAdapter(StackOrName).validate_python(given)


def test_credentials_are_in_no_dump_and_no_record_of_a_run(api: PrefectApi) -> None:
    """Though the value itself was given to the flow."""
    session = "hush-2"
    stack = AwsStack(
        **AWS,
        credentials=AwsCredentials(
            aws_access_key_id="AKIAME", aws_secret_access_key=SecretStr("hush"), aws_session_token=session
        ),
    )
    kept: list[Any] = []

    @flow(name="takes-a-stack", persist_result=False)
    def taking(stack: StackOrName) -> None:
        kept.append((stack, get_run_context().flow_run.id))  # type: ignore[union-attr]

    taking(stack)
    (given, run_id) = kept[0]
    assert given.credentials == stack.credentials
    with get_client(sync_client=True) as client:
        recorded = json.dumps(client.read_flow_run(run_id).parameters)
    assert "renders-1a2b" in recorded
    for text in (recorded, repr(stack), str(stack), stack.model_dump_json()):
        assert "hush" not in text
        assert "AKIAME" not in text


def test_the_flows_own_reads_and_writes_use_the_stacks_credentials(
    bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says; and only for that bucket, and only for a while."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    asked: list[int] = []

    class Counting(AwsCredentials):
        _block_type_slug = "counting-credentials"

        def get_boto3_session(self) -> Any:
            asked.append(1)
            return super().get_boto3_session()

    keys = Counting(aws_access_key_id="me", aws_secret_access_key=SecretStr("hush"), region_name="us-east-1")
    stack = AwsStack(bucket=bucket, function="render", credentials=keys)
    uri = f"s3://{bucket}/renders/one/note"
    with stack.storage():
        storage.write(uri, b"note")
        assert storage.read(uri) == b"note"
        assert asked
        with pytest.raises(UriNotAllowed):
            storage.read("s3://another-bucket/note")
    assert storage._reached[bucket] == []


def test_a_stack_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is uploaded."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StackInvalid, match="no AWS credentials"):
        AwsStack(**AWS).storage()
