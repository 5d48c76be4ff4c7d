"""The page's window as Chromium's compositor keeps it: read from the memory of the process that draws.

A screenshot is a copy of that memory's content, made three times, mapped anew each time, and packed as JPEG: seven
eighths of what a frame of moving text costs. Reading it takes one copy, and loses nothing.

Where the window lies is nobody's interface, so it is looked for, and believed only when it has followed two colours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from lambda_handler.errors import BrowserFailed
from lambda_handler.page.tab import Tab
from lambda_handler.process_memory import ProcessMemory

BYTES_PER_PIXEL = 4
# As a window holds them: blue, green, red and alpha.
COLOURS = (bytes((211, 94, 27, 255)), bytes((118, 23, 201, 255)))
# A page that has just been opened draws when its process has come so far, on a busy machine after a while.
PATIENCE_SECONDS = 5.0
SEARCHING_SECONDS = 0.5
POLL_SECONDS = 0.01
SEARCHES = 10
# A large block has a mapping of its own; a small one lies among others in one of this size.
SEARCHED_BYTES = 2 << 20
BLOCK_PIXELS = 1 << 14
_OWN_MEMORY = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0\b")


class Window:
    """A window of `size` bytes, at `address` in the memory of process `pid`. Make it with `reading`."""

    def __init__(self, pid: int, address: int, size: int) -> None:
        self._address = address
        self._size = size
        self._memory = ProcessMemory(pid)

    def pixels(self) -> bytes:
        """What was drawn last: rows from the top, four bytes a pixel, blue, green, red and one without meaning.

        Raises BrowserFailed when the process that draws is gone.
        """
        try:
            pixels = self._memory.read(self._address, self._size)
        except OSError as error:
            raise BrowserFailed(f"Chromium's window cannot be read: {error.strerror}.") from error
        if len(pixels) != self._size:
            raise BrowserFailed("Chromium's window cannot be read: the process that draws has died.")
        return pixels

    def follows(self, tab: Tab, draw: Callable[[], object], within: float = PATIENCE_SECONDS) -> bool:
        """Whether it shows each colour that the tab, which has to be blank, is given, within so many seconds."""
        return all(self._shows(tab, colour, draw, within) for colour in COLOURS)

    def close(self) -> None:
        """It is not read any more."""
        self._memory.close()

    def _shows(self, tab: Tab, colour: bytes, draw: Callable[[], object], within: float) -> bool:
        _give(tab, colour)
        until = time.monotonic() + within
        while True:
            draw()
            if _is_all(colour, self.pixels()):
                return True
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)


@contextmanager
def reading(tab: Tab, width: int, height: int) -> Iterator[Window | None]:
    """The window of a blank page, of `width` x `height` device pixels; None where it cannot be read."""
    window = _found(tab, width * height * BYTES_PER_PIXEL)
    tab.call("Emulation.setDefaultBackgroundColorOverride")
    try:
        yield window
    finally:
        if window:
            window.close()


def _found(tab: Tab, size: int) -> Window | None:
    processes = tab.devtools.call("SystemInfo.getProcessInfo")["processInfo"]
    draw = partial(tab.call, "HeadlessExperimental.beginFrame")
    with suppress(OSError):
        for pid in (each["id"] for each in processes if each["type"] == "GPU"):
            for _ in range(SEARCHES):
                _give(tab, COLOURS[0])
                draw()
                for address in list(_places(pid, size)):
                    window = Window(pid, address, size)
                    with suppress(BrowserFailed):  # it was given back meanwhile
                        if window.follows(tab, draw, SEARCHING_SECONDS):
                            return window
                    window.close()
                time.sleep(POLL_SECONDS)
    return None


def _is_all(colour: bytes, pixels: bytes) -> bool:
    # Looked at in place: a whole picture of the colour would be another 8 MB to fill.
    block = colour * BLOCK_PIXELS
    whole, rest = divmod(len(pixels), len(block))
    starts = range(0, whole * len(block), len(block))
    return pixels.endswith(block[:rest]) and all(pixels.startswith(block, start) for start in starts)


def _give(tab: Tab, colour: bytes) -> None:
    blue, green, red, opaque = colour
    given = {"r": red, "g": green, "b": blue, "a": opaque / 255}
    tab.call("Emulation.setDefaultBackgroundColorOverride", {"color": given})


def _places(pid: int, size: int) -> Iterator[int]:
    """Addresses where `size` bytes of a process's own memory may be a window in the first colour."""
    of_process = Path(f"/proc/{pid}")
    with (of_process / "mem").open("rb", buffering=0) as memory:
        for line in (of_process / "maps").read_text().splitlines():
            if not (mapping := _OWN_MEMORY.match(line)):
                continue
            begin, end = (int(bound, 16) for bound in mapping.groups())
            if end - begin < size:
                continue
            block = b""
            with suppress(OSError):  # it was given back meanwhile
                memory.seek(begin)
                block = memory.read(min(SEARCHED_BYTES, end - begin))
            offset = block.find(COLOURS[0] * 16)
            while 0 <= offset <= end - begin - size:
                yield begin + offset
                offset = block.find(COLOURS[0] * 16, offset + size)
