"""Which Prefect API a command line render reports to: the user's own where one answers, else one of ours.

Prefect's embedded mode takes about 16 s to start in each process and records only part of the task runs. So a server
is started once, in the background, with a home of its own: the user's profiles and database are never touched.
"""

from __future__ import annotations

import fcntl
import http.client
import logging
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.background import Running, recorded, start
from lambda_handler.errors import PrefectServerFailed

HEALTH_SECONDS = 3.0
START_SECONDS = 120.0
HOST = "127.0.0.1"


@dataclass(frozen=True)
class PrefectApi:
    """An API that answers. `ours`: it is the background server; `started`: just now; `notice`: why not another."""

    api_url: str
    ours: bool
    started: bool
    notice: str = field(default="", compare=False)
    ui: str = field(default="", compare=False, repr=False)

    @property
    def ui_url(self) -> str:
        """Where its UI is: as configured (Prefect Cloud's has an address of its own), else beside the API."""
        return self.ui or self.api_url.removesuffix("/").removesuffix("/api")


def ensure_api() -> PrefectApi:
    """The API to use: the configured one when it answers, else the background server, started when needed.

    Raises PrefectServerFailed.
    """
    configured, notice = configured_api(), ""
    if configured and answers(configured.api_url):
        return configured
    if configured:
        notice = f"{configured.api_url} (PREFECT_API_URL) does not answer; the background server is used instead."
    with _locked():
        running = recorded(_record_file())
        if running and answers(running.api_url):
            return PrefectApi(running.api_url, ours=True, started=False, notice=notice)
        if running:
            running.end()
        return PrefectApi(_start().api_url, ours=True, started=True, notice=notice)


def server_status() -> PrefectApi | None:
    """The background server, when it answers."""
    running = recorded(_record_file())
    return PrefectApi(running.api_url, ours=True, started=False) if running and answers(running.api_url) else None


def stop_server() -> bool:
    """Ends the background server; says whether there was one."""
    with _locked():
        running = recorded(_record_file())
        if running:
            running.end()
        _record_file().unlink(missing_ok=True)
        return running is not None


def answers(api_url: str) -> bool:
    """Whether a Prefect API answers there within three seconds."""
    if not api_url.startswith(("http://", "https://")):
        return False
    # This machine is not asked through a proxy, whatever http_proxy says.
    proxies = [urllib.request.ProxyHandler({})] if _is_here(api_url) else []
    asking = urllib.request.build_opener(*proxies)
    try:
        with asking.open(f"{api_url.rstrip('/')}/health", timeout=HEALTH_SECONDS) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        # Prefect Cloud wants a key even for this; it is there.
        return error.code in (401, 403)
    except (OSError, http.client.HTTPException, ValueError):
        # Nothing there, something that does not speak HTTP, or no URL at all.
        return False


@contextmanager
def connected(api_url: str, *, quiet: bool) -> Iterator[None]:
    """Runs flows of this process against `api_url`; with `quiet`, Prefect prints nothing here.

    What it logs goes to the API all the same.
    """
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415 - prefect takes 2 s to import
    from prefect.settings import (  # noqa: PLC0415 - see above
        PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    # A run ends up to a second later for its heartbeats; whoever sits at the console needs none to see it die.
    settings: dict[Any, Any] = {PREFECT_API_URL: api_url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    if _is_here(api_url):
        # There is no TLS to http://127.0.0.1, and each of six clients would read all authorities' certificates for it.
        settings[PREFECT_API_TLS_INSECURE_SKIP_VERIFY] = True
        if HOST not in (unproxied := os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))):
            # Prefect's client would ask this machine through http_proxy.
            os.environ["no_proxy"] = f"{unproxied},{HOST}".strip(",")
    with temporary_settings(settings):
        setup_logging()
        if quiet:
            _silence_console()
        yield


def _silence_console() -> None:
    from prefect.logging.handlers import PrefectConsoleHandler  # noqa: PLC0415 - prefect takes 2 s to import

    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if isinstance(handler, PrefectConsoleHandler):
            handler.setLevel(logging.CRITICAL + 1)


def state_folder() -> Path:
    """Where the server's home, log and record are: HYPERFRAMES_STATE, else the user's state folder."""
    chosen = os.environ.get("HYPERFRAMES_STATE")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = Path(chosen) if chosen else state / "prefect-hyperframes"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def configured_api() -> PrefectApi | None:
    """The API of the user's environment or profile, whether or not it answers."""
    from prefect.settings import get_current_settings  # noqa: PLC0415 - prefect takes 2 s to import

    settings = get_current_settings()
    url = settings.api.url
    return PrefectApi(url, ours=False, started=False, ui=settings.ui_url or "") if url else None


def _is_here(api_url: str) -> bool:
    return api_url.startswith(f"http://{HOST}:")


def _record_file() -> Path:
    return state_folder() / "server.json"


@contextmanager
def _locked() -> Iterator[None]:
    with (state_folder() / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(tries: int = 3) -> Running:
    try:
        return _started_on(_free_port())
    except PrefectServerFailed as error:
        # Between being found free and being bound, the port may go to another process.
        if tries > 1 and "already in use" in error.summary:
            return _start(tries - 1)
        raise


def _started_on(port: int) -> Running:
    home = state_folder() / "prefect"
    home.mkdir(exist_ok=True)
    log = state_folder() / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {
        "PREFECT_HOME": str(home),
        # The port as a setting too: with the flag alone the UI asks another port and stays blank.
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        # Each change of a task run is a transaction of its own, else: a quarter of what the server does for a render.
        # Shorter than a second is none at all to Prefect, which asks without a pause then.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    running, process = start(command, environment, home, log, f"http://{HOST}:{port}/api")
    running.record(_record_file())
    limit = time.monotonic() + START_SECONDS
    while not answers(running.api_url):
        ended = process.poll() is not None
        if ended or time.monotonic() > limit:
            running.end()
            last = " ".join(log.read_text(errors="replace").split())[-300:]
            why = f"ended with status {process.returncode}" if ended else f"did not answer in {START_SECONDS:g} s"
            raise PrefectServerFailed(f"The background Prefect server {why}. Its log, {log}, ends: {last}")
        time.sleep(0.2)
    return running


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
