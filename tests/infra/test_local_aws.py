"""The deployed parts on this machine: which artifact runs there, and what is left of it in this process."""

from __future__ import annotations

import json
import logging
import os
import sys
import zipfile
from pathlib import Path

import pytest
from moto.core.config import default_user_config

from infra.local_aws import local_aws, unzipped, version_of

PYTHON = Path(sys.executable)


def _artifact(place: Path, python: str | None) -> Path:
    """A function of nothing, built for that Python; or an archive that is no function."""
    told: dict[str, object] = {"chromeSource": "sparticuz", "chromiumIdentity": "none", "python": python, "tools": {}}
    with zipfile.ZipFile(place / "function.zip", "w") as archive:
        archive.writestr("packed/packed.json" if python else "notes.txt", json.dumps(told))
    return place / "function.zip"


def test_an_archive_that_cannot_run_here_is_refused(tmp_path: Path) -> None:
    """None, one that is no function, one for another Python: what it is, and what to do."""
    with pytest.raises(FileNotFoundError, match="make artifact-local"):
        unzipped(tmp_path / "function.zip", PYTHON)
    with pytest.raises(ValueError, match=r"has no packed/packed\.json\. Run make artifact-local"):
        unzipped(_artifact(tmp_path, None), PYTHON)
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=rf"was built for Python 3\.2.* is {version_of(PYTHON)}\. Build it for that"):
        unzipped(_artifact(tmp_path / "other", "3.2"), PYTHON)


def test_nothing_of_it_stays_in_the_process(tmp_path: Path) -> None:
    """moto's settings, the port its Step Functions call, the log: as they were, whatever went wrong meanwhile."""

    def settings() -> object:
        return dict(default_user_config), os.environ.get("MOTO_PORT"), logging.getLogger("werkzeug").level

    before = settings()
    with (
        pytest.raises(RuntimeError, match="what happened"),
        local_aws(_artifact(tmp_path, version_of(PYTHON)), tmp_path / "logs") as place,
    ):
        assert os.environ["MOTO_PORT"] in place.standin.url
        # Beside those of other tests: one process has one moto.
        assert place.bucket in {each["Name"] for each in place.client("s3").list_buckets()["Buckets"]}
        assert settings() != before
        raise RuntimeError("what happened")
    assert settings() == before
