"""The account's places for renders: one Prefect limit that batches, schedules and single runs queue for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound

LEASE_SECONDS = 60
"""The shortest that Prefect gives: after so long the place of a holder that was killed is free."""
RENDERS = "hyperframes-renders"
"""Name of the global concurrency limit; `deployments/register.py` creates it."""


@contextmanager
def admitted() -> Iterator[None]:
    """Holds one place for a render, waiting until one is free. Where there is no such limit, nobody waits.

    Taken once for a render, never for a chunk: each acquisition costs 0.2 s, one after another. A place whose holder
    was killed is free again after a minute or two.
    """
    with get_client(sync_client=True) as client:
        try:
            limit = client.read_global_concurrency_limit_by_name(RENDERS)
        except ObjectNotFound:
            limit = None
    if limit is None or not limit.active:
        yield
        return
    if limit.active_slots >= limit.limit:
        get_run_logger().info("All %d places for renders are taken; waiting for one", limit.limit)
    with concurrency(RENDERS, lease_duration=LEASE_SECONDS):
        yield
