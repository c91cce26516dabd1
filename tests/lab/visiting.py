"""Looking at a lab from the scanner's place: what the tests do instead of scanning."""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path
from typing import Any

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import TARGET_IPV4, TARGET_IPV6

VISITOR = str(Path(__file__).with_name("visitor.py"))
ADDRESSES = (TARGET_IPV4, TARGET_IPV6)
HOST = "flexi.example.test"


def visit(lab: Lab, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """Take steps in the scanner's place and return what was met."""
    done = lab.run([sys.executable, VISITOR], input=json.dumps(steps), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def get(address: str, path: str, port: int = 443, **options: Any) -> dict[str, Any]:
    """A step that asks for a page; over TLS unless the port is 80."""
    request = f"GET {path} HTTP/1.1\r\nHost: {options.pop('host', HOST)}\r\nConnection: close\r\n\r\n"
    tls = {} if port == 80 else {"tls": HOST}
    return {"do": "converse", "address": address, "port": port, "send": request, **tls, **options}


def ask(address: str, ports: list[int], payload: bytes = b"x", **options: Any) -> dict[str, Any]:
    """A step that sends a datagram to each port."""
    return {"do": "ask", "address": address, "ports": ports, "hex": payload.hex(), **options}


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int], deadline_s: float = 10.0) -> None:
    """Return as soon as none of these processes runs any more; AssertionError at the deadline."""
    ends_s = time.monotonic() + deadline_s
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < ends_s, f"still running: {pids}"
        select.select([], [], [], 0.01)
