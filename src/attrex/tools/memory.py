"""How much memory a process takes, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import resource
import sys


def peak_mb() -> float:
    """The most memory this process has held, in megabytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def give_back() -> None:
    """Let the C library give back what it keeps of freed memory, where it is one that can (glibc).

    Tensors of ever new sizes leave holes that none of the next ones fits, so that a long run would grow and grow.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
