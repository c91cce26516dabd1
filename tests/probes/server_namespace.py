"""A network namespace that leads nowhere, for real servers and the port probes that ask them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flexiscan_lab.programs import find_program

ROOT = Path(__file__).parents[2]
READY_S = 45.0
V4, V6 = "192.0.2.1", "2001:db8::1"
Question = tuple[str, str, int, str]
"""Transport, address, port, name of the question ("inside-..." goes inside TLS)."""


class Namespace:
    """A network namespace with servers in it; everything goes when it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._servers: list[subprocess.Popen[bytes]] = []
        if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
            pytest.skip("the kernel gives no network namespace")
        for command in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{V4}/32", "dev", "lo"),
            ("addr", "add", f"{V6}/128", "dev", "lo"),
        ):
            subprocess.run(["ip", "-n", name, *command], check=True)

    def start(self, *argv: str) -> None:
        # A session of its own: some servers end by ending their whole process group.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        self._servers.append(subprocess.Popen(["ip", "netns", "exec", self.name, *argv], **quiet))  # type: ignore[call-overload]

    def ask_all(self, questions: Iterable[Question]) -> list[dict[str, Any]]:
        """The facts about these questions, asked one after the other by one process."""
        words = [str(word) for question in questions for word in question]
        path = os.pathsep.join(str(ROOT / folder) for folder in (".", "probes"))
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, sys.executable, "-m", "tests.probes.ask_one", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, transport: str, address: str, port: int, question: str) -> dict[str, Any]:
        [fact] = self.ask_all([(transport, address, port, question)])
        return fact

    def ask_all_until_there(self, questions: Sequence[Question]) -> dict[Question, dict[str, Any]]:
        """Ask again while a server is not listening yet."""
        ends_s = time.monotonic() + READY_S
        while True:
            facts = self.ask_all(questions)
            if all(is_there(fact) for fact in facts) or time.monotonic() > ends_s:
                return dict(zip(questions, facts, strict=True))

    def ask_until_there(self, transport: str, address: str, port: int, question: str) -> dict[str, Any]:
        [fact] = self.ask_all_until_there([(transport, address, port, question)]).values()
        return fact

    def close(self) -> None:
        for server in self._servers:
            server.terminate()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", self.name], check=True)


def is_there(fact: dict[str, Any]) -> bool:
    return fact.get("connect") == "accepted" or fact.get("reply") == "data"


def require(programs: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace")
    found = [find_program(name) for name in programs]
    if None in found:
        pytest.skip(f"needs {', '.join(programs)}")
    return [path for path in found if path]
