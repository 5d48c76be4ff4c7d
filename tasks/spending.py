"""What a render on AWS has cost so far, by what its invocations have left in its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

from lambda_handler import attempts, cost, storage
from lambda_handler.manifest import Manifest
from lambda_handler.render_folder import RenderFolder
from tasks.stack import LocalStack, Stack


def spending(folder: RenderFolder, manifest: Manifest, stack: Stack) -> Callable[[], float | None]:
    """What says how much the render has cost so far, as often as it is asked.

    USD for the attempts that have ended or told of themselves; None on a machine of one's own. State transitions, and
    what cost.LEFT_OUT names, are not in it.
    """
    if isinstance(stack, LocalStack):
        return lambda: None

    @cache
    def prices() -> cost.Prices:
        # Once: with a role to assume, a session is a request to STS.
        known = stack.credentials.region_name or stack.credentials.get_boto3_session().region_name
        return cost.prices_for(known or cost.DEFAULT_REGION)

    def so_far() -> float:
        plans, others = attempts.of_plan(folder, manifest)
        every = [*plans, *others]
        used = cost.Usage(
            succeeded_ms=[attempt.ms for attempt in every if attempt.error is None],
            failed_ms=[attempt.ms for attempt in every if attempt.error is not None],
            memory_mb=stack.memory_mb,
        )
        return cost.cost(used, prices()).total

    return so_far


def attempts_by_chunk(folder: RenderFolder, manifest: Manifest) -> dict[int, int]:
    """How often each chunk of the plan was invoked in Lambda, whoever asked for it; elsewhere nothing."""
    hashed = f"{manifest.plan_hash[: attempts.HASH_DIGITS]}/"
    names = (name.removeprefix(hashed) for name in storage.listing(folder.attempts) if name.startswith(hashed))
    chunks = [name.partition("-")[0] for name in names]
    return dict(Counter(int(chunk) for chunk in chunks if chunk.isdecimal()))
