"""Invoking the handler: one method, whoever runs it, and one invoker for each stack of this process.

Nothing of Prefect's or AWS's is imported for this machine: the command line has its workers begin meanwhile.
"""

from __future__ import annotations

import atexit
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from lambda_handler.render_folder import RenderFolder
from tasks.local_stack import LocalStack
from tasks.local_workers import LocalWorkers

if TYPE_CHECKING:
    from tasks.stack import Stack


class Invoker(Protocol):
    """Something that plays the handler's roles."""

    def make_ready(self) -> None:
        """Begins what the first role would have to wait for."""
        ...

    def begin(self, event: Mapping[str, Any]) -> None:
        """Has the role played from now on, where that costs nothing: `invoke` gives its answer."""
        ...

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The handler's result. Raises the RenderError that it reported."""
        ...

    def asked(self, folder: RenderFolder) -> dict[int, float]:
        """The chunks of a render that may be hedged, and when each was asked for (time.monotonic)."""
        ...

    def hedge(self, event: Mapping[str, Any]) -> bool:
        """Has the role that is being played for `event` played a second time; says whether it is."""
        ...

    def abandon(self, folder: RenderFolder) -> None:
        """Stops waiting for the answers about a cancelled render: who waits gets RenderCancelled."""
        ...

    def close(self) -> None:
        """Ends what it started. Who waits for an answer gets a RenderError."""
        ...


_open: dict[Stack, Invoker] = {}
_users: Counter[Stack] = Counter()
_opening = threading.Lock()


def invoker(stack: Stack) -> Invoker:
    """The invoker of `stack` in this process; tasks share it."""
    with _opening:
        if stack not in _open:
            _open[stack] = _made(stack)
        return _open[stack]


def _made(stack: Stack) -> Invoker:
    if isinstance(stack, LocalStack):
        return LocalWorkers(stack)
    from tasks.lambda_function import LambdaFunction  # noqa: PLC0415 - see above

    return LambdaFunction(stack)


@atexit.register
def _close_all() -> None:
    """For processes without a flow of their own, as a Dask worker is: what tasks opened there ends with them."""
    while _open:
        _open.popitem()[1].close()


@contextmanager
def invoking(stack: Stack) -> Iterator[None]:
    """Ends what `invoker(stack)` started, when the last flow that uses it is over."""
    with _opening:
        _users[stack] += 1
    try:
        yield
    finally:
        with _opening:
            _users[stack] -= 1
            last = not _users[stack]
            invokers = [_open.pop(stack)] if last and stack in _open else []
        for each in invokers:
            each.close()
