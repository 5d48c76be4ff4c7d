"""The clean-up flow: render folders that nobody has written to for long are deleted. Videos stay."""

# Annotations as they are, not as text: see flows/render.py.
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, Field

from lambda_handler import storage
from lambda_handler.render_folder import is_part
from lambda_handler.storage import Stored
from tasks.stack import LOCAL, StackOrName, load_stack


class CleanedUp(BaseModel):
    """What was deleted, or would be: render folders, objects in them, bytes; and how many folders were younger."""

    folders: tuple[str, ...]
    objects: int
    size_bytes: int
    kept: int = Field(description="Folders that are younger, or hold a video.")


@flow(name="clean-up", flow_run_name="clean up, older than {older_than_days} days", persist_result=False)
def clean_up(stack: StackOrName = LOCAL, older_than_days: float = 30, dry_run: bool = False) -> CleanedUp:
    """Deletes the folders of renders to which nothing was written for some days. A video is never deleted.

    What was deleted has to be rendered anew when it is asked for again.

    Args:
        stack: Name of a RenderStack block, or local: this machine.
        older_than_days: Days since the last object of a folder was written.
        dry_run: Say what would be deleted, and delete nothing.
    """
    place = load_stack(stack)
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    found: list[dict[str, Any]] = []
    with place.storage():
        folders = _folders(storage.objects(place.renders))
        for folder, there in sorted(folders.items()):
            newest = max(stored.written for stored in there.values())
            doomed = {name: stored for name, stored in there.items() if is_part(name)}
            if newest >= before or not doomed:
                continue
            uri = storage.join(place.renders, folder)
            if not dry_run:
                storage.delete_all(uri, doomed)
                if place.kind == "local":
                    _remove_empty(storage.local_path(uri))
            size = sum(stored.size for stored in doomed.values())
            found.append({"folder": uri, "written": f"{newest:%Y-%m-%d %H:%M}", "objects": len(doomed), "bytes": size})
    told = "would be deleted" if dry_run else "deleted"
    create_table_artifact(
        found,
        key="clean-up",
        description=f"{len(found)} render folders {told}",
    )
    get_run_logger().info("%d render folders %s, %d kept", len(found), told, len(folders) - len(found))
    return CleanedUp(
        folders=tuple(row["folder"] for row in found),
        objects=sum(row["objects"] for row in found),
        size_bytes=sum(row["bytes"] for row in found),
        kept=len(folders) - len(found),
    )


def _folders(objects: Mapping[str, Stored]) -> dict[str, dict[str, Stored]]:
    """The objects of each render folder, by their names in it."""
    folders: dict[str, dict[str, Stored]] = {}
    for path, stored in objects.items():
        folder, _, name = path.partition("/")
        folders.setdefault(folder, {})[name] = stored
    return folders


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if not any(folder.iterdir()):
        folder.rmdir()
