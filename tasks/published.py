"""The finished video as an asset of Prefect's, made from its project; and a link to it that a browser can open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.types.names import validate_valid_asset_key

from tasks.stack import LocalStack, Stack

LINK_SECONDS = 7 * 24 * 3600
"""The longest that a presigned URL may live (Amazon S3, "Download and upload objects with presigned URLs")."""


@materialize(
    "hyperframes://video",  # replaced by the video's own URI: with_options, below
    by="prefect-hyperframes",
    name="publish",
    task_run_name="publish {asset.properties.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def _published(asset: Asset, facts: Mapping[str, Any]) -> None:
    asset.add_metadata(dict(facts))


def publish_asset(name: str, report: Mapping[str, Any], project: str) -> None:
    """Tells Prefect that the video was made, and that it depends on `project` (URI)."""
    if not (is_asset_key(report["outputUri"]) and is_asset_key(project)):
        get_run_logger().info("No asset: Prefect takes no spaces and none of %?#&\"' in an asset's URI")
        return
    asset = Asset(key=report["outputUri"], properties={"name": name})
    facts = {key: report[key] for key in ("frames", "durationSeconds", "sizeBytes", "width", "height", "fps", "sha256")}
    _published.with_options(assets=[asset], asset_deps=[project])(asset, facts)


def is_asset_key(uri: str) -> bool:
    """Whether Prefect takes the URI as an asset's key."""
    try:
        validate_valid_asset_key(uri)
    except ValueError:
        return False
    return True


def link_to(uri: str, stack: Stack) -> str | None:
    """A link to the video that works for a week, or until the credentials that made it expire; None for a file."""
    if isinstance(stack, LocalStack):
        return None
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    link: str = stack.credentials.get_client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=LINK_SECONDS
    )
    return link
