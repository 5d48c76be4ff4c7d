"""What a flow does while chunks are rendered: it shows how far they are, and hears when the render is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context

from lambda_handler import storage
from lambda_handler.errors import RenderError
from lambda_handler.progress import ProgressReader, Speedometer
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import ProgressArtifact, describe
from tasks.logs import run_logger
from tasks.stragglers import Stragglers

TOLD_STEP = 0.1
PRICE_SECONDS = 30.0
"""A price is a read for each attempt there was."""
PRICE_WAIT_SECONDS = 2.0


@contextmanager
def only_looking() -> Iterator[None]:
    """What keeps a look from being taken fails no render, whatever it is: the log says so.

    A store, a stack or a Prefect API that does not answer just now, an object that is gone between two requests, an
    artifact that somebody has deleted in the UI.
    """
    try:
        yield
    except Exception as error:
        told = error.summary if isinstance(error, RenderError) else f"{type(error).__name__}: {error}"
        run_logger().warning("The render cannot be looked at: %s", told.partition("\n")[0])


def hear(folder: RenderFolder, cancelled: Callable[[], None]) -> None:
    """Calls `cancelled` while the folder says that the render is; nothing about it fails the render."""
    with only_looking():
        if storage.exists(folder.cancel):
            cancelled()


class Following:
    """Looks at a render's folder: so it is the same for both engines.

    `cancelled` is called at each look while the folder says so. `asked` names the chunks that are waited for, with the
    moment (time.monotonic) when each was asked for; `straggling` is called with each of them that stands still or lags.
    `spent` says what the render has cost so far, in USD, where anything is to be paid.
    """

    def __init__(
        self,
        folder: RenderFolder,
        *,
        frames: int,
        chunks: int,
        cancelled: Callable[[], None],
        asked: Callable[[], Mapping[int, float]] = dict,
        straggling: Callable[[int], None] = lambda _chunk: None,
        spent: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._reader = ProgressReader(folder)
        self._speedometer = Speedometer(frames)
        self._stragglers = Stragglers(chunks)
        self._chunks = chunks
        self._cancelled, self._asked, self._straggling = cancelled, asked, straggling
        self._price = _Price(spent)
        self._usd: float | None = None
        self._next_price = 0.0
        self._shown = ProgressArtifact()
        self._told = 0.0

    def look(self) -> None:
        """One look; nothing about it fails the render."""
        # Apart: who cannot see how far the chunks are hears all the same that they are to stop.
        hear(self._folder, self._cancelled)
        with only_looking():
            self._look()

    def _look(self) -> None:
        progress = self._reader.read()
        pace = self._speedometer.pace(self._reader.frames_done)
        done = self._reader.chunks_done
        if time.monotonic() >= self._next_price or done == self._chunks:
            self._usd = self._price.look()
            self._next_price = time.monotonic() + PRICE_SECONDS
        told = describe(pace, (done, self._chunks), self._usd)
        self._shown.show(pace.fraction, told)
        if pace.fraction - self._told >= TOLD_STEP:
            self._told = pace.fraction
            run_logger().info(told)
        for chunk in self._stragglers.look(progress, self._asked(), time.monotonic()):
            self._straggling(chunk)


class _Price:
    """Asks for the price in a thread of its own: a look does not wait for a thousand reads."""

    def __init__(self, spent: Callable[[], float | None]) -> None:
        self._spent = spent
        self._usd: float | None = None
        self._asking: threading.Thread | None = None

    def look(self) -> float | None:
        """The price, or the last one there was where it takes longer than a look may."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=copy_context().run, args=(self._ask,), name="price", daemon=True)
            self._asking.start()
        self._asking.join(PRICE_WAIT_SECONDS)
        return self._usd

    def _ask(self) -> None:
        with only_looking():
            self._usd = self._spent()
