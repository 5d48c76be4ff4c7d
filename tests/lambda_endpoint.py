"""Lambda's Invoke API in this process, around a function of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from infra.standin import ApiHandler

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
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def lambda_endpoint(function: Function) -> Iterator[Endpoint]:
    """The API, until the end of the block; what is invoked then goes on by itself."""

    class Handler(ApiHandler):
        def do_POST(self) -> None:  # noqa: N802 - the server calls it so
            event = json.loads(self.body())
            with endpoint.lock:
                endpoint.invocations += 1
                endpoint.running += 1
                endpoint.peak = max(endpoint.peak, endpoint.running)
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
            with suppress(ConnectionError):  # nobody waits any more
                self.reply(status, json.dumps(told).encode(), headers)

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
