"""The memory of another process: the same content by whichever way the system allows."""

from __future__ import annotations

import ctypes
import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from lambda_handler import process_memory
from lambda_handler.process_memory import ProcessMemory

CONTENT = bytes(range(256)) * 4096
HOLDS = (
    "import ctypes, sys; held = ctypes.create_string_buffer(bytes(range(256)) * 4096);"
    "print(ctypes.addressof(held), flush=True); sys.stdin.read()"
)


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds CONTENT, and where."""
    command = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, int(process.stdout.readline())


def _refused(code: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        ctypes.set_errno(code)
        return -1

    return call


@pytest.mark.parametrize("code", [None, errno.EPERM, errno.ENOSYS], ids=["at once", "forbidden", "unknown"])
def test_another_process_is_read(
    other: tuple[subprocess.Popen[str], int], code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the quick way is forbidden, or there is none."""
    process, address = other
    if code is not None:
        monkeypatch.setattr(process_memory, "LIBC", SimpleNamespace(process_vm_readv=_refused(code)))
    memory = ProcessMemory(process.pid)
    assert memory.read(address, len(CONTENT)) == CONTENT
    assert memory.read(address + 1000, 10) == CONTENT[1000:1010]
    memory.close()


def test_a_process_that_has_ended_cannot_be_read(other: tuple[subprocess.Popen[str], int]) -> None:
    """It is an error, or there is nothing."""
    process, address = other
    memory = ProcessMemory(process.pid)
    process.kill()
    process.wait()
    try:
        assert memory.read(address, 100) == b""
    except OSError as error:
        assert error.errno == errno.ESRCH
    memory.close()
