"""A stand-in for Lambda: the built function under AWS's own runtime client, behind Lambda's two HTTP APIs.

Clients speak the Invoke API to it (boto3 with `endpoint_url`, or Step Functions' interpreter). Each execution
environment is a process of the real `awslambdaric`, which asks a Runtime API of its own for events. As in Lambda:
one event at a time in each environment, warm ones first, throttling beyond the concurrency, and an environment that
runs out of time or memory or ends is gone, with the error types that Lambda reports.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from infra import isolation
from lambda_handler.memory import processes, used_bytes

MAX_PAYLOAD_BYTES = 6 * 1024**2
LOOK_SECONDS = 0.25
ACCOUNT, REGION = "123456789012", "us-east-1"
_NEXT = "/2018-06-01/runtime/invocation/next"


@dataclass(frozen=True)
class Function:
    """What is run, and within which limits. `task` holds the code, `runtime` awslambdaric; `python` runs both.

    `tmp_mb` is the size of /tmp, which then lies in memory; it takes bubblewrap. None: whatever the disk has.
    """

    task: Path
    runtime: Path
    name: str = "render"
    handler: str = "lambda_handler.handler.handler"
    python: Path = Path(sys.executable)
    memory_mb: int = 4096
    timeout_seconds: float = 900.0
    tmp_mb: int | None = None
    concurrency: int = 4
    environment: Mapping[str, str] = field(default_factory=dict)
    isolated: bool | None = None

    @property
    def arn(self) -> str:
        """As state machines name it."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True)
class Answer:
    """What one invocation came to; `error` when the function reported one or was ended."""

    payload: bytes
    error: bool = False


def _failed(kind: str, message: str) -> Answer:
    return Answer(json.dumps({"errorType": kind, "errorMessage": message}).encode(), error=True)


class ApiHandler(BaseHTTPRequestHandler):
    """Requests and answers as the SDKs send and read them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Says nothing: the environments have logs of their own."""

    def body(self) -> bytes:
        """What was sent, in one piece or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answers with JSON and a request's id, as AWS does."""
        self.send_response(status)
        always = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid4())}
        for name, value in {**always, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Environment:
    """One execution environment: a process, its /tmp, and the Runtime API it asks."""

    def __init__(self, function: Function, log: Path) -> None:
        self._function = function
        self._events: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._deadline_ms = 0
        self.tmp = Path(tempfile.mkdtemp(prefix="hf-standin-"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._runtime_api())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        with log.open("ab") as told:
            self.process = subprocess.Popen(
                self._command(), env=self._environment(), cwd=function.task, stdout=told, stderr=told,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @property
    def isolated(self) -> bool:
        """Whether bubblewrap is around the process."""
        wanted = self._function.isolated
        return isolation.available() if wanted is None else wanted

    def invoke(self, event: bytes) -> Answer:
        """The function's answer to one event. An environment that did not answer by itself is ended."""
        function, request = self._function, str(uuid4())
        self._deadline_ms = round((time.time() + function.timeout_seconds) * 1000)
        deadline = time.monotonic() + function.timeout_seconds
        self._events.put((request, event))

        def ended(kind: str, told: str) -> Answer:
            return _failed(kind, f"RequestId: {request} Error: {told}")

        while True:
            with suppress(Empty):
                return self._answers.get(timeout=LOOK_SECONDS)
            if self.process.poll() is not None:
                code = self.process.returncode
                told = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
                return ended("Runtime.ExitError", f"Runtime exited with error: {told}")
            if time.monotonic() > deadline:
                self.end()
                limit = function.timeout_seconds
                return _failed(
                    "Sandbox.Timedout", f"RequestId: {request} Error: Task timed out after {limit:.2f} seconds"
                )
            if used_bytes(self.process.pid) > function.memory_mb * 1024**2:
                self.end()
                return _failed(
                    "Runtime.OutOfMemory", f"RequestId: {request} Error: Runtime exited with error: signal: killed"
                )

    @property
    def alive(self) -> bool:
        """Whether it can take another event."""
        return self.process.poll() is None

    def end(self) -> None:
        """Kills the process and its children, as Lambda does, and takes its disk away."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def _command(self) -> list[str]:
        function = self._function
        # -S: only what the function brings, and the runtime; nothing that happens to be installed here.
        command = [str(function.python.resolve()), "-S", "-m", "awslambdaric", function.handler]
        if not self.isolated:
            return command
        prefix = function.python.resolve().parent.parent
        return isolation.wrapped(
            command,
            task=function.task,
            runtime=function.runtime,
            interpreter=prefix,
            tmp=self.tmp,
            tmp_mb=function.tmp_mb,
        )

    def _environment(self) -> dict[str, str]:
        function = self._function
        host, port = self._server.server_address[:2]
        task, runtime = function.task, function.runtime
        if self.isolated:
            task, runtime = isolation.TASK, isolation.RUNTIME
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{task}:{runtime}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": "/tmp" if self.isolated else str(self.tmp),  # noqa: S108
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stand-in",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.python.name}",
            **function.environment,
        }

    def _runtime_api(self) -> type[BaseHTTPRequestHandler]:
        environment = self

        class RuntimeApi(ApiHandler):
            def do_GET(self) -> None:
                request, event = environment._events.get()
                told = {
                    "Lambda-Runtime-Aws-Request-Id": request,
                    "Lambda-Runtime-Deadline-Ms": str(environment._deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": environment._function.arn,
                    "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
                }
                with suppress(ConnectionError):
                    self.reply(200, event, told)

            def do_POST(self) -> None:
                content = self.body()
                answer = Answer(content, error=self.path.endswith("/error"))
                if len(content) > MAX_PAYLOAD_BYTES:
                    answer = _failed(
                        "Function.ResponseSizeTooLarge",
                        f"Response payload size ({len(content)} bytes) exceeded maximum allowed payload size "
                        f"({MAX_PAYLOAD_BYTES} bytes).",
                    )
                environment._answers.put(answer)
                self.reply(202, b'{"status": "OK"}')

        return RuntimeApi


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, its descendants, and those of them that have ended and been waited for."""
    ticks = 0
    for process in processes(pid):
        with suppress(OSError):
            told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, told[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Standin:
    """The Invoke API of one function. `url` is what boto3 takes as `endpoint_url`."""

    def __init__(self, function: Function, logs: Path) -> None:
        self.function = function
        self.invocations: list[dict[str, Any]] = []
        self._logs = logs
        self._idle: list[Environment] = []
        self._working: dict[int, bytes] = {}
        self._busy = 0
        self._cold = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._invoke_api())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def environments(self) -> int:
        """How many were started so far."""
        return self._cold

    @property
    def working(self) -> dict[int, bytes]:
        """The processes that are at an event now, and the event."""
        return dict(self._working)

    def invoke(self, event: bytes) -> Answer | None:
        """The answer; None when no environment is free (throttled)."""
        with self._lock:
            if self._busy >= self.function.concurrency:
                return None
            self._busy += 1
            warm = self._idle.pop() if self._idle else None
            self._cold += warm is None
            number = self._cold
        began = time.monotonic()
        try:
            environment = warm or Environment(self.function, self._logs / f"environment-{number}.log")
            self._working[environment.process.pid] = event
            before = 0.0 if warm is None else cpu_seconds(environment.process.pid)
            try:
                answer = environment.invoke(event)
            finally:
                spent = cpu_seconds(environment.process.pid) - before
                del self._working[environment.process.pid]
        finally:
            with self._lock:
                self._busy -= 1
        self.invocations.append({
            "action": json.loads(event).get("Action"), "cold": warm is None, "failed": answer.error,
            "seconds": round(time.monotonic() - began, 3), "cpu": round(spent, 2),
        })  # fmt: skip
        with self._lock:
            if environment.alive:
                self._idle.append(environment)
        if not environment.alive:
            environment.end()
        return answer

    def close(self) -> None:
        """Ends every environment that is idle, and the server."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            idle, self._idle = self._idle, []
        for environment in idle:
            environment.end()

    def _invoke_api(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class InvokeApi(ApiHandler):
            def do_POST(self) -> None:
                event = self.body()
                parts = unquote(self.path).strip("/").split("/")
                if len(parts) != 4 or parts[:2] != ["2015-03-31", "functions"] or parts[3] != "invocations":
                    self.refuse(404, "UnknownOperationException", f"There is no {self.path} here.")
                elif parts[2] not in (standin.function.name, standin.function.arn):
                    self.refuse(404, "ResourceNotFoundException", f"Function not found: {parts[2]}")
                elif self.headers.get("X-Amz-Invocation-Type", "RequestResponse") != "RequestResponse":
                    self.refuse(400, "InvalidParameterValueException", "Only RequestResponse is understood here.")
                elif len(event) > MAX_PAYLOAD_BYTES:
                    self.refuse(413, "RequestTooLargeException", f"The event has {len(event)} bytes.")
                elif (answer := standin.invoke(event or b"{}")) is None:
                    self.refuse(429, "TooManyRequestsException", "Rate Exceeded.")
                else:
                    told = {"X-Amz-Executed-Version": "$LATEST"}
                    self.reply(
                        200, answer.payload, told | ({"X-Amz-Function-Error": "Unhandled"} if answer.error else {})
                    )

            def refuse(self, status: int, kind: str, message: str) -> None:
                self.reply(
                    status, json.dumps({"Type": "User", "message": message}).encode(), {"x-amzn-ErrorType": kind}
                )

        return InvokeApi


@contextmanager
def running(function: Function, logs: Path) -> Iterator[Standin]:
    """A stand-in, closed at the end; the environments' logs go into the folder `logs`."""
    logs.mkdir(parents=True, exist_ok=True)
    standin = Standin(function, logs)
    try:
        yield standin
    finally:
        standin.close()
