"""What doctor looks at, and what it says where something is missing."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from flows import doctor
from flows.doctor import Finding, examine
from lambda_handler import toolchain
from lambda_handler.errors import ChromeUnavailable


def named(findings: list[Finding], name: str) -> Finding:
    """The one finding of that name."""
    return next(finding for finding in findings if finding.name == name)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server of ours, no API configured, no AWS."""
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    monkeypatch.setenv("HYPERFRAMES_ROOT", str(tmp_path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "configured_api", lambda: None)


def test_a_machine_that_is_set_up_passes(nowhere: None, tmp_path: Path) -> None:
    """The browser starts, ffmpeg has every encoder; no server is started to find that out."""
    findings = examine()
    assert [finding for finding in findings if not finding.ok] == []
    assert named(findings, "Chromium").found.startswith("153.")
    assert named(findings, "Chromium").found.endswith("pictures are read from its memory")
    assert named(findings, "Prefect API").found.startswith("none")
    assert named(findings, "AWS (optional)").found == "not configured"
    assert not (tmp_path / "server.json").exists()


def test_what_is_missing_comes_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout without npm's packages: doctor goes on, and names the command."""
    monkeypatch.setenv("HYPERFRAMES_NODE_MODULES", str(tmp_path))
    toolchain.page_runtime.cache_clear()
    missing = doctor._found("Page runtime", doctor._runtime)
    toolchain.page_runtime.cache_clear()
    assert not missing.ok
    assert str(tmp_path) in missing.found
    assert "make setup" in missing.resolution


def test_a_browser_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked is not enough: it has to run."""

    def broken(*arguments: object) -> None:
        raise ChromeUnavailable("Chromium did not start: a library is missing.")

    monkeypatch.setattr(doctor, "launched", broken)
    told = doctor._found("Chromium", doctor._chromium)
    assert (told.ok, told.found) == (False, "Chromium did not start: a library is missing.")


def test_a_system_that_hides_memory_is_told_of_and_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering works, by screenshots; what would make it faster is said."""
    monkeypatch.setattr(doctor, "reading", lambda *_, **__: nullcontext())
    told = doctor._found("Chromium", doctor._chromium)
    assert told.ok
    assert "screenshots" in told.found
    assert "set kernel.yama.ptrace_scope" in told.found


def test_a_disk_that_is_nearly_full_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder need not exist yet: the disk it would be on counts."""
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 2**60)
    told = doctor._found("Scratch space", lambda: doctor._space(tmp_path / "not" / "yet"))
    assert not told.ok
    assert "free" in told.found
    assert "--root" in told.resolution


def test_what_the_system_refuses_is_told(tmp_path: Path) -> None:
    """A path that cannot be read is a finding, not a traceback."""

    def refused() -> str:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    told = doctor._found("Render folders", refused)
    assert not told.ok
    assert str(tmp_path) in told.found
