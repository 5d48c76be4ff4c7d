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
from lambda_handler.errors import RenderError
from lambda_handler.events import RenderChunkResult
from lambda_handler.manifest import Manifest
from lambda_handler.progress import Pace
from lambda_handler.render_folder import RenderFolder
from tasks import reports
from tasks.reports import Missing


class ProgressArtifact:
    """One progress bar in the UI, updated as work is done."""

    def __init__(self, key: str = "render-progress") -> None:
        self._key = key
        self._id: UUID | None = None
        self._shown: tuple[float, str] | None = None

    def show(self, fraction: float, told: str) -> None:
        """Shows how much is done, between 0 and 1, and says it in words; what is shown already costs no call."""
        percent = round(100 * fraction, 1)
        if (percent, told) == self._shown:
            return
        self._shown = (percent, told)
        if self._id is None:
            created = create_progress_artifact(percent, key=self._key, description=told)
            self._id = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(self._id, percent, description=told)


def describe(pace: Pace, chunks: tuple[int, int] | None = None, usd: float | None = None) -> str:
    """The pace in words: frames, frames per second, time left; chunks done of all; what it has cost in Lambda."""
    left = f", about {pace.seconds_left:.0f} s left" if pace.seconds_left and pace.done < pace.total else ""
    speed = f", {pace.per_second:.1f} frames/s" if pace.per_second else ""
    done = f"; {chunks[0]} of {chunks[1]} chunks" if chunks else ""
    spent = f"; {usd:.4f} USD so far" if usd is not None else ""
    return f"{pace.done} of {pace.total} frames{speed}{left}{done}{spent}"


def chunk_table(
    manifest: Manifest, results: Sequence[RenderChunkResult], attempts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """A row for each chunk: its frames, how it was had, in how many attempts, its time and its place.

    `attempts` by chunk index.
    """
    return [
        {
            "chunk": result.chunk_index,
            "frames": f"{manifest.chunk(result.chunk_index).start}–{manifest.chunk(result.chunk_index).end - 1}",
            "captured": result.frames_captured,
            "cached": "" if result.frames_captured else "yes",
            "seconds": round(result.duration_ms / 1000, 1),
            "attempts": attempts.get(result.chunk_index, ""),
            "where": result.chunk_s3_uri.rpartition("/")[2],
        }
        for result in sorted(results, key=lambda result: result.chunk_index)
    ]


def publish_chunks(manifest: Manifest, results: Sequence[RenderChunkResult], attempts: Mapping[int, int]) -> None:
    """Puts the chunk table into the UI."""
    folder = results[0].chunk_s3_uri.rpartition("/")[0] if results else ""
    create_table_artifact(
        chunk_table(manifest, results, attempts), key="chunks", description=f"The chunks of the render, in {folder}"
    )


def publish_report(
    name: str, report: Mapping[str, Any], seconds: float, link: str | None, folder: RenderFolder
) -> None:
    """Puts the verified facts about the video into the UI, a still of it, and a link to it, where there is one."""
    create_markdown_artifact(
        reports.finished(name, report, seconds, link, _picture(folder.poster)),
        key="render-report",
        description=f"{name}: finished, verified",
    )


def publish_failure(name: str, error: RenderError, folder: RenderFolder, missing: Missing | None) -> None:
    """Puts into the UI what failed, which frames are missing, and what to do next."""
    create_markdown_artifact(
        reports.failed(name, error, folder.prefix, missing),
        key="render-failure",
        description=f"{name}: {error.code}",
    )


def publish_rows(done: ProgressArtifact, ended: int, rows: int) -> None:
    """Shows how many rows of a batch have ended."""
    done.show(ended / rows, f"{ended} of {rows} rows have ended")


def publish_batch(name: str, rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Puts a table with a row for each of the batch's into the UI, and a summary.

    A row has row, output, state, frames, size_bytes, seconds, render_folder and error.
    """
    table = [reports.batch_row(row) for row in rows]
    create_table_artifact(table, key="batch-rows", description=f"Rows of the batch {name}")
    create_markdown_artifact(
        reports.batch(name, rows, seconds), key="batch-report", description=reports.batch_in_words(rows)
    )


def publish_stills(name: str, folder: RenderFolder) -> None:
    """Puts the poster and the contact sheet into the UI, inside the artifacts: links to storage would expire."""
    for key, uri, told in (
        ("poster", folder.poster, "poster"),
        ("contact-sheet", folder.contact_sheet, "contact sheet"),
    ):
        if picture := _picture(uri):
            create_image_artifact(picture, key=key, description=f"{name}: {told}")


def _picture(uri: str) -> str | None:
    """The JPEG at `uri` as a data: URL, None where there is none."""
    try:
        return f"data:image/jpeg;base64,{base64.b64encode(storage.read(uri)).decode()}"
    except FileNotFoundError:
        return None
