"""How many sockets this process may still open."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Final

WANTED: Final = 16384
"""Enough for three addresses at the highest pace with a second's answers outstanding each."""
_KEPT_FREE: Final = 128
"""For everything else that runs beside a sweep: the record, controls, other connections, helper processes."""


def spare_descriptors() -> int:
    """Descriptors that may be opened beside those that are open; at least 1.

    The soft limit is raised towards `WANTED` where the hard limit allows it (getrlimit(2)): the usual 1024 would
    slow a sweep down. Only meant for Linux; elsewhere a cautious guess.
    """
    if sys.platform != "linux":
        return _KEPT_FREE
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    return max(1, limit - sum(1 for _ in Path("/proc/self/fd").iterdir()) - _KEPT_FREE)
