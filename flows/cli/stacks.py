"""Which stack a command is about: one that was saved in Prefect, or this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.status import find
from lambda_handler import storage
from lambda_handler.render_folder import RenderFolder
from tasks.local_stack import LocalStack, default_root

if TYPE_CHECKING:
    from tasks.stack import Stack

Root = Annotated[Path | None, typer.Option(help="Where render folders are kept on this machine.")]
StackName = Annotated[str | None, typer.Option("--stack", help="Name of a RenderStack block; this machine.")]


@contextmanager
def chosen(stack: str | None, root: Path | None) -> Iterator[Stack]:
    """The named stack, and leave to look into its storage. Raises StackNotFound, PrefectServerFailed."""
    place: Stack = LocalStack(root=(root or default_root()).absolute()) if stack is None else _saved(stack)
    with place.storage():
        yield place


@contextmanager
def folder_of(render: str, place: Stack) -> Iterator[RenderFolder]:
    """The folder of `render` (see `find`) on that stack, and leave to look into it. Raises RenderNotFound."""
    folder = find(render, place.renders)
    # Who names a folder of this machine may look into it: nothing but the render's own objects is touched.
    roots = [storage.path_of(folder.prefix)] if folder.prefix.startswith("file:") else []
    with storage.allowing(roots):
        yield folder


def _saved(name: str) -> Stack:
    from flows.prefect_server import connected, ensure_api  # noqa: PLC0415 - prefect takes 2 s to import

    with connected(ensure_api().api_url, quiet=True):
        from tasks.stack import load_stack  # noqa: PLC0415 - see above

        return load_stack(name)
