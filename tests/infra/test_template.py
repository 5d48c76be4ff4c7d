"""The stack: what it is made of, what its roles may and may not do, and that two of it do not meet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cloudformation import ARNS, HERE, TEMPLATE, Statement, allowed, resolved, statements, translated, written

from infra.artifact import BUILD, CHROME_SOURCES
from infra.state_machine import FILE
from lambda_handler import events, storage, usage
from lambda_handler.toolchain import CHROME_SOURCE_VARIABLE

BUCKET, FUNCTION, MACHINE = ARNS["RenderBucket"], ARNS["RenderFunction"], ARNS["RenderStateMachine"]
CHUNK = f"arn:aws:states:{HERE}:execution:RenderStateMachine-x/Map:0b5c7f5e"
# Actions that AWS knows no resources for.
RESOURCELESS = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """What SAM makes of the template."""
    return translated()


def _of(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def test_cfn_lint_finds_nothing_and_would_find_something(tmp_path: Path) -> None:
    """In the template nothing; in one whose statement has no action, that."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(TEMPLATE.read_text().replace("Action: lambda:InvokeFunction", "Actoin: lambda:InvokeFunction"))
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "parseable", "--regions", "us-east-1", "--"]
    done = subprocess.run([*command, str(TEMPLATE), str(broken)], capture_output=True, text=True, check=False)
    complaints = done.stdout.splitlines()
    assert [line for line in complaints if line.startswith(str(TEMPLATE))] == []
    assert any(line.startswith(str(broken)) and "Actoin" in line for line in complaints), done.stdout + done.stderr


def test_sam_makes_no_role_and_no_policy_of_its_own(template: dict[str, Any]) -> None:
    """There are the two roles that are written, and the policy that cannot be inside one."""
    kinds = [each["Type"] for each in template["Resources"].values()]
    assert kinds.count("AWS::IAM::Role") == 2
    assert kinds.count("AWS::IAM::Policy") == 1
    assert "AWS::IAM::ManagedPolicy" not in kinds
    assert _of(template, "RenderFunction")["Role"] == {"Fn::GetAtt": ["RenderFunctionRole", "Arn"]}
    assert _of(template, "RenderStateMachine")["RoleArn"] == {"Fn::GetAtt": ["RenderStateMachineRole", "Arn"]}


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("RenderFunctionRole", "s3:GetObject", f"{BUCKET}/sites/a/project.tar.gz"),
        ("RenderFunctionRole", "s3:PutObject", f"{BUCKET}/renders/x/chunks/0000-ab.mp4"),
        ("RenderFunctionRole", "s3:PutObjectTagging", f"{BUCKET}/renders/x/chunks/0000-ab.mp4"),
        ("RenderFunctionRole", "s3:AbortMultipartUpload", f"{BUCKET}/videos/x.mp4"),
        ("RenderFunctionRole", "s3:ListBucket", BUCKET),
        ("RenderFunctionRole", "logs:CreateLogStream", ARNS["RenderFunctionLogs"].replace("*", "log-stream:x")),
        ("RenderFunctionRole", "logs:PutLogEvents", ARNS["RenderFunctionLogs"].replace("*", "log-stream:x")),
        ("RenderFunctionRole", "xray:PutTraceSegments", "*"),
        ("RenderStateMachineRole", "lambda:InvokeFunction", FUNCTION),
        ("RenderStateMachineRole", "states:StartExecution", MACHINE),
        ("RenderStateMachineRole", "states:DescribeExecution", CHUNK),
        ("RenderStateMachineRole", "states:StopExecution", CHUNK),
        ("RenderStateMachineRole", "states:RedriveExecution", CHUNK),
        ("RenderStateMachineRole", "logs:CreateLogDelivery", "*"),
        ("RenderStateMachineRole", "xray:PutTraceSegments", "*"),
    ],
)
def test_a_role_may_do_what_its_work_needs(template: dict[str, Any], role: str, action: str, resource: str) -> None:
    """Read the project, write the folder and the video; invoke the function, and run a map's chunks."""
    assert allowed(statements(template, role), action, resource)


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("RenderFunctionRole", "s3:GetObject", "arn:aws:s3:::another-bucket/secret"),
        ("RenderFunctionRole", "s3:PutObject", f"{BUCKET}-2/x"),
        ("RenderFunctionRole", "s3:DeleteObject", f"{BUCKET}/videos/x.mp4"),
        ("RenderFunctionRole", "s3:PutObjectAcl", f"{BUCKET}/videos/x.mp4"),
        ("RenderFunctionRole", "s3:DeleteBucket", BUCKET),
        ("RenderFunctionRole", "s3:PutBucketPolicy", BUCKET),
        ("RenderFunctionRole", "s3:PutLifecycleConfiguration", BUCKET),
        ("RenderFunctionRole", "s3:ListAllMyBuckets", "*"),
        ("RenderFunctionRole", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:another:log-stream:x"),
        ("RenderFunctionRole", "logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:another"),
        ("RenderFunctionRole", "lambda:InvokeFunction", FUNCTION),
        ("RenderFunctionRole", "lambda:GetFunction", FUNCTION),
        ("RenderFunctionRole", "states:StartExecution", MACHINE),
        ("RenderFunctionRole", "iam:PassRole", f"arn:aws:iam::{HERE[-12:]}:role/any"),
        ("RenderFunctionRole", "sts:AssumeRole", f"arn:aws:iam::{HERE[-12:]}:role/any"),
        ("RenderFunctionRole", "secretsmanager:GetSecretValue", "*"),
        ("RenderFunctionRole", "ssm:GetParameter", "*"),
        ("RenderStateMachineRole", "lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:another"),
        ("RenderStateMachineRole", "lambda:UpdateFunctionCode", FUNCTION),
        ("RenderStateMachineRole", "s3:GetObject", f"{BUCKET}/videos/x.mp4"),
        ("RenderStateMachineRole", "s3:ListBucket", BUCKET),
        ("RenderStateMachineRole", "states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:another"),
        ("RenderStateMachineRole", "states:StopExecution", f"arn:aws:states:{HERE}:execution:another:x"),
        ("RenderStateMachineRole", "states:UpdateStateMachine", MACHINE),
        ("RenderStateMachineRole", "iam:PassRole", f"arn:aws:iam::{HERE[-12:]}:role/any"),
        ("RenderStateMachineRole", "sns:Publish", ARNS["NotificationTopic"]),
    ],
)
def test_a_role_may_do_nothing_else(template: dict[str, Any], role: str, action: str, resource: str) -> None:
    """Other buckets, functions, machines and logs; deleting, opening or reconfiguring its own."""
    assert not allowed(statements(template, role), action, resource)


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (
            "RenderFunctionRole",
            {
                "s3:GetObject",
                "s3:PutObject",
                "s3:PutObjectTagging",
                "s3:AbortMultipartUpload",
                "s3:ListBucket",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
            },
        ),
        (
            "RenderStateMachineRole",
            {
                "lambda:InvokeFunction",
                "states:StartExecution",
                "states:DescribeExecution",
                "states:StopExecution",
                "states:RedriveExecution",
                *RESOURCELESS,
            },
        ),
    ],
)
def test_these_are_all_the_actions_of_a_role(template: dict[str, Any], role: str, actions: set[str]) -> None:
    """An action more, or a pattern of actions, has to be written here as well."""
    assert {action for each in statements(template, role) for action in each.actions} == actions


@pytest.mark.parametrize("role", ["RenderFunctionRole", "RenderStateMachineRole"])
def test_only_what_aws_knows_no_resource_for_is_allowed_on_all(template: dict[str, Any], role: str) -> None:
    """Everything else is scoped to the stack's own resources."""
    everywhere = [each for each in statements(template, role) if "*" in each.resources]
    assert {action for each in everywhere for action in each.actions} <= RESOURCELESS


def test_a_pattern_of_actions_would_be_seen_by_this_test() -> None:
    """The evaluation follows IAM's wildcards."""
    broad = [Statement(("s3:*Object",), ("arn:aws:s3:::*",))]
    assert allowed(broad, "s3:DeleteObject", f"{BUCKET}/x")
    assert not allowed(broad, "s3:DeleteObjectVersion", f"{BUCKET}/x")


@pytest.mark.parametrize(
    ("role", "service"),
    [("RenderFunctionRole", "lambda.amazonaws.com"), ("RenderStateMachineRole", "states.amazonaws.com")],
)
def test_a_role_is_assumed_by_its_service_alone(template: dict[str, Any], role: str, service: str) -> None:
    """No account, no user."""
    trust = _of(template, role)["AssumeRolePolicyDocument"]["Statement"]
    assert [(each["Principal"], each["Action"]) for each in trust] == [({"Service": service}, "sts:AssumeRole")]


def test_the_bucket_is_private_encrypted_and_kept(template: dict[str, Any]) -> None:
    """Every public access blocked, no plain HTTP, and it outlives the stack."""
    bucket = template["Resources"]["RenderBucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["Properties"]["PublicAccessBlockConfiguration"]) == 4
    assert "AES256" in json.dumps(bucket["Properties"]["BucketEncryption"])
    (denied,) = _of(template, "RenderBucketPolicy")["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Action"], denied["Principal"]) == ("Deny", "s3:*", "*")
    assert resolved(denied["Resource"]) == [BUCKET, f"{BUCKET}/*"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_intermediates_expire_and_videos_do_not(template: dict[str, Any]) -> None:
    """The rule goes by the tag that the worker gives what may go, and the function is told that tag."""
    expire, _ = _of(template, "RenderBucket")["LifecycleConfiguration"]["Rules"]
    assert expire["TagFilters"] == [{"Key": "hyperframes", "Value": "intermediate"}]
    assert "Prefix" not in expire
    assert template["Parameters"]["IntermediateDays"]["Default"] == 7
    told = _of(template, "RenderFunction")["Environment"]["Variables"]
    assert told[storage.EXPIRY_VARIABLE] == "hyperframes=intermediate"
    rules = _of(template, "RenderBucket")["LifecycleConfiguration"]["Rules"]
    assert [rule["Id"] for rule in rules if "ExpirationInDays" in rule] == ["ExpireIntermediates"]


def test_the_function_is_what_the_artifact_is_built_for(template: dict[str, Any]) -> None:
    """x86-64, six cores, 15 minutes, 10 GB of scratch space, traced; it is told its bucket and its share."""
    function = _of(template, "RenderFunction")
    assert (function["Architectures"], function["Runtime"]) == (["x86_64"], "python3.13")
    assert function["EphemeralStorage"] == {"Size": 10240}
    assert function["TracingConfig"] == {"Mode": "Active"}
    code = written()["Resources"]["RenderFunction"]["Properties"]["CodeUri"]
    assert (TEMPLATE.parent / code).resolve() == BUILD / "function.zip"
    module, _, name = function["Handler"].rpartition(".")
    assert callable(getattr(__import__(module, fromlist=[name]), name))
    told = function["Environment"]["Variables"]
    assert told[CHROME_SOURCE_VARIABLE] == {"Ref": "ChromeSource"}
    assert template["Parameters"]["ChromeSource"]["AllowedValues"] == list(CHROME_SOURCES)
    assert told[usage.STORAGE_VARIABLE] == str(function["EphemeralStorage"]["Size"])
    assert told[storage.BUCKET_VARIABLE] == {"Ref": "RenderBucket"}
    reserved = {"Fn::If": ["HasReservation", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]}
    assert told[events.PLACES_VARIABLE] == function["ReservedConcurrentExecutions"] == reserved


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("ProjectName", "hyperframes"),
        ("LambdaMemoryMb", 10240),
        ("LambdaTimeoutSec", 900),
        ("ReservedConcurrency", -1),
        ("ChromeSource", "sparticuz"),
        ("ChunkInvocationAlarmThreshold", 1000),
        ("RenderTimeoutSec", 21600),
    ],
)
def test_the_references_parameters_are_there_and_every_one_is_described(name: str, default: object) -> None:
    """With its defaults."""
    parameters = written()["Parameters"]
    assert parameters[name]["Default"] == default
    assert all(each["Description"].endswith(".") for each in parameters.values())


def test_a_reservation_of_nothing_is_refused_before_anything_is_deployed(template: dict[str, Any]) -> None:
    """It would switch the function off: CloudFormation says so by the rule."""
    ((assertion,),) = (rule["Assertions"] for rule in template["Rules"].values())
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReservedConcurrency"}, 0]}]}
    assert "switch the function off" in assertion["AssertDescription"]


def test_the_outputs_have_the_references_names(template: dict[str, Any]) -> None:
    """What its client asks the stack for."""
    assert {"RenderBucketName", "RenderStateMachineArn", "RenderFunctionArn"} <= set(template["Outputs"])


def test_the_definitions_placeholders_are_those_that_are_filled(template: dict[str, Any]) -> None:
    """One that is left out would be deployed as text."""
    machine = _of(template, "RenderStateMachine")
    assert set(machine["DefinitionSubstitutions"]) == set(re.findall(r"\$\{(\w+)\}", FILE.read_text()))
    assert machine["StateMachineType"] == "STANDARD"
    definition = Path(TEMPLATE.parent / written()["Resources"]["RenderStateMachine"]["Properties"]["DefinitionUri"])
    assert definition == FILE


NAMES = ("FunctionName", "RoleName", "BucketName", "AlarmName", "TopicName", "StateMachineName", "LogGroupName", "Name")


def test_two_stacks_in_one_account_do_not_meet(template: dict[str, Any]) -> None:
    """CloudFormation names everything; the one name that is written bears the stack's. Rules and roles too."""
    named = {
        (logical, field): each["Properties"][field]
        for logical, each in template["Resources"].items()
        for field in NAMES
        if field in each.get("Properties", {})
    }
    assert list(named) == [("RenderStateMachineLogs", "LogGroupName")]
    assert "${AWS::StackName}" in named["RenderStateMachineLogs", "LogGroupName"]["Fn::Sub"]
    assert not any("Export" in output for output in template["Outputs"].values())


@pytest.mark.parametrize(
    ("alarm", "metric", "of"),
    [
        ("RunawayAlarm", "Invocations", "FunctionName"),
        ("FunctionErrorAlarm", "Errors", "FunctionName"),
        ("ThrottleAlarm", "Throttles", "FunctionName"),
        ("FailedRenderAlarm", "ExecutionsFailed", "StateMachineArn"),
        ("TimedOutRenderAlarm", "ExecutionsTimedOut", "StateMachineArn"),
    ],
)
def test_there_is_an_alarm_for(template: dict[str, Any], alarm: str, metric: str, of: str) -> None:
    """About this stack's function or machine; silent when there is nothing to count."""
    found = _of(template, alarm)
    resource = "RenderFunction" if of == "FunctionName" else "RenderStateMachine"
    assert (found["MetricName"], found["TreatMissingData"]) == (metric, "notBreaching")
    assert found["Dimensions"] == [{"Name": of, "Value": {"Ref": resource}}]


def test_ended_renders_are_told(template: dict[str, Any]) -> None:
    """Every way a render may end, of this machine alone, to the topic and to the target if they are asked for."""
    rule = _of(template, "RenderEnded")
    assert rule["EventPattern"]["detail"] == {
        "stateMachineArn": [{"Ref": "RenderStateMachine"}],
        "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
    }
    assert [target["Fn::If"][0] for target in rule["Targets"]] == ["HasTopic", "HasTarget"]


def test_logs_do_not_pile_up(template: dict[str, Any]) -> None:
    """Each log group has a retention."""
    groups = [each for each in template["Resources"].values() if each["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 2
    assert all(each["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for each in groups)
