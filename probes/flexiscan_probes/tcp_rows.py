"""Which TCP ports are asked, and with which question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flexiscan.model.profile import Profile
from flexiscan.model.target import Target

HTTP_PORT = 80
HTTPS_PORT = 443


def web_ports(target: Target) -> Mapping[int, str]:
    """The standard and the declared web ports with their questions."""
    return {
        HTTP_PORT: "http",
        HTTPS_PORT: "tls",
        target.http_port: "http",
        target.https_port: "tls",
    }


def tcp_questions(profile: Profile, target: Target) -> Mapping[int, str]:
    """Every TCP port to be asked: the profile's rows, the web ports and the declared MiTai ports, ascending."""
    rows: Iterable[tuple[int, str]] = [
        (port, row.question)
        for row in profile.ports
        if row.transport == "tcp"
        for port in range(row.port, (row.last_port or row.port) + 1)
    ]
    questions = dict.fromkeys(target.mitai_ports, "banner") | dict(rows) | dict(web_ports(target))
    return dict(sorted(questions.items()))
