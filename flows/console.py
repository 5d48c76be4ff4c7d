"""The progress bar: frames, frames per second, time left, read from the render folder while the flow runs."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lambda_handler.errors import RenderError
from lambda_handler.manifest import load
from lambda_handler.progress import ProgressReader, Speedometer
from lambda_handler.render_folder import RenderFolder

LOOK_SECONDS = 0.5
UNREADABLE = "not readable just now"


class RenderBar:
    """Draws the bar in a thread of its own, from `__enter__` to `__exit__`."""

    def __init__(self, folder: RenderFolder, console: Console) -> None:
        self._folder = folder
        self._reader = ProgressReader(folder)
        self._speedometer: Speedometer | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
            disable=console.quiet,
        )

    def __enter__(self) -> None:
        self._bar.start()
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._bar.stop()

    def _draw(self) -> None:
        task = self._bar.add_task("Planning", total=None, told="")
        while True:
            last = self._over.is_set()
            self._look(task)
            if last:
                return
            self._over.wait(LOOK_SECONDS)

    def _look(self, task: TaskID) -> None:
        try:
            if self._speedometer is None and (manifest := load(self._folder.manifest)):
                self._speedometer = Speedometer(manifest.total_frames)
                self._bar.update(task, description="Rendering", total=manifest.total_frames)
            if self._speedometer is None:
                self._bar.update(task, told="")
                return
            self._reader.read()
        except RenderError:
            self._bar.update(task, told=UNREADABLE)
            return
        pace = self._speedometer.pace(self._reader.frames_done)
        left = f", {lasting(pace.seconds_left)} left" if pace.seconds_left else ""
        speed = f"  {pace.per_second:.1f} frames/s" if pace.per_second else ""
        self._bar.update(task, completed=pace.done, told=f"{pace.done}/{pace.total} frames{speed}{left}")


def lasting(seconds: float) -> str:
    """A duration for people: 8.2 s, 41 s, 2 min 5 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(size_bytes: int) -> str:
    """A size for people, in decimal units."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
