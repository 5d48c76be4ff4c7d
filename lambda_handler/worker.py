"""A local worker: one process that plays Lambda's part, one event at a time.

`python -m lambda_handler.worker` reads events from standard input, a JSON object a line, and answers each with a
line: {"result": …} or {"errorType": …, "errorMessage": …}, as Lambda does. When standard input ends, so does the
worker, even in the middle of a chunk: whoever asked is gone.
A process without threads may go on as one (`serve`).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from types import FrameType

from lambda_handler.browser import drop_warm, keep_warm
from lambda_handler.handler import handler


def main() -> None:
    """Answers events until standard input ends."""
    # At the end Python would search every module for what can be thrown away.
    atexit.register(gc.freeze)
    serve()


def serve() -> None:
    """Answers events until the descriptor 0 ends; 1 is for the answers, 2 for all that is said. Raises SystemExit."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _leave)
    keep_warm()
    # What is there by now stays: it is not looked through again and again while frames come and go.
    gc.freeze()
    events: SimpleQueue[str] = SimpleQueue()
    ended = threading.Event()
    threading.Thread(target=_read, args=(events, ended), daemon=True).start()
    try:
        while not ended.is_set():
            told = answer(events.get())
            # Leaving breaks whatever was waited for, and that is not what the event came to.
            if not ended.is_set():
                answers.write(told + "\n")
                answers.flush()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        drop_warm()


def answer(line: str) -> str:
    """The answer to one event, both as JSON."""
    try:
        return json.dumps({"result": handler(json.loads(line))})
    except Exception as error:
        return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})


def _read(events: SimpleQueue[str], ended: threading.Event) -> None:
    with os.fdopen(os.dup(0), encoding="utf-8") as told:
        for line in told:
            events.put(line)
    ended.set()
    # Unwinds the main thread, so that browser, encoder and scratch files go with it.
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
