"""A page in Chromium, in a context of its own: its requests are answered here, its scripts asked, its frames drawn."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any

from lambda_handler.devtools import Devtools, Refused
from lambda_handler.errors import BrowserFailed

BLANK = "about:blank"
LOAD_SECONDS = 60.0
UNSERIALISABLE = {"NaN": nan, "Infinity": inf, "-Infinity": -inf, "-0": -0.0}
# Registered once, one would answer the next render's requests too.
NO_SERVICE_WORKERS = "if (navigator.serviceWorker) navigator.serviceWorker.register = () => new Promise(() => {});"


class ScriptThrew(Exception):
    """A script in the page failed. `stack` is where, in the page's own words."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.stack = stack


@dataclass(frozen=True)
class Request:
    """What a page asks for. `kind` is Chromium's word for what it is wanted as: Document, Script, Font, Media, …"""

    url: str
    kind: str
    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a page is given."""

    body: bytes
    content_type: str
    status: int = 200


@dataclass
class Tab:
    """Make it with `opened`. Raises BrowserFailed from every method when Chromium, or the page's process, is gone.

    What it is given in `answer` it gets; with None the request fails. `thrown` hears of errors that no script
    caught, `said` of what was written to the console, with its kind ("error", "warning", "log", …).
    """

    devtools: Devtools
    session: str
    answer: Callable[[Request], Answer | None] = lambda _: None
    thrown: Callable[[ScriptThrew], object] = lambda _: None
    said: Callable[[str, str], object] = lambda *_: None
    _crashed: bool = field(default=False, init=False)
    _loaded: set[str] = field(default_factory=set, init=False)
    _workers: list[str] = field(default_factory=list, init=False)

    def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a method of the protocol. Raises Refused."""
        if self._crashed:
            raise BrowserFailed("The page's process has died.")
        return self.devtools.call(method, parameters, session=self.session)

    def before_scripts(self, script: str) -> None:
        """Runs `script` before those of every document that is opened from now on."""
        self.call("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def open(self, url: str, *, until: str = "DOMContentLoaded") -> None:
        """Goes to `url`, and waits for its document: until "DOMContentLoaded" or "load"."""
        self._loaded.clear()
        failure = self.call("Page.navigate", {"url": url}).get("errorText")
        if failure:
            raise BrowserFailed(f"Chromium cannot open {url}: {failure}.")
        if not self.devtools.hear_until(lambda: until in self._loaded or self._crashed, LOAD_SECONDS):
            raise BrowserFailed(f"{url} was not loaded within {LOAD_SECONDS:g} s.")

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """The value of a JavaScript expression, or of the function that it is, called with `argument`; JSON values.

        A promise is waited for. Raises ScriptThrew.
        """
        called = f"(it => typeof it === 'function' ? it({json.dumps(argument)}) : it)(\n{expression}\n)"
        return self.run(called)

    def run(self, script: str) -> Any:
        """The value that a script ends with. Raises ScriptThrew."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        try:
            told = self.call("Runtime.evaluate", asked)
        except Refused as error:
            # The page went elsewhere, or its process died.
            raise BrowserFailed(f"Chromium lost the page: {error}.") from error
        if "exceptionDetails" in told:
            raise _thrown(told["exceptionDetails"])
        return _value(told["result"])

    def hear(self, event: Mapping[str, Any]) -> None:
        """Takes an event of the page, or of a worker that it has started."""
        told, session = event["params"], event["sessionId"]
        match event["method"]:
            case "Fetch.requestPaused":
                self._reply(told, session)
            case "Target.attachedToTarget":
                self._begin(told["sessionId"])
            case "Page.domContentEventFired":
                self._loaded.add("DOMContentLoaded")
            case "Page.loadEventFired":
                self._loaded.add("load")
            case "Runtime.exceptionThrown":
                self.thrown(_thrown(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.said(told["type"], " ".join(map(_text, told["args"])))
            case "Log.entryAdded":
                self.said(told["entry"]["level"], told["entry"]["text"])
            case "Page.javascriptDialogOpening":
                # Nobody is there to answer.
                self.devtools.post("Page.handleJavaScriptDialog", {"accept": False}, session=session)
            case "Inspector.targetCrashed":
                self._crashed = True
                raise BrowserFailed("The page's process has died.")

    def forget(self) -> None:
        """Hears no more of the page."""
        for session in (self.session, *self._workers):
            self.devtools.listen(session, None)

    def _begin(self, worker: str) -> None:
        """Lets a worker run, once its requests come here as well."""
        self._workers.append(worker)
        self.devtools.listen(worker, self.hear)
        for method in ("Fetch.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger"):
            self.devtools.post(method, session=worker)

    def _reply(self, told: Mapping[str, Any], session: str) -> None:
        asked = told["request"]
        request = Request(
            url=asked["url"] + asked.get("urlFragment", ""),
            kind=told["resourceType"],
            method=asked["method"],
            headers={name.lower(): value for name, value in asked["headers"].items()},
        )
        number = {"requestId": told["requestId"]}
        preflight = request.method == "OPTIONS" and "access-control-request-method" in request.headers
        given = Answer(b"", "text/plain", 204) if preflight else self.answer(request)
        if given is None:
            self.devtools.post("Fetch.failRequest", number | {"errorReason": "Failed"}, session=session)
            return
        headers = {"Content-Type": given.content_type, "Content-Length": str(len(given.body))} | _allowed(request)
        reply = number | {
            "responseCode": given.status,
            "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
            "body": base64.b64encode(given.body).decode(),
        }
        self.devtools.post("Fetch.fulfillRequest", reply, session=session)


def _allowed(request: Request) -> dict[str, str]:
    """What lets a page read the answer of another origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": request.headers.get("access-control-request-method", request.method),
        "Access-Control-Allow-Headers": request.headers.get("access-control-request-headers", "*"),
        "Vary": "Origin",
    }


def _value(result: Mapping[str, Any]) -> Any:
    if "unserializableValue" in result:
        return UNSERIALISABLE.get(result["unserializableValue"])
    return result.get("value")


def _text(argument: Mapping[str, Any]) -> str:
    """As a console shows it."""
    if "value" in argument:
        value = argument["value"]
        return value if isinstance(value, str) else json.dumps(value)
    return str(argument.get("unserializableValue") or argument.get("description") or argument["type"])


def _thrown(details: Mapping[str, Any]) -> ScriptThrew:
    exception = details.get("exception", {})
    stack = str(exception.get("description") or _text(exception) if exception else details["text"])
    # Which kind of error it is, is worth telling where it is not just any.
    message = stack.partition("\n    at ")[0].removeprefix("Error: ")
    if "url" in details and details["url"] and "\n    at " not in stack:
        stack += f"\n    at {details['url']}:{details['lineNumber'] + 1}:{details['columnNumber'] + 1}"
    return ScriptThrew(message, stack)


@contextmanager
def opened(devtools: Devtools, *, width: int = 800, height: int = 600, scale: float = 1) -> Iterator[Tab]:
    """A blank page of `width` x `height` CSS px, gone at the end. Raises BrowserFailed."""
    try:
        context = devtools.call("Target.createBrowserContext")["browserContextId"]
        asked = {"url": BLANK, "browserContextId": context, "enableBeginFrameControl": True}
        # The window's are device pixels.
        asked |= {"width": round(width * scale), "height": round(height * scale)}
        try:
            target = devtools.call("Target.createTarget", asked)["targetId"]
            session = devtools.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
            tab = Tab(devtools, session)
            devtools.listen(session, tab.hear)
            try:
                for method, parameters in _set_up(width, height, scale):
                    tab.call(method, parameters)
                yield tab
            finally:
                tab.forget()
        finally:
            # It may be gone already.
            with suppress(BrowserFailed, Refused):
                devtools.call("Target.disposeBrowserContext", {"browserContextId": context})
    except Refused as error:
        raise BrowserFailed(f"Chromium failed: {error}.") from error


def _set_up(width: int, height: int, scale: float) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "Page.enable", {}
    yield "Runtime.enable", {}
    yield "Log.enable", {}
    yield "Inspector.enable", {}
    yield "Fetch.enable", {}
    yield "Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
    size = {"width": width, "height": height, "screenWidth": width, "screenHeight": height}
    yield "Emulation.setDeviceMetricsOverride", size | {"deviceScaleFactor": scale, "mobile": False}
    yield "Emulation.setFocusEmulationEnabled", {"enabled": True}
    yield "Page.addScriptToEvaluateOnNewDocument", {"source": NO_SERVICE_WORKERS}
    yield "HeadlessExperimental.enable", {}
