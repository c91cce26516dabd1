"""Which TCP ports are asked, and with which question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flexiscan.model.facts import UdpExchange
from flexiscan.model.profile import Profile
from flexiscan.model.target import Target
from flexiscan.sdk import PlanView

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


def listed_ports(view: PlanView, address: str) -> tuple[int, ...]:
    """TCP ports that an answer from this address named and that are not asked anyway, in ascending order.

    The list is the word of a stranger: it is taken for this address alone, whatever names stand in it.
    """
    asked = tcp_questions(view.profile, view.target)
    named = {
        port
        for task_id, observation in view.seen.items()
        if view.tasks[task_id].address == address and isinstance(observation.outcome, UdpExchange)
        for port in observation.outcome.tcp_ports
    }
    return tuple(sorted(named - asked.keys()))
