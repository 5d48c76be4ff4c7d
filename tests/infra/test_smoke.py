"""What the smoke test compares, and what it says when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from math import isinf
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.models import cloudformation_backends

from infra import smoke, stacks
from infra.compare import compare
from infra.smoke import BASELINE, DEPLOY, RENDER, TEAR_DOWN, StageFailed, ran
from infra.stacks import Stack, deployed_stack
from lambda_handler import toolchain
from lambda_handler.toolchain import CHECKOUT


def _video(path: Path, source: str) -> Path:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, "-crf", "0", "-y", str(path)], check=True)
    return path


def test_frames_are_compared_one_by_one(tmp_path: Path) -> None:
    """Equal videos have no noise; one that differs in a part of its frames is told by how many."""
    one = _video(tmp_path / "one.mp4", "testsrc=size=64x64:rate=10:duration=1")
    same = _video(tmp_path / "same.mp4", "testsrc=size=64x64:rate=10:duration=1")
    likeness = compare(same, one)
    assert isinf(likeness.psnr)
    assert (likeness.identical, likeness.frames, likeness.same_frames) == (10, 10, True)
    marked = "testsrc=size=64x64:rate=10:duration=1,drawbox=x=8:y=8:w=8:h=8:color=red:t=fill:enable='gte(n,7)'"
    other = compare(_video(tmp_path / "other.mp4", marked), one)
    assert (other.identical, other.frames, other.same_frames) == (7, 10, False)
    assert 10 < other.psnr < 40
    shorter = compare(_video(tmp_path / "short.mp4", "testsrc=size=64x64:rate=10:duration=0.8"), one)
    assert (shorter.identical, shorter.frames, shorter.same_frames) == (8, 10, False)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--chunk-counts", "two"], 2, "--chunk-counts"),
        (["--local", "--function", "nothing.zip"], smoke.DEPLOY, "make artifact-local"),
    ],
)
def test_each_stage_has_an_exit_status_of_its_own(
    tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    command = [sys.executable, "-m", "infra.smoke", *arguments, "--work", str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    if status == smoke.DEPLOY:
        (results,) = tmp_path.rglob("results.json")
        assert json.loads(results.read_text())["failures"][0]["code"] == status, "written all the same"


BUCKET = "smoke-renderbucket"


class Sam:
    """In the place of SAM's command line: it makes and deletes a stack as small as can be, unless it is to fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.said: list[str] = []

    def __call__(self, verb: str, *_rest: str) -> None:
        self.said.append(verb)
        formation = boto3.client("cloudformation")
        if verb == "deploy":
            machine = {"Value": "arn:aws:states:us-east-1:123456789012:stateMachine:x"}
            template = {
                "Resources": {
                    "RenderBucket": {
                        "Type": "AWS::S3::Bucket",
                        "DeletionPolicy": "Retain",
                        "Properties": {"BucketName": BUCKET},
                    }
                },
                "Outputs": {"RenderBucketName": {"Value": {"Ref": "RenderBucket"}}, "RenderStateMachineArn": machine},
            }
            formation.create_stack(StackName="smoke", TemplateBody=json.dumps(template))
        if verb in self.failing:
            raise subprocess.CalledProcessError(1, ["sam", verb])
        if verb == "delete":
            formation.delete_stack(StackName="smoke")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty one."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


def _there() -> list[str]:
    """The stacks and buckets that are left."""
    there = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
    left = boto3.client("cloudformation").list_stacks(StackStatusFilter=list(there))["StackSummaries"]
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    return [*(each["StackName"] for each in left), *(each["Name"] for each in buckets)]


def _rendered(stack: Stack) -> None:
    boto3.client("s3").put_object(Bucket=stack.bucket, Key="output/video.mp4", Body=b"x")


def _failed(stack: Stack) -> None:
    _rendered(stack)
    raise StageFailed(BASELINE, "it broke")


def _broken(stack: Stack) -> None:
    _rendered(stack)
    raise ConnectionError("no network")


@pytest.mark.parametrize(
    ("failing", "work", "codes", "left"),
    [
        ((), _rendered, [], []),
        ((), _failed, [BASELINE], []),
        ((), _broken, [RENDER], []),
        (("deploy",), _rendered, [DEPLOY], []),
        (("delete",), _rendered, [TEAR_DOWN], ["smoke", BUCKET]),
        (("delete",), _failed, [BASELINE, TEAR_DOWN], ["smoke", BUCKET]),
        (("deploy", "delete"), _rendered, [DEPLOY, TEAR_DOWN], ["smoke", BUCKET]),
    ],
)
def test_whatever_fails_the_stack_and_its_bucket_go(
    account: None, failing: tuple[str, ...], work: Any, codes: list[int], left: list[str]
) -> None:
    """And what cannot be taken away has an exit status of its own."""
    assert [each.code for each in ran(deployed_stack("smoke", sam=Sam(*failing)), work)] == codes
    assert _there() == left


def test_a_stack_that_is_there_is_let_alone(account: None) -> None:
    """It may be somebody's; whoever keeps it may bring it up to date."""
    sam = Sam()
    sam("deploy")
    (failure,) = ran(deployed_stack("smoke", sam=sam), _rendered)
    assert (failure.code, sam.said) == (DEPLOY, ["deploy"])
    assert "--stack-name" in str(failure)
    assert _there() == ["smoke", BUCKET]


def test_what_an_earlier_attempt_left_is_taken_away_first(account: None) -> None:
    """CloudFormation does not deploy over a stack that was rolled back."""
    sam = Sam()
    sam("deploy")
    (stack,) = cloudformation_backends["123456789012"]["us-east-1"].stacks.values()
    stack.status = stacks.NEVER_DEPLOYED[0]
    assert ran(deployed_stack("smoke", sam=sam, keep=False), _rendered) == []
    assert sam.said == ["deploy", "delete", "deploy", "delete"]
    assert _there() == []
