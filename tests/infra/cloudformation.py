"""The template as CloudFormation sees it, with ARNs in the place of references; and what its policies allow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

import infra

TEMPLATE = Path(infra.__file__).parent / "template.yaml"
HERE = "us-east-1:123456789012"
ARNS = {
    "RenderBucket": "arn:aws:s3:::videos-renderbucket",
    "RenderFunction": f"arn:aws:lambda:{HERE}:function:videos-RenderFunction",
    "RenderFunctionLogs": f"arn:aws:logs:{HERE}:log-group:videos-RenderFunctionLogs:*",
    "RenderStateMachine": f"arn:aws:states:{HERE}:stateMachine:RenderStateMachine-x",
    "RenderStateMachineLogs": f"arn:aws:logs:{HERE}:log-group:/aws/vendedlogs/states/videos-render:*",
    "NotificationTopic": f"arn:aws:sns:{HERE}:videos-NotificationTopic",
    "RenderEnded": f"arn:aws:events:{HERE}:rule/videos-RenderEnded",
}
PSEUDO = {
    "AWS::StackName": "videos",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "RenderStateMachine.Name": "RenderStateMachine-x",
}


def written() -> dict[str, Any]:
    """The template as it is written."""
    parsed: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return parsed


def translated() -> dict[str, Any]:
    """The template as SAM makes CloudFormation of it, its local files uploaded."""
    template = written()
    template["Resources"]["RenderStateMachine"]["Properties"]["DefinitionUri"] = "s3://deploy/render.asl.json"
    template["Resources"]["RenderFunction"]["Properties"]["CodeUri"] = "s3://deploy/function.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        done: dict[str, Any] = Translator({}, Parser()).translate(template, {})
    return done


def resolved(value: Any) -> Any:
    """`value` with references and attributes resolved; conditions stay as they are."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": name}:
            return PSEUDO.get(name) or ARNS.get(name, name)
        case {"Fn::GetAtt": [name, "Arn"]}:
            return ARNS[name]
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: _named(found[1]), text)
    return {name: resolved(item) for name, item in value.items()}


def _named(name: str) -> str:
    return PSEUDO.get(name) or ARNS[name.removesuffix(".Arn")]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy that allows."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


def statements(template: Mapping[str, Any], role: str) -> list[Statement]:
    """All that the role may do: its own policies, and those attached to it."""
    resources = template["Resources"]
    documents = [policy["PolicyDocument"] for policy in resources[role]["Properties"]["Policies"]]
    documents += [
        each["Properties"]["PolicyDocument"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in each["Properties"]["Roles"]
    ]
    assert "ManagedPolicyArns" not in resources[role]["Properties"]
    found = [statement for document in documents for statement in document["Statement"]]
    # No Deny, NotAction or Condition, so allowing is matching an action and a resource.
    assert all({"Sid", "Effect", "Action", "Resource"} == set(each) and each["Effect"] == "Allow" for each in found)
    return listed(resolved(found))


def listed(found: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """A policy's statements, as they stand in its document."""
    return [Statement(tuple(_listed(each["Action"])), tuple(_listed(each["Resource"]))) for each in found]


def allowed(found: Iterable[Statement], action: str, resource: str) -> bool:
    """Whether the role may do `action` to `resource`, as IAM matches them."""
    return any(
        any(fnmatchcase(action.lower(), pattern.lower()) for pattern in each.actions)
        and any(fnmatchcase(resource, pattern) for pattern in each.resources)
        for each in found
    )


def _listed(value: Any) -> Iterator[str]:
    yield from [value] if isinstance(value, str) else value
