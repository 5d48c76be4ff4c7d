"""What a command that renders begins with: workers, and Prefect, which is imported meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from flows.cli.reporting import plain
from tasks.invoke import Invoker, invoker, invoking

if TYPE_CHECKING:
    from tasks.stack import Stack


@contextmanager
def ready_workers(stack: Stack) -> Iterator[Invoker]:
    """The stack's invoker, its workers begun: the sooner, the more is done when Prefect is imported."""
    with invoking(stack):
        workers = invoker(stack)
        workers.make_ready()
        yield workers


@contextmanager
def prefect_api(console: Console) -> Iterator[str]:
    """Runs flows against the API that there is, and says which; gives the address of its UI."""
    # Importing makes a lot and throws little away: it is looked for later, and not among the modules.
    gc.disable()
    from flows.prefect_server import connected, ensure_api  # noqa: PLC0415 - prefect takes 2 s to import

    with console.status("Looking for Prefect…"):
        api = ensure_api()
    if api.notice:
        console.print(f"[yellow]notice[/yellow]  {plain(api.notice)}")
    console.print(f"Prefect UI  {api.ui_url}" + ("  (started in the background)" if api.started else ""))
    with connected(api.api_url, quiet=True):
        import flows.render  # noqa: F401, PLC0415 - after the API is known

        gc.freeze()
        gc.enable()
        yield api.ui_url
