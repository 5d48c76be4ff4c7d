"""Every policy that is written here, read by parliament, which knows AWS's actions and what they apply to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from cloudformation import TEMPLATE, resolved, translated
from parliament import analyze_policy_string

FOLDER = TEMPLATE.parent
FILES = ("deploy-policy.json", "smoke-policy.json")
# What it does not know: the account of transforms, and that the executions of standard machines can be described too.
MISTAKEN = {
    ("INVALID_ARN", "arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31"),
    ("RESOURCE_MISMATCH", "states:DescribeExecution"),
}


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
    text = (FOLDER / name).read_text()
    for placeholder, value in (("REGION", "us-east-1"), ("ACCOUNT", "123456789012"), ("STACK", "videos")):
        text = text.replace(placeholder, value)
    assert _findings(json.loads(text)) <= MISTAKEN


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
