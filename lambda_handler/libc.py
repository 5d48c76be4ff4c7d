"""What of Linux's calls Python does not have: vmsplice(2) and process_vm_readv(2)."""

from __future__ import annotations

import ctypes


class Block(ctypes.Structure):
    """struct iovec: so many bytes from an address on."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    @classmethod
    def of(cls, content: bytes) -> Block:
        """The bytes' own memory, which has to be kept as long as this is used."""
        return cls(ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p), len(content))


_BLOCKS = (ctypes.POINTER(Block), ctypes.c_ulong)
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.vmsplice.argtypes = (ctypes.c_int, *_BLOCKS, ctypes.c_uint)
LIBC.vmsplice.restype = ctypes.c_ssize_t
LIBC.process_vm_readv.argtypes = (ctypes.c_int, *_BLOCKS, *_BLOCKS, ctypes.c_ulong)
LIBC.process_vm_readv.restype = ctypes.c_ssize_t
