"""The texts of the reports in the UI, as markdown: nothing here asks anybody anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handler.errors import RenderError

MOST_RANGES = 20
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Missing:
    """What a render lacks: ranges of frames, first and last, one for each chunk that is not there."""

    ranges: tuple[tuple[int, int], ...]
    chunks: int

    @property
    def told(self) -> str:
        """The ranges, the first twenty of them."""
        named = ", ".join(f"{first}–{last}" for first, last in self.ranges[:MOST_RANGES])
        more = len(self.ranges) - MOST_RANGES
        return named + (f" and {more} ranges more" if more > 0 else "")


def finished(name: str, report: Mapping[str, Any], seconds: float, link: str | None, picture: str | None) -> str:
    """What was verified about a video; `link` leads to it, `picture` is a still of it: URLs."""
    cost = report.get("cost")
    facts = {
        "Video": f"[{name}]({link})" if link else f"`{report['outputUri']}`",
        "Length": f"{report['durationSeconds']:g} s, {report['frames']} frames at {report['fps']} frames/s",
        "Picture": f"{report['width']} × {report['height']} px, {report['format']}",
        "Sound": "yes" if report["hasAudio"] else "none",
        "Size": f"{report['sizeBytes'] / 1e6:.2f} MB",
        "Checked": f"{_counted(len(report['chunks']), 'chunk')}, {_counted(report['seamsChecked'], 'seam')}",
        "Time taken": f"{seconds:.1f} s",
        "Workers' time": _spent(report.get("profileMs") or {}),
        "Cost": f"{cost['usd']:.4f} USD (estimated: {cost['estimatedUsd']:.4f})" if cost else "",
        "sha256": f"`{report['sha256']}`",
    }
    warnings = "\n".join(f"- {warning}" for warning in report["warnings"])
    stored = f"\nThe link expires; the video stays at `{report['outputUri']}`.\n" if link else ""
    still = f"![{name}]({picture})\n\n" if picture else ""
    return f"# {name}\n\n{still}{_table(facts)}{stored}" + (f"\n## Warnings\n\n{warnings}\n" if warnings else "")


def _spent(profile: Mapping[str, float]) -> str:
    """Where the time of all chunks went, the most first; nothing where no chunk was rendered for this video."""
    spent = sorted(((ms, stage) for stage, ms in profile.items() if ms), reverse=True)
    return ", ".join(f"{stage} {ms / 1000:.1f} s" for ms, stage in spent)


def failed(name: str, error: RenderError, folder: str, missing: Missing | None) -> str:
    """What stopped a render, what it lacks, and what to do next."""
    if missing is None:
        lacks = "Nothing was rendered: there is no plan."
    elif missing.ranges:
        there = missing.chunks - len(missing.ranges)
        lacks = f"{there} of {missing.chunks} chunks are there. Missing: frames {missing.told}."
    else:
        lacks = f"All {missing.chunks} chunks are there; the video was not made of them."
    return (
        f"# {name} was not rendered\n\n"
        f"**{error.code}**: {error.summary}\n\n"
        f"## What to do next\n\n{error.resolution}\n\n"
        f"What is rendered is kept. The same request renders what is missing, and so does:\n\n"
        f"```\nprefect-hyperframes resume {folder}\n```\n\n"
        f"## What is there\n\n{lacks}\n"
    )


def batch(name: str, rows: Rows, seconds: float) -> str:
    """What became of a batch; the rows that were not rendered are named."""
    wrong = [row for row in rows if row["error"]]
    size = sum(row["size_bytes"] or 0 for row in rows)
    facts = {
        "Rows": batch_in_words(rows),
        "Frames": f"{sum(row['frames'] or 0 for row in rows)}",
        "Size": f"{size / 1e6:.2f} MB",
        "Time taken": f"{seconds:.1f} s",
    }
    told = "".join(f"\n- **row {row['row']}**, {row['output']}: {row['error']}" for row in wrong)
    again = "\n\nRun the batch again: only what is missing is rendered.\n"
    return f"# Batch {name}\n\n{_table(facts)}" + (f"\n## Not rendered\n{told}{again}" if wrong else "")


def batch_in_words(rows: Rows) -> str:
    """How many rows were rendered, failed, were cancelled: 4 rendered, 1 failed."""
    return ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).most_common())


def batch_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the batch's table."""
    return {
        "row": row["row"],
        "state": row["state"],
        "video": row["output"],
        "frames": row["frames"] if row["frames"] is not None else "",
        "MB": round(row["size_bytes"] / 1e6, 2) if row["size_bytes"] else "",
        "seconds": round(row["seconds"], 1) if row["seconds"] is not None else "",
        "error": row["error"] or "",
    }


def _table(facts: Mapping[str, str]) -> str:
    """A table whose header is the first fact: markdown has none without a header."""
    first, *others = (f"| {name} | {told} |\n" for name, told in facts.items() if told)
    return first + "|---|---|\n" + "".join(others)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
