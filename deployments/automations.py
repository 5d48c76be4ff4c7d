"""Automations as code: runs whose process is gone become Crashed, and a failed render is told to somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect.automations import Automation
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

from tasks.completion import FAILED

FLOWS = ["render", "render-native", "resume", "render-batch"]
HEARTBEAT = "prefect.flow-run.heartbeat"
SILENT = timedelta(minutes=9)
"""Three heartbeats of Prefect's default of three minutes: one late heartbeat is no death."""


def gone() -> Automation:
    """Marks a run Crashed whose process has not been heard of for nine minutes."""
    endings = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    return Automation(
        name="hyperframes: crashed renders",
        description="A render whose process is gone is marked Crashed, so that it holds no place of a deployment.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": FLOWS},
            after={HEARTBEAT},
            expect={HEARTBEAT, *endings},
            for_each={"prefect.resource.id"},
            threshold=1,
            within=SILENT,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message="The run's process has not been heard of for nine minutes. Render again to go on.",
            )
        ],
    )


def told(block: Block) -> Automation:
    """Tells a failed render through a notification block, as slack-webhook."""
    document = block._block_document_id
    assert document is not None  # noqa: S101 - it was loaded
    return Automation(
        name="hyperframes: failed renders are told",
        description="One message for each render that failed.",
        trigger=EventTrigger(expect={FAILED}, threshold=1),
        actions=[
            SendNotification(
                block_document_id=document,
                subject="A render failed: {{ event.payload.name }}",
                body="{{ event.payload.error }}\n\n{{ event.payload.resolution }}\n\n{{ event.payload.folder }}",
            )
        ],
    )


def save_automations(notify: str | None = None) -> list[str]:
    """Saves the automations; `notify` is a notification block, TYPE/NAME. One that was switched off stays so."""
    automations = [gone()]
    if notify:
        block: Any = Block.load(notify)
        automations.append(told(block))
    with get_client(sync_client=True) as client:
        for automation in automations:
            earlier = client.read_automations_by_name(automation.name)
            if earlier:
                automation.id, automation.enabled = earlier[0].id, earlier[0].enabled
                automation.update()
            else:
                automation.create()
    return [automation.name for automation in automations]
