"""The account's places for renders: one Prefect limit that batches, schedules and single runs queue for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound

from tasks.logs import run_logger

LEASE_SECONDS = 60
"""The shortest that Prefect gives: after so long the place of a holder that was killed is free."""
LOOK_SECONDS = 2.0
RENDERS = "hyperframes-renders"
"""Name of the global concurrency limit; `deployments/register.py` creates it."""


@contextmanager
def admitted(check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds one place for a render, waiting until one is free. Where there is no such limit, nobody waits.

    Raises what `check` does, which is asked while it waits. Taken once for a render, never for a chunk: each
    acquisition costs 0.2 s, one after another. A place whose holder was killed is free again after a minute or two.
    """
    with ExitStack() as holding:
        limit, told = _limit(), False
        while limit is not None and limit.active:
            if limit.active_slots < limit.limit and _taken(holding):
                break
            if not told:
                run_logger().info("All %d places for renders are taken; waiting for one", limit.limit)
                told = True
            check()
            time.sleep(LOOK_SECONDS)
            with suppress(httpx.HTTPError):  # Prefect is asked again, as for all else that it is told
                limit = _limit()
        yield


def _limit() -> GlobalConcurrencyLimitResponse | None:
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        return client.read_global_concurrency_limit_by_name(RENDERS)
    return None


def _taken(holding: ExitStack) -> bool:
    """Whether the place that was free could be had. Prefect's own waiting would hear of nothing meanwhile."""
    try:
        holding.enter_context(concurrency(RENDERS, lease_duration=LEASE_SECONDS, max_retries=0))
    except ConcurrencySlotAcquisitionError as error:
        refused = error.__cause__
        if isinstance(refused, httpx.HTTPStatusError) and refused.response.status_code == httpx.codes.LOCKED:
            return False
        raise
    return True
