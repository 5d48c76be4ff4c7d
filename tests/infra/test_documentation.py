"""docs/aws.md says what the files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cloudformation import allowed, listed, translated

from infra.documentation import PAGE, diagram, errors, parameters, written
from infra.state_machine import INLINE_CHUNKS, machine
from lambda_handler.errors import ERRORS
from lambda_handler.events import Config

POLICY = Path(PAGE.parents[1] / "infra" / "deploy-policy.json")


def test_the_page_is_in_step_with_the_machine_the_template_and_the_errors() -> None:
    """After a change run make generated."""
    assert PAGE.read_text() == written(PAGE.read_text())


def test_the_diagram_shows_every_state_and_every_way() -> None:
    """Those inside the maps too."""
    drawn = diagram()
    for name, state in machine()["States"].items():
        assert name in drawn
        inner = state.get("ItemProcessor", {}).get("States", {})
        assert all(each in drawn for each in inner)
        for way in (state.get("Next"), state.get("Default"), *(c["Next"] for c in state.get("Choices", ()))):
            assert way is None or f"| {way}\n" in drawn or f"--> {way}\n" in drawn, (name, way)


def test_every_error_that_can_be_raised_is_in_the_table() -> None:
    """With what to do; families are not raised themselves."""
    table = errors()
    raised = [error for error in ERRORS.values() if not error.__subclasses__()]
    assert table.count("\n") - 1 == len(raised)
    assert all(f"| `{error.code}` |" in table and error.advice in table for error in raised)


def test_every_parameter_is_in_the_table() -> None:
    """With its default."""
    assert "| `LambdaMemoryMb` | `10240` | Memory" in parameters()


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    """Numbers that other tests measure."""
    page = PAGE.read_text()
    assert f"| up to {INLINE_CHUNKS} chunks |" in page
    assert "302 of 25,000" in page
    most = next(each for each in Config.model_fields["max_parallel_chunks"].metadata if hasattr(each, "le")).le
    assert f"| chunks of a plan | {most} (" in page


@pytest.mark.parametrize(
    ("kind", "creates"),
    [
        ("AWS::S3::Bucket", "s3:CreateBucket"),
        ("AWS::S3::BucketPolicy", "s3:PutBucketPolicy"),
        ("AWS::Lambda::Function", "lambda:CreateFunction"),
        ("AWS::Logs::LogGroup", "logs:CreateLogGroup"),
        ("AWS::IAM::Role", "iam:CreateRole"),
        ("AWS::IAM::Policy", "iam:PutRolePolicy"),
        ("AWS::StepFunctions::StateMachine", "states:CreateStateMachine"),
        ("AWS::CloudWatch::Alarm", "cloudwatch:PutMetricAlarm"),
        ("AWS::Events::Rule", "events:PutRule"),
        ("AWS::SNS::Topic", "sns:CreateTopic"),
        ("AWS::SNS::TopicPolicy", "sns:SetTopicAttributes"),
        ("AWS::SNS::Subscription", "sns:Subscribe"),
    ],
)
def test_whoever_deploys_may_create_every_kind_of_resource(kind: str, creates: str) -> None:
    """The policy in infra/ has the action for each kind that the template has, and no kind is forgotten here."""
    kinds = {each["Type"] for each in translated()["Resources"].values()}
    assert kind in kinds
    assert len(kinds) == 12
    statements = json.loads(POLICY.read_text())["Statement"]
    assert any(creates in each["Action"] for each in statements)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:DescribeStacks", "cloudformation:REGION:ACCOUNT:stack/STACK/1a2b"),
        ("cloudformation:DescribeStacks", "cloudformation:REGION:ACCOUNT:stack/aws-sam-cli-managed-default/1a2b"),
        ("cloudformation:CreateChangeSet", "cloudformation:REGION:ACCOUNT:stack/aws-sam-cli-managed-default/1a2b"),
        ("cloudformation:CreateChangeSet", "cloudformation:REGION:aws:transform/Serverless-2016-10-31"),
        ("cloudformation:DescribeStacks", "cloudformation:REGION:ACCOUNT:stack/STACK-1a2b3c4d-CompanionStack/1a2b"),
        ("cloudformation:DescribeStacks", "cloudformation:REGION:ACCOUNT:stack/STACK-1a2b3c4d-WebFunctionCode/1a2b"),
        ("cloudformation:GetTemplate", "cloudformation:REGION:ACCOUNT:stack/STACK/1a2b"),
        ("cloudformation:DeleteStack", "cloudformation:REGION:ACCOUNT:stack/STACK/1a2b"),
        ("s3:PutObject", "s3:::aws-sam-cli-managed-default-samclisourcebucket-x/1a2b"),
        ("s3:DeleteObject", "s3:::aws-sam-cli-managed-default-samclisourcebucket-x/1a2b.template"),
    ],
)
def test_whoever_deploys_may_do_what_sam_does(action: str, resource: str) -> None:
    """`sam deploy --resolve-s3` and `sam delete`, by the calls in SAM's sources (aws-sam-cli 1.170)."""
    found = listed(json.loads(POLICY.read_text())["Statement"])
    assert allowed(found, action, f"arn:aws:{resource}")


def test_the_deploy_policy_has_no_pattern_of_actions() -> None:
    """And passes roles to the two services alone."""
    statements = json.loads(POLICY.read_text())["Statement"]
    listed = [[each["Action"]] if isinstance(each["Action"], str) else each["Action"] for each in statements]
    assert not any("*" in action for actions in listed for action in actions)
    (passing,) = [each for each in statements if each["Action"] == "iam:PassRole"]
    to = passing["Condition"]["StringEquals"]["iam:PassedToService"]
    assert set(to) == {"lambda.amazonaws.com", "states.amazonaws.com"}
