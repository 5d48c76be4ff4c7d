"""A pipe that lends: what comes out is what went in, whoever is slow, and nothing is kept longer than it is lent."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from lambda_handler.libc import LIBC
from lambda_handler.pipe import LARGE_BYTES, Pipe


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """A pipe: the end to read from, and the one to write to."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def _refuses(*_: object) -> int:
    ctypes.set_errno(errno.EPERM)
    return -1


@pytest.mark.parametrize("lends", [True, False], ids=["lent", "copied"])
def test_what_comes_out_is_what_went_in(ends: tuple[int, int], lends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks and large ones, to a reader that is late, also where the system lends nothing."""
    if not lends:
        monkeypatch.setattr(LIBC, "vmsplice", _refuses)
    reading, writing = ends
    noise = random.Random(5)
    sizes = [8, 3 * LARGE_BYTES + 1, 1, LARGE_BYTES, LARGE_BYTES - 1, 40 * LARGE_BYTES, 0, 2, 20 * LARGE_BYTES + 7]
    blocks = [noise.randbytes(size) for size in sizes]
    received = bytearray()

    def read() -> None:
        time.sleep(0.1)
        while part := os.read(reading, 50_000):
            received.extend(part)
            time.sleep(0.0005)

    reader = threading.Thread(target=read)
    reader.start()
    taken = Pipe(writing)
    for block in blocks:
        # A copy that nobody else keeps: were it let go too early, other blocks would take its place.
        taken.write(bytes(bytearray(block)))
    os.close(writing)
    reader.join()
    assert bytes(received) == b"".join(blocks)


def test_a_block_is_kept_until_it_has_been_read(ends: tuple[int, int]) -> None:
    """And let go with the next write after that."""
    reading, writing = ends
    taken = Pipe(writing)
    taken.write(b"x" * LARGE_BYTES)
    assert len(taken._held) == 1
    left = LARGE_BYTES
    while left > 1:
        left -= len(os.read(reading, left - 1))
    taken.write(b"y")
    assert len(taken._held) == 1
    os.read(reading, 1)
    taken.write(b"y")
    assert len(taken._held) == 0


def test_a_pipe_that_nobody_reads_is_broken(ends: tuple[int, int]) -> None:
    """As any other."""
    reading, writing = ends
    os.close(reading)
    before = signal.getsignal(signal.SIGPIPE)
    assert before == signal.SIG_IGN, "Python ignores it"
    with pytest.raises(BrokenPipeError):
        Pipe(writing).write(b"x" * LARGE_BYTES)
