"""A worker that does what its request says; for the tests of asking one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from flexiscan.net.wall import ScopeViolation
from flexiscan.net.worker_guard import run_worker


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Behave."""
    match request["do"]:
        case "echo":
            return {"echo": request["value"]}
        case "environment":
            return {"names": sorted(os.environ), "session": os.getsid(0) == os.getpid()}
        case "chatter":
            print("chatter on standard output")
            os.write(1, b"and below it")
            return {"quiet": True}
        case "complain":
            print("x" * 200_000 + " the reason", file=sys.stderr)
            raise SystemExit(3)
        case "fail":
            raise ValueError("the defect")
        case "hang":
            child = subprocess.Popen(("sleep", "1000"))
            Path(request["pids"]).write_text(f"{os.getpid()} {child.pid}", "utf-8")
            threading.Event().wait()
        case "list":
            return []  # type: ignore[return-value]
        case "connect":
            try:
                socket.create_connection((request["address"], request["port"])).close()
            except ScopeViolation as violation:
                return {"error": type(violation).__name__, "reason": violation.reason}
        case "leave":
            os._exit(0)
        case "flood":
            return {"flood": "x" * 40_000_000}
    raise AssertionError(request)


if __name__ == "__main__":
    run_worker(answer)
