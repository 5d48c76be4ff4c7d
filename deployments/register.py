"""Tells the Prefect API what renders need of it: `python -m deployments.register`. Doing it again changes nothing.

Block types, the global concurrency limit that all renders queue for, and the automations.
"""

from __future__ import annotations

import argparse
import os

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.exceptions import ObjectNotFound
from prefect_aws import AwsCredentials

from deployments.automations import save_automations
from tasks.admission import RENDERS
from tasks.completion import CompletionWebhook
from tasks.render_stack import RenderStack
from tasks.state_machine import StateMachine

BLOCKS: tuple[type[Block], ...] = (AwsCredentials, RenderStack, StateMachine, CompletionWebhook)


def register(renders: int | None = None) -> list[str]:
    """Saves block types, limit and automations; returns a line about each.

    `renders` may run at once; left out, the limit stays, or begins with half of this machine's cores.
    """
    for block in BLOCKS:
        block.register_type_and_schema()
    told = [f"block type {block.get_block_type_slug()}" for block in BLOCKS]
    with get_client(sync_client=True) as client:
        told.append(f"limit {RENDERS}: {_limited(client, renders)} renders at once")
    return told + [f"automation {name}" for name in save_automations()]


def _limited(client: SyncPrefectClient, renders: int | None) -> int:
    try:
        there = client.read_global_concurrency_limit_by_name(RENDERS)
    except ObjectNotFound:
        first = renders or max(1, len(os.sched_getaffinity(0)) // 2)
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=RENDERS, limit=first, active=True))
        return first
    if renders and renders != there.limit:
        client.update_global_concurrency_limit(RENDERS, GlobalConcurrencyLimitUpdate(limit=renders))
    return renders or there.limit


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m deployments.register", description=__doc__)
    parser.add_argument("--renders", type=int, help="Renders of the whole account that may run at once.")
    for line in register(parser.parse_args().renders):
        print(line)


if __name__ == "__main__":
    main()
