"""The other end of `ask_worker`: a worker module ends with

    if __name__ == "__main__":
        run_worker(answer)

The wall stands for the whole process before the request is handed out, so that no library of the worker gets past
it, in whichever thread. Standard output carries the answer alone: whatever a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from flexiscan.net.wall import ScopeWall

MAX_MEMORY_BYTES = 4 * 1024**3
"""Address space, which thread stacks and arenas take generously; a hostile answer must not take all of the machine."""
_GRACE_S = 2


def run_worker(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read the request from standard input, put up the wall, write what `answer` makes of it to standard output.

    Nothing is written when `answer` raises: the caller then learns that the worker died. Raises ValueError or
    KeyError when standard input carries no request.
    """
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        envelope = json.load(sys.stdin)
        _limit(float(envelope["deadline_s"]))
        ScopeWall.from_json(envelope["wall"]).enforce_for_process()
        json.dump({"answer": answer(envelope["request"])}, answers)


def _limit(deadline_s: float) -> None:
    """End by itself soon after the deadline, even when the parent was killed and nobody is left to end it."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        signal.alarm(int(deadline_s) + _GRACE_S)
