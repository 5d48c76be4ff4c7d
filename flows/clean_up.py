"""The clean-up flow: render folders that nobody has written to for long are deleted. Videos stay."""

# Annotations as they are, not as text: see flows/render.py.
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, Field

from lambda_handler import storage
from lambda_handler.render_folder import RenderFolder
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
    with place.storage():
        there = storage.objects(place.renders)
        newest: dict[str, datetime] = {}
        for name, stored in there.items():
            folder = name.partition("/")[0]
            newest[folder] = max(stored.written, newest.get(folder, stored.written))
        old = [folder for folder, when in sorted(newest.items()) if when < before]
        found: list[dict[str, Any]] = []
        for folder in old:
            uri = storage.join(place.renders, folder)
            names = [name for name in there if name.startswith(f"{folder}/")]
            video = _video(RenderFolder(uri))
            doomed = [name for name in names if storage.join(place.renders, name) != video]
            for name in () if dry_run else doomed:
                storage.delete(storage.join(place.renders, name))
            if place.kind == "local" and not dry_run:
                _remove_empty(storage.local_path(uri))
            size = sum(there[name].size for name in doomed)
            found.append(
                {"folder": uri, "written": f"{newest[folder]:%Y-%m-%d %H:%M}", "objects": len(doomed), "bytes": size}
            )
    told = "would be deleted" if dry_run else "deleted"
    create_table_artifact(
        found,
        key="clean-up",
        description=f"{len(found)} render folders {told}",
    )
    get_run_logger().info("%d render folders %s, %d kept", len(found), told, len(newest) - len(found))
    return CleanedUp(
        folders=tuple(row["folder"] for row in found),
        objects=sum(row["objects"] for row in found),
        size_bytes=sum(row["bytes"] for row in found),
        kept=len(newest) - len(found),
    )


def _video(folder: RenderFolder) -> str | None:
    """Where the render's video is: it may lie inside its folder."""
    try:
        uri: str = json.loads(storage.read(folder.report))["outputUri"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return uri


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if not any(folder.iterdir()):
        folder.rmdir()
