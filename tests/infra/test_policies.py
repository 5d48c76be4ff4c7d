"""Every policy that is written here, read by parliament, which knows AWS's actions and what they apply to."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from cloudformation import HERE, TEMPLATE, allowed, listed, resolved, translated
from parliament import analyze_policy_string

from lambda_handler.toolchain import CHECKOUT

FOLDER = TEMPLATE.parent
FILES = ("deploy-policy.json", "smoke-policy.json")
# What it does not know: the account of transforms, and that the executions of standard machines can be described too.
MISTAKEN = {
    ("INVALID_ARN", "arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31"),
    ("RESOURCE_MISMATCH", "states:DescribeExecution"),
}


def _filled(name: str) -> dict[str, Any]:
    """The policy with an account, a region and a stack's name put in."""
    text = (FOLDER / name).read_text()
    values = {"REGION": "us-east-1", "ACCOUNT": "123456789012", "STACK": "Videos", "BUCKETS": "videos"}
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    filled: dict[str, Any] = json.loads(text)
    return filled


def _findings(document: dict[str, Any]) -> set[tuple[str, str]]:
    """What parliament has to say: the finding, and about which ARN or action."""

    def about(detail: Any, place: Any) -> Iterable[str]:
        listed = detail if isinstance(detail, list) and detail else [place]
        dicts = (each if isinstance(each, dict) else {"action": str(each)} for each in listed)
        return (each.get("action") or each.get("string") or str(each) for each in dicts)

    found = analyze_policy_string(json.dumps(document)).findings
    return {(each.issue, what) for each in found for what in about(each.detail, each.location)}


@pytest.mark.parametrize("name", FILES)
def test_parliament_finds_nothing_in_the_policies_of_people(name: str) -> None:
    """With an account, a region and a stack's name put in."""
    assert _findings(_filled(name)) <= MISTAKEN


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:CreateStack", f"arn:aws:cloudformation:{HERE}:stack/Videos/1a2b"),
        ("s3:CreateBucket", "arn:aws:s3:::videos-renderbucket-1a2b"),
        ("lambda:CreateFunction", f"arn:aws:lambda:{HERE}:function:Videos-RenderFunction-1A2B"),
        ("states:CreateStateMachine", f"arn:aws:states:{HERE}:stateMachine:RenderStateMachine-1A2B"),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/Videos-RenderFunctionRole-1A2B"),
        ("logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:Videos-RenderFunctionLogs-1A2B"),
        ("logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/aws/vendedlogs/states/Videos-render"),
        ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{HERE}:alarm:Videos-RunawayAlarm-1A2B"),
        ("events:PutRule", f"arn:aws:events:{HERE}:rule/Videos-RenderEnded-1A2B"),
        ("sns:CreateTopic", f"arn:aws:sns:{HERE}:Videos-NotificationTopic-1A2B"),
    ],
)
def test_a_stack_whose_name_has_capitals_may_be_deployed(action: str, resource: str) -> None:
    """CloudFormation names its resources as the stack is written, and its bucket in lower case: S3 has no capitals."""
    deploy = listed(_filled(FILES[0])["Statement"])
    assert allowed(deploy, action, resource)
    assert not allowed(deploy, action, resource.replace("ideos", "ideo").replace("RenderState", "Other"))


def test_the_documented_command_fills_a_policy_in() -> None:
    """Nothing is left to put in, and it is what these tests read."""
    (command,) = re.findall(r"^sed '.*$", (CHECKOUT / "docs" / "aws.md").read_text(), re.MULTILINE)
    done = subprocess.run(["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == _filled(FILES[0])


@pytest.mark.parametrize("role", ["RenderFunctionRole", "RenderStateMachineRole", "RenderManyChunksPolicy"])
def test_parliament_finds_nothing_in_the_policies_of_the_stack(role: str) -> None:
    """Those of its two roles, and the one that is attached."""
    properties = translated()["Resources"][role]["Properties"]
    for policy in properties.get("Policies", [properties]):
        assert _findings(resolved(policy["PolicyDocument"])) <= MISTAKEN


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"Action": "s3:GetObjekt"}, "UNKNOWN_ACTION"),
        ({"Action": "s3:ListBucket"}, "RESOURCE_MISMATCH"),
        ({"Action": "iam:*", "Resource": "*"}, "RESOURCE_STAR"),
    ],
)
def test_parliament_would_find_something(change: dict[str, str], finding: str) -> None:
    """An action that there is not, one on the wrong kind of resource, everything."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::videos/*"} | change
    found = {issue for issue, _ in _findings({"Version": "2012-10-17", "Statement": [statement]})}
    assert found == {finding}
