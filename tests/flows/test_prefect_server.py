"""The background Prefect server: one, reused, and never in the way of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows import prefect_server
from flows.prefect_server import PrefectApi, answers, connected, ensure_api, server_status, state_folder


def test_a_running_server_is_used_again(server: PrefectApi) -> None:
    """The second asker gets the same address, and nothing is started."""
    again = ensure_api()
    assert (again.api_url, again.ours, again.started) == (server.api_url, True, False)
    assert server_status() == again


def test_the_users_own_api_is_preferred(server: PrefectApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An API that is configured and answers is used, and no server of ours is looked for."""
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    with connected(server.api_url, quiet=True):
        assert ensure_api() == PrefectApi(server.api_url, ours=False, started=False)
    assert list(tmp_path.iterdir()) == []


def test_a_configured_api_that_is_dead_is_passed_over(server: PrefectApi) -> None:
    """Nothing listens there: the background server is used instead."""
    with connected("http://127.0.0.1:9/api", quiet=True):
        assert ensure_api().api_url == server.api_url


def test_a_record_of_a_process_that_is_gone_is_not_believed(
    server: PrefectApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The pid may be another process's by now; its time of birth tells."""
    record = json.loads((state_folder() / "server.json").read_text())
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    (tmp_path / "server.json").write_text(json.dumps(record))
    assert server_status() is not None
    (tmp_path / "server.json").write_text(json.dumps({**record, "born": "1"}))
    assert server_status() is None


def test_a_server_that_cannot_start_is_told_with_its_log(
    server: PrefectApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message names the log and what it says last."""
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    monkeypatch.setattr(prefect_server, "HOST", "256.0.0.1")
    monkeypatch.setattr(prefect_server, "_free_port", lambda: 1)
    with pytest.raises(prefect_server.PrefectServerFailed, match=r"server\.log"):
        ensure_api()


def test_only_http_addresses_are_asked() -> None:
    """A configured URL is no way to read files."""
    assert not answers("file:///etc")
