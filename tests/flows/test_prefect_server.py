"""The background Prefect server: one, reused, and never in the way of the user's own."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest
from prefect.settings import PREFECT_API_TLS_INSECURE_SKIP_VERIFY

from flows import prefect_server
from flows.background import Running
from flows.prefect_server import PrefectApi, answers, connected, ensure_api, server_status, state_folder, stop_server
from lambda_handler.errors import PrefectServerFailed


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
    with pytest.raises(PrefectServerFailed, match=r"server\.log"):
        ensure_api()


def test_only_http_addresses_are_asked() -> None:
    """A configured URL is no way to read files."""
    assert not answers("file:///etc")


def test_a_dead_configured_api_is_named(server: PrefectApi) -> None:
    """The user set an address that is not used: the notice says which, and what is used instead."""
    with connected("http://127.0.0.1:9/api", quiet=True):
        notice = ensure_api().notice
    assert "http://127.0.0.1:9/api" in notice
    assert "background server" in notice
    assert ensure_api().notice == ""


def test_two_that_ask_at_once_get_one_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second waits for the first one's server."""
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    try:
        with ThreadPoolExecutor(2) as pool:
            apis = [asked.result() for asked in [pool.submit(ensure_api) for _ in range(2)]]
        assert len({api.api_url for api in apis}) == 1
        assert sorted(api.started for api in apis) == [False, True]
    finally:
        assert stop_server()
    assert server_status() is None
    assert not stop_server()


def test_a_port_lost_to_another_process_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Found free, and taken before the server bound it: another one is tried."""
    monkeypatch.setenv("HYPERFRAMES_STATE", str(tmp_path))
    tried: list[int] = []

    def started_on(port: int) -> Running:
        tried.append(port)
        if len(tried) == 1:
            raise PrefectServerFailed(f"It ended. Its log ends: Port {port} is already in use.")
        return Running(1, "1", f"http://127.0.0.1:{port}/api")

    monkeypatch.setattr(prefect_server, "_started_on", started_on)
    assert ensure_api().api_url == f"http://127.0.0.1:{tried[1]}/api"
    assert len(tried) == 2


def test_what_does_not_speak_http_is_no_api() -> None:
    """A configured address may be anybody's: no traceback, whatever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(1024)
                caller.sendall(b"SSH-2.0-hello\r\n")

        Thread(target=greet, daemon=True).start()
        assert not answers(f"http://127.0.0.1:{listening.getsockname()[1]}/api")
    assert not answers("http://[no address/api")


def test_a_proxy_is_not_asked_for_this_machine(server: PrefectApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """http_proxy is for other machines, for the look and for Prefect's client."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.org")
    assert answers(server.api_url)
    with connected(server.api_url, quiet=True):
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            assert client.api_healthcheck() is None


@pytest.mark.parametrize(
    ("api_url", "skipped"),
    [("http://127.0.0.1:4200/api", True), ("https://prefect.example.com/api", False), ("https://127.0.0.1/api", False)],
)
def test_certificates_are_checked_wherever_there_is_tls(api_url: str, skipped: bool) -> None:
    """Only for plain HTTP to this machine are no authorities read."""
    with connected(api_url, quiet=True):
        assert PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value() is skipped


def test_logs_reach_the_api_and_not_the_console(api: PrefectApi, capfd: pytest.CaptureFixture[str]) -> None:
    """The command line draws a bar of its own; the UI has the log all the same."""
    from prefect import flow, get_run_logger
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import LogSort

    @flow
    def speak() -> None:
        get_run_logger().warning("heard in the UI only")

    speak()
    limit = time.monotonic() + 20
    with get_client(sync_client=True) as client:
        while "heard in the UI only" not in [log.message for log in client.read_logs(sort=LogSort.TIMESTAMP_DESC)]:
            assert time.monotonic() < limit
            time.sleep(0.3)
    assert "heard in the UI only" not in capfd.readouterr().err
