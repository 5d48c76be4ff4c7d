"""A pipe that takes large blocks without copying them: its reader copies out of the writer's own memory, vmsplice(2).

A raw picture would be copied into the pipe and out of it again, 3 ms more of CPU for 8 MB.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import termios
from collections import deque
from contextlib import suppress
from typing import Protocol

from lambda_handler.libc import LIBC, Block

# As much as Linux gives anyone (pipe(7)): a raw picture of 8 MB goes through in 8 turns, not 128.
PIPE_BYTES = 1 << 20
LARGE_BYTES = 1 << 16
_WITHOUT_IT = (errno.ENOSYS, errno.EPERM, errno.EINVAL)


class Writes(Protocol):
    """What can be written to."""

    def write(self, content: bytes, /) -> object:
        """Takes all of `content`."""
        ...


class Pipe:
    """The writing end `fd` of a pipe. Raises BrokenPipeError where nobody reads it any more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        with suppress(OSError):  # where a user has many of them
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._sent = 0
        # What is in the pipe by reference only, and at which byte of the stream it ends.
        self._held: deque[tuple[int, bytes]] = deque()
        self._lends = True

    def write(self, content: bytes) -> None:
        """Takes all of `content`, which is kept until it has been read."""
        self._release()
        done = self._lent(content) if self._lends and len(content) >= LARGE_BYTES else 0
        left = memoryview(content)[done:]
        while left:
            left = left[os.write(self._fd, left) :]
        self._sent += len(content)

    def _lent(self, content: bytes) -> int:
        """How many of the bytes could be lent, from the first on: fewer than all where the system does not do it."""
        self._held.append((self._sent + len(content), content))
        whole = Block.of(content)
        done = 0
        while done < len(content):
            count = LIBC.vmsplice(self._fd, Block(whole.base + done, len(content) - done), 1, 0)
            if count < 0:
                code = ctypes.get_errno()
                if code == errno.EINTR:
                    continue
                if code in _WITHOUT_IT:
                    self._lends = False
                    return done
                raise OSError(code, os.strerror(code))
            done += count
        return done

    def _release(self) -> None:
        if self._held:
            unread = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, b"\0\0\0\0"))[0]
            while self._held and self._held[0][0] <= self._sent - unread:
                self._held.popleft()
