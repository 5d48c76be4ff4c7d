"""Lambda's Invoke API in this process, around a function of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

Function = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Event to result. Raises what the function would report; a ClientError is one of Lambda's own."""


class HangUp(Exception):
    """Raised by a function whose connection is to break without an answer."""


@dataclass
class Endpoint:
    """Where it is, and how many invocations came, and how many at once."""

    url: str
    invocations: int = 0
    running: int = 0
    peak: int = 0
    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def lambda_endpoint(function: Function) -> Iterator[Endpoint]:
    """The API, until the end of the block; what is invoked then goes on by itself."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with endpoint.lock:
                endpoint.invocations += 1
                endpoint.running += 1
                endpoint.peak = max(endpoint.peak, endpoint.running)
                endpoint.keys.add(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
            try:
                self.answer(200, function(event))
            except HangUp:
                self.close_connection = True
            except ClientError as error:
                said = error.response["Error"]
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                self.answer(status, {"message": said["Message"]}, {"x-amzn-ErrorType": said["Code"]})
            except Exception as error:
                told = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": []}
                self.answer(200, told, {"X-Amz-Function-Error": "Unhandled"})
            finally:
                with endpoint.lock:
                    endpoint.running -= 1

        def answer(self, status: int, told: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
            content = json.dumps(told).encode()
            with suppress(ConnectionError):  # nobody waits any more
                self.send_response(status)
                always = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid4())}
                for name, value in {**always, **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

    server = Server(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


def refused(code: str, status: int, message: str = "Rate Exceeded.") -> ClientError:
    """What Lambda's API answers instead of an invocation."""
    told = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RequestId": "0", "HTTPStatusCode": status},
    }
    return ClientError(told, "Invoke")  # type: ignore[arg-type]
