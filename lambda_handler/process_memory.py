"""The memory of another process: in one copy where the system has process_vm_readv(2), else from /proc/PID/mem in two.

Linux lets a process read its children's (ptrace(2), "ptrace access mode checking"), unless kernel.yama.ptrace_scope is
2 or more, or a container forbids it: some the one, some the other, some both.
"""

from __future__ import annotations

import ctypes
import errno
import os

from lambda_handler.libc import LIBC, Block

_FORBIDDEN = (errno.ENOSYS, errno.EPERM)


class ProcessMemory:
    """That of process `pid`. Raises OSError where it cannot be read at all. Close it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        self._at_once = True

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes from `address` on; fewer where less is there. Raises OSError."""
        if self._at_once:
            content: bytes = _uninitialised(None, size)
            count = LIBC.process_vm_readv(self._pid, Block.of(content), 1, Block(address, size), 1, 0)
            if count == size:
                return content
            if count >= 0:
                return content[:count]
            code = ctypes.get_errno()
            if code not in _FORBIDDEN:
                raise OSError(code, os.strerror(code))
            self._at_once = False
        return os.pread(self._file, size, address)

    def close(self) -> None:
        """It is not read any more."""
        os.close(self._file)


# Python's own bytes, which nobody has seen yet: cleared first, they would be written twice.
_uninitialised = ctypes.pythonapi.PyBytes_FromStringAndSize
_uninitialised.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)
_uninitialised.restype = ctypes.py_object
