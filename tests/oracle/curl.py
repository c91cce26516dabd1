"""Asks curl the questions that a scan has asked, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flexiscan_lab.lab import Lab

CONNECT_TIMEOUT_S = 2
NO_CONNECTION = (7, 28)
"""curl's exit codes for a connection refused and for a timeout."""

TELLING = ("x-powered-by", "x-aspnet-version", "server", "location", "strict-transport-security")
"""Headers whose values a server gives alike to everybody who asks the same."""


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """One request; `target` is the request target as it is sent."""

    scheme: str
    address: str
    port: int
    method: str
    target: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Status (0: nobody accepted the connection) and the telling headers, in order."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


def question_of(address: str, port: int, fact: Mapping[str, Any]) -> Question:
    """The question behind an HTTP fact."""
    return Question(fact["scheme"], address, port, fact["method"], fact["target"])


def reply_of(fact: Mapping[str, Any]) -> Reply:
    """What an HTTP fact says was answered."""
    return Reply(fact["status"], _telling((name, value) for name, value in fact["headers"]))


def ask_curl(lab: Lab, curl: str, questions: Iterable[Question]) -> dict[Question, Reply]:
    """Put every question once. The lab's certificate is taken as it is."""
    return {question: _ask(lab, curl, question) for question in sorted(questions)}


def _ask(lab: Lab, curl: str, question: Question) -> Reply:
    shown = f"[{question.address}]" if ":" in question.address else question.address
    argv = [curl, "--silent", "--show-error", "--insecure", "--http1.1", "--connect-timeout", str(CONNECT_TIMEOUT_S)]
    argv += ["--max-time", "20", "--noproxy", "*", "--request", question.method, "--output", "/dev/null"]
    argv += ["--dump-header", "-", "--resolve", f"{lab.host}:{question.port}:{shown}"]
    argv += ["--request-target", question.target, f"{question.scheme}://{lab.host}:{question.port}/"]
    done = lab.run(argv, capture_output=True, timeout=30)
    if done.returncode in NO_CONNECTION:
        return Reply(0)
    assert done.returncode == 0, (question, done)
    first, *lines = done.stdout.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return Reply(int(first.split()[1]), _telling((name, value.strip()) for name, _, value in pairs))


def _telling(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in headers if name.lower() in TELLING)
