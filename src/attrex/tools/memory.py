"""How much memory a process takes."""

from __future__ import annotations

import resource
import sys


def peak_mb() -> float:
    """The most memory this process has held, in megabytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
