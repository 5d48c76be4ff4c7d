"""What a flow does while chunks are rendered: it shows how far they are, and hears when the render is cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger

from lambda_handler import storage
from lambda_handler.errors import RenderError
from lambda_handler.progress import ProgressReader, Speedometer
from lambda_handler.render_folder import RenderFolder
from tasks.artifacts import ProgressArtifact, describe
from tasks.stragglers import Stragglers

TOLD_STEP = 0.1
PRICE_SECONDS = 30.0
"""A price is a read for each attempt there was."""


@contextmanager
def only_looking() -> Iterator[None]:
    """A store, a stack or a Prefect API that does not answer just now fails no render: the log says so."""
    try:
        yield
    except (RenderError, httpx.HTTPError) as error:
        get_run_logger().warning("The render cannot be looked at: %s", str(error).partition("\n")[0])


class Following:
    """Looks at a render's folder: so it is the same for both engines.

    `cancelled` is called once when the folder says so, `straggling` with each chunk that stands still or lags;
    `spent` says what it has cost so far, in USD, where anything is to be paid.
    """

    def __init__(
        self,
        folder: RenderFolder,
        *,
        frames: int,
        chunks: int,
        cancelled: Callable[[], None],
        straggling: Callable[[int], None] = lambda _chunk: None,
        spent: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._reader = ProgressReader(folder)
        self._speedometer = Speedometer(frames)
        self._stragglers = Stragglers(chunks)
        self._chunks = chunks
        self._cancelled, self._straggling, self._spent = cancelled, straggling, spent
        self._usd: float | None = None
        self._next_price = 0.0
        self._shown = ProgressArtifact()
        self._told = 0.0
        self._stopped = False

    def look(self) -> None:
        """One look; nothing about it fails the render."""
        with only_looking():
            self._look()

    def _look(self) -> None:
        if not self._stopped and storage.exists(self._folder.cancel):
            self._stopped = True
            self._cancelled()
        progress = self._reader.read()
        pace = self._speedometer.pace(sum(chunk.done for chunk in progress.values()))
        done = sum(chunk.finished for chunk in progress.values())
        if time.monotonic() >= self._next_price or done == self._chunks:
            self._usd = self._spent()
            self._next_price = time.monotonic() + PRICE_SECONDS
        told = describe(pace, (done, self._chunks), self._usd)
        self._shown.show(pace.fraction, told)
        if pace.fraction - self._told >= TOLD_STEP:
            self._told = pace.fraction
            get_run_logger().info(told)
        for chunk in self._stragglers.look(progress, time.monotonic()):
            self._straggling(chunk)
