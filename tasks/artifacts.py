"""What a producer sees in the Prefect UI while a render runs, and when it is over."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from lambda_handler import storage
from lambda_handler.events import RenderChunkResult
from lambda_handler.manifest import Manifest
from lambda_handler.progress import Pace
from lambda_handler.render_folder import RenderFolder


class ProgressArtifact:
    """One progress bar in the UI, updated as frames are done."""

    def __init__(self) -> None:
        self._id: UUID | None = None
        self._shown: tuple[float, str] | None = None

    def show(self, pace: Pace) -> None:
        """Shows the pace; what is shown already costs no call."""
        percent = round(100 * pace.fraction, 1)
        told = describe(pace)
        if (percent, told) == self._shown:
            return
        self._shown = (percent, told)
        if self._id is None:
            created = create_progress_artifact(percent, key="render-progress", description=told)
            self._id = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(self._id, percent, description=told)


def describe(pace: Pace) -> str:
    """The pace in words: frames, frames per second, time left."""
    left = f", about {pace.seconds_left:.0f} s left" if pace.seconds_left and pace.done < pace.total else ""
    speed = f", {pace.per_second:.1f} frames/s" if pace.per_second else ""
    return f"{pace.done} of {pace.total} frames{speed}{left}"


def chunk_table(manifest: Manifest, results: Sequence[RenderChunkResult]) -> list[dict[str, Any]]:
    """A row for each chunk: its frames, how it was had, its time and its place."""
    return [
        {
            "chunk": result.chunk_index,
            "frames": f"{manifest.chunk(result.chunk_index).start}–{manifest.chunk(result.chunk_index).end - 1}",
            "captured": result.frames_captured,
            "found": "yes" if not result.frames_captured else "",
            "seconds": round(result.duration_ms / 1000, 1),
            "where": result.chunk_s3_uri,
        }
        for result in sorted(results, key=lambda result: result.chunk_index)
    ]


def publish_chunks(manifest: Manifest, results: Sequence[RenderChunkResult]) -> None:
    """Puts the chunk table into the UI."""
    create_table_artifact(chunk_table(manifest, results), key="chunks", description="Chunks of the render")


def publish_report(name: str, report: Mapping[str, Any], seconds: float) -> None:
    """Puts the verified facts about the video into the UI."""
    warnings = "".join(f"\n- {warning}" for warning in report["warnings"]) or "\n- none"
    create_markdown_artifact(
        f"# {name}\n\n"
        f"| | |\n|---|---|\n"
        f"| video | `{report['outputUri']}` |\n"
        f"| picture | {report['width']} × {report['height']} px, {report['fps']} frames/s |\n"
        f"| length | {report['durationSeconds']:g} s, {report['frames']} frames |\n"
        f"| size | {report['sizeBytes'] / 1e6:.2f} MB |\n"
        f"| chunks | {len(report['chunks'])}, {report['seamsChecked']} seams checked |\n"
        f"| time taken | {seconds:.1f} s |\n"
        f"| sha256 | `{report['sha256']}` |\n\n"
        f"Warnings:{warnings}\n",
        key="render-report",
        description=f"{name}: verified",
    )


def publish_stills(name: str, folder: RenderFolder) -> None:
    """Puts the poster and the contact sheet into the UI, inside the artifacts: links to storage would expire."""
    for key, uri, told in (
        ("poster", folder.poster, "poster"),
        ("contact-sheet", folder.contact_sheet, "contact sheet"),
    ):
        if not storage.exists(uri):
            continue
        image = base64.b64encode(storage.read(uri)).decode()
        create_image_artifact(f"data:image/jpeg;base64,{image}", key=key, description=f"{name}: {told}")
