"""What the worker asks S3 for in a whole render is what its role allows, and all that it allows."""

from __future__ import annotations

import logging
import re
import tarfile
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from cloudformation import ARNS, allowed, statements, translated
from rendering import Render

from lambda_handler import storage, usage
from lambda_handler.memory import LIMIT_VARIABLE

ROLE = "RenderFunctionRole"
# Of an upload in parts that fails halfway; no render here does.
AFTER_A_FAILURE = {"s3:AbortMultipartUpload"}


def _needed(method: str, target: str, bucket: str) -> tuple[str, str]:
    """The action that S3 wants to be allowed for a request, and on what (Service Authorization Reference)."""
    parts = urlsplit(target)
    key = unquote(parts.path).removeprefix(f"/{bucket}").removeprefix("/")
    asked = parse_qs(parts.query, keep_blank_values=True)
    if not key:
        assert method == "GET"
        assert "list-type" in asked
        return "s3:ListBucket", ARNS["RenderBucket"]
    action = {
        "GET": "s3:GetObject",
        "HEAD": "s3:GetObject",
        "PUT": "s3:PutObject",
        "POST": "s3:PutObject",  # begins and ends an upload in parts
        "DELETE": "s3:AbortMultipartUpload" if "uploadId" in asked else "s3:DeleteObject",
    }[method]
    return action, f"{ARNS['RenderBucket']}/{key}"


def test_a_whole_render_asks_s3_for_what_the_role_allows_and_for_all_of_it(
    planned: Render, roots: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the S3 server, request by request; what expires is tagged, and a large file goes up in parts."""
    with tarfile.open(roots / "p.tar.gz", "w:gz") as tar:
        tar.add(roots / "project", ".")
    boto3.client("s3").upload_file(str(roots / "p.tar.gz"), bucket, "projects/p.tar.gz")
    monkeypatch.setenv(storage.EXPIRY_VARIABLE, "hyperframes=intermediate")
    monkeypatch.setenv(LIMIT_VARIABLE, "10240")
    monkeypatch.setenv(usage.STORAGE_VARIABLE, "10240")
    (roots / "large").write_bytes(bytes(12 << 20))
    with caplog.at_level(logging.INFO, logger="werkzeug"):
        caplog.clear()
        render = Render(f"s3://{bucket}/projects/p.tar.gz", f"s3://{bucket}/renders/1", planned.config)
        render.plan()
        render.assemble(render.chunks())
        storage.upload(roots / "large", f"s3://{bucket}/videos/large.mp4")
    requests = re.findall(r'"([A-Z]+) (\S+) HTTP/1\.1"', caplog.text)
    needed = {_needed(method, target, bucket) for method, target in requests}
    tags = boto3.client("s3").get_object_tagging(Bucket=bucket, Key="renders/1/plan/manifest.json")["TagSet"]
    assert tags == [{"Key": "hyperframes", "Value": "intermediate"}]
    needed.add(("s3:PutObjectTagging", f"{ARNS['RenderBucket']}/renders/1/plan/manifest.json"))
    assert any("uploadId" in target for _, target in requests)
    assert len(requests) > 50
    granted = statements(translated(), ROLE)
    assert [call for call in sorted(needed) if not allowed(granted, *call)] == []
    of_s3 = {action for each in granted for action in each.actions if action.startswith("s3:")}
    assert of_s3 - {action for action, _ in needed} == AFTER_A_FAILURE
