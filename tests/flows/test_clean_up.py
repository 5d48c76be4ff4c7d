"""Old render folders go, and videos stay."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from flows.clean_up import clean_up
from flows.prefect_server import PrefectApi
from tasks.local_stack import LocalStack

DAY = 24 * 3600


def _folder(root: Path, name: str, days: float, output: str | None = None) -> Path:
    folder = root / "renders" / name
    (folder / "chunks").mkdir(parents=True)
    (folder / "chunks" / "0000.mp4").write_bytes(b"chunk")
    (folder / "report.json").write_text(json.dumps({"outputUri": output or "file:///elsewhere/film.mp4"}))
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - days * DAY,) * 2)
    return folder


def test_folders_that_nobody_wrote_to_are_deleted_and_videos_are_not(api: PrefectApi, tmp_path: Path) -> None:
    """Not even a video that lies in such a folder; a dry run only tells."""
    stack = LocalStack(root=tmp_path)
    old, young = _folder(tmp_path, "old-1", 40), _folder(tmp_path, "young-1", 2)
    within = tmp_path / "renders" / "with-video-1"
    _folder(tmp_path, within.name, 40, (within / "film.mp4").as_uri())
    (within / "film.mp4").write_bytes(b"video")
    os.utime(within / "film.mp4", (time.time() - 40 * DAY,) * 2)
    told = clean_up(stack, older_than_days=30, dry_run=True)
    assert (len(told.folders), told.objects, told.kept) == (2, 4, 1)
    assert (within / "report.json").exists()
    assert (old / "report.json").exists()
    assert clean_up(stack, older_than_days=30).folders == (old.as_uri(), within.as_uri())
    again = clean_up(stack, older_than_days=30)
    assert (again.folders, again.kept) == ((), 2)
    assert not old.exists()
    assert (young / "chunks" / "0000.mp4").exists()
    assert [path.name for path in within.rglob("*")] == ["film.mp4"]
