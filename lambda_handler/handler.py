"""The one handler: `handler(event, context)` for Lambda, for local workers, for both engines."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from lambda_handler import usage
from lambda_handler.assemble import assemble
from lambda_handler.attempts import recorded
from lambda_handler.browser import keep_warm
from lambda_handler.chunk import render_chunk
from lambda_handler.errors import RenderError, StorageFull
from lambda_handler.events import AssembleEvent, PlanEvent, RenderChunkEvent, parse, to_wire
from lambda_handler.limits import Context, Watch
from lambda_handler.scratch import tidy

IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API" in os.environ
if IN_LAMBDA:
    # An environment has one invocation at a time and does nothing else; what is imported by now stays.
    keep_warm()
    gc.freeze()

Asked = PlanEvent | RenderChunkEvent | AssembleEvent


def handler(event: Mapping[str, Any], context: Context | None = None) -> dict[str, Any]:
    """Plays the role that `Action` names and returns its result.

    Raises an exception whose class name is the error's code: that is what Lambda puts on the wire.
    """
    started = time.monotonic()
    try:
        asked = parse(event)
        if IN_LAMBDA:
            tidy()
        result = _recorded(asked, context, started)
    except RenderError as error:
        _log("handler_error", event, started, code=error.code, message=error.summary)
        raise on_the_wire(error) from error
    except OSError as error:
        if not StorageFull.is_meant_by(error):
            raise
        _log("handler_error", event, started, code=StorageFull.code, message=str(error))
        raise on_the_wire(StorageFull(f"No space is left to work in: {error}.")) from error
    _log("handler_result", event, started, result=result)
    return result


def on_the_wire(error: RenderError) -> Exception:
    """The error as Lambda's runtime reports it: class name = code, text = what and what next."""
    named: type[Exception] = type(error.code, (RuntimeError,), {})
    return named(str(error))


def _recorded(asked: Asked, context: Context | None, started: float) -> dict[str, Any]:
    """Plays the role; in Lambda, leaves in the render folder how long it took, to be paid for."""
    watch = Watch(context, chunk=isinstance(asked, RenderChunkEvent))
    if usage.function() is None:
        return watch.run(lambda: _dispatch(asked, watch, None))

    def complain(error: RenderError) -> None:
        _log("usage_not_recorded", {"Action": asked.action}, started, code=error.code, message=error.summary)

    with recorded(asked, started, complain) as record:
        result = watch.run(lambda: _dispatch(asked, watch, record.name))
        if isinstance(asked, PlanEvent):
            record.told = {"plan": [result["PlanHash"], result["ChunkCount"]]}
        return result


def _dispatch(asked: Asked, watch: Watch, record: str | None) -> dict[str, Any]:
    match asked:
        case PlanEvent():
            # It takes with it all that compiles a page, which the many cold starts of chunks can do without.
            from lambda_handler.plan import plan  # noqa: PLC0415

            return to_wire(plan(asked, watch.at))
        case RenderChunkEvent():
            return to_wire(render_chunk(asked, watch.frames))
        case AssembleEvent():
            return to_wire(assemble(asked, watch.at, record))


def _log(kind: str, event: Mapping[str, Any], started: float, **told: Any) -> None:
    line = {
        "event": kind,
        "action": event.get("Action"),
        "ms": round((time.monotonic() - started) * 1000),
        **told,
    }
    print(json.dumps(line, default=str), file=sys.stderr, flush=True)
