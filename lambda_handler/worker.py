"""A local worker: one process that plays Lambda's part, one event at a time.

`python -m lambda_handler.worker` reads events from standard input, a JSON object a line, and answers each with a
line: {"result": …} or {"errorType": …, "errorMessage": …}, as Lambda does. When standard input ends, so does the
worker, even in the middle of a chunk: whoever asked is gone.
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

from lambda_handler.browser import keep_warm
from lambda_handler.handler import handler


def main() -> None:
    """Answers events until standard input ends."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _leave)
    keep_warm()
    # What is there by now stays: it is not looked through again and again while frames come and go.
    gc.freeze()
    # At the end Python would search every module for what can be thrown away.
    atexit.register(gc.freeze)
    events: SimpleQueue[str | None] = SimpleQueue()
    ended = threading.Event()
    threading.Thread(target=_read, args=(events, ended), daemon=True).start()
    while (line := events.get()) is not None:
        told = answer(line)
        if ended.is_set():
            # Leaving breaks whatever was waited for, and that is not what the event came to.
            break
        answers.write(told + "\n")
        answers.flush()


def answer(line: str) -> str:
    """The answer to one event, both as JSON."""
    try:
        return json.dumps({"result": handler(json.loads(line))})
    except Exception as error:
        return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})


def _read(events: SimpleQueue[str | None], ended: threading.Event) -> None:
    for line in sys.stdin:
        events.put(line)
    ended.set()
    events.put(None)
    # Unwinds the main thread if it is rendering, so that browser, encoder and scratch files go with it.
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
