"""How a render ended, told once: as an event of Prefect's, and to a webhook where one is set.

Hooks tell it, since a run that is cancelled or has crashed has no flow left to do so: Prefect calls them in whatever
process is at hand, maybe twice. So the event's id follows from the flow run's and its attempt's, and the first to leave
a mark in the render folder is the one who tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from pydantic import ConfigDict, Field, SecretStr, field_validator

from lambda_handler import storage
from lambda_handler.errors import RenderError
from lambda_handler.render_folder import RenderFolder
from tasks.logs import run_logger
from tasks.webhook import DeliveryFailed, checked, deliver, key_of

COMPLETED, FAILED, CANCELLED = (f"hyperframes.render.{how}" for how in ("completed", "failed", "cancelled"))
IDS = UUID("6f0c3c1e-0a55-5d0f-9b53-6f3f3c6f7a10")
"""The namespace of the events' ids: chosen once, at random."""
URL_VARIABLE = "HYPERFRAMES_WEBHOOK_URL"
SECRET_VARIABLE = "HYPERFRAMES_WEBHOOK_SECRET"  # noqa: S105 - its name
BLOCK = "renders"


class CompletionWebhook(Block):
    """
    Where the end of each render is told: an HTTPS address, and the secret that signs what is sent to it.

    Example:
        Have the end of every render of the account told:
        ```python
        from tasks.completion import CompletionWebhook

        webhook = CompletionWebhook.load("BLOCK_NAME")
        ```
    """

    # What a refused address holds is nobody's business: it may be a token.
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    _block_type_name = "Completion Webhook"
    _block_type_slug = "completion-webhook"
    _description = "Where the end of each render is told; the block named renders is the one that is used."

    url: SecretStr = Field(title="URL", description="An https:// address on the internet; it may hold a token.")
    secret: SecretStr | None = Field(
        None, title="Secret", description="Signs what is sent (HMAC-SHA256), as standardwebhooks.com says."
    )

    @field_validator("url")
    @classmethod
    def _may_be_called(cls, url: SecretStr) -> SecretStr:
        try:
            checked(url.get_secret_value())
        except RenderError as error:
            raise ValueError(error.summary) from error
        return url

    @field_validator("secret")
    @classmethod
    def _signs(cls, secret: SecretStr | None) -> SecretStr | None:
        try:
            key_of(secret.get_secret_value() if secret else "")
        except RenderError as error:
            raise ValueError(error.summary) from error
        return secret


def attempt_of(flow_run: FlowRun) -> str:
    """What tells one attempt of a flow run from the others: its id, and which one it is where it was retried."""
    return str(flow_run.id) + (f"-r{flow_run.run_count}" if flow_run.run_count > 1 else "")


def event_id(flow_run: FlowRun) -> UUID:
    """The id of the event about the end of a flow run's attempt: the same whoever tells it, in whatever process."""
    return uuid5(IDS, attempt_of(flow_run))


def tell(kind: str, flow_run: FlowRun, folder: RenderFolder | None, payload: Mapping[str, Any]) -> bool:
    """Tells the end of a render, unless somebody has; says whether it did.

    `folder` is where the mark is left; without one the id is all that makes two of them one.
    """
    event = event_id(flow_run)
    body = {"id": str(event), "type": kind, "flowRun": str(flow_run.id), **payload}
    if folder is not None and not _first(folder.ending(attempt_of(flow_run)), body):
        return False
    emit_event(
        event=kind,
        id=event,
        resource={
            "prefect.resource.id": f"hyperframes.render.{flow_run.id}",
            "prefect.resource.name": str(payload.get("name", "")),
        },
        related=[{"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.role": "flow-run"}],
        payload=body,
    )
    _call(body)
    return True


def _first(mark: str, body: Mapping[str, Any]) -> bool:
    try:
        return storage.create(mark, json.dumps(body).encode())
    except RenderError:  # better told twice, under one id, than never
        return True


def _call(body: Mapping[str, Any]) -> None:
    """A webhook that cannot be reached, for whatever reason, is told in the log, and fails no render."""
    try:
        if target := _target():
            url, secret = target
            deliver(url, str(body["id"]), json.dumps(body).encode(), secret=secret)
    except (DeliveryFailed, RenderError) as error:
        run_logger().error("The end of the render was not told to the webhook: %s", str(error).splitlines()[0])
    except Exception as error:
        # Its text may hold the address, and with it a token.
        run_logger().error("The end of the render was not told to the webhook: %s", type(error).__name__)


def _target() -> tuple[str, str | None] | None:
    if url := os.environ.get(URL_VARIABLE):
        return url, os.environ.get(SECRET_VARIABLE)
    try:
        block: Any = CompletionWebhook.load(BLOCK)
    except ValueError:
        return None
    return block.url.get_secret_value(), block.secret.get_secret_value() if block.secret else None
