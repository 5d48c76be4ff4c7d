"""This machine as a place where renders run. Imports nothing of Prefect's: the command line starts with it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lambda_handler import storage


def default_root() -> Path:
    """Where local renders keep their folders: HYPERFRAMES_ROOT, else the user's data folder."""
    chosen = os.environ.get("HYPERFRAMES_ROOT")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(chosen) if chosen else data / "prefect-hyperframes"


class LocalStack(BaseModel):
    """This machine: render folders below `root`, and as many worker processes as there are cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["local"] = Field("local", title="Kind", description="This machine; leave it as it is.")
    root: Path = Field(default_factory=default_root, title="Root", description="Folder that holds the renders.")
    processes: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        le=64,
        title="Processes",
        description="Worker processes; each renders one chunk at a time.",
    )
    allowed: tuple[Path, ...] = Field(
        (), title="Allowed folders", description="Folders beside the root where projects and videos may lie."
    )

    @property
    def roots(self) -> tuple[Path, ...]:
        """All folders that workers may touch."""
        return (self.root, *self.allowed)

    @property
    def renders(self) -> str:
        """The URI below which render folders lie."""
        return storage.file_uri(self.root / "renders")

    @property
    def concurrency(self) -> int:
        """How many chunks are rendered at once."""
        return self.processes

    def storage(self) -> AbstractContextManager[None]:
        """Lets this process read and write below the roots for a while."""
        return storage.allowing(self.roots)
