"""Which ports may carry a web site of the host."""

from __future__ import annotations

from collections.abc import Sequence

from flexiscan.model.facts import TcpExchange
from flexiscan.model.target import Target
from flexiscan.policy.rule import Seen

DEFAULT_HTTP_PORT = 80
DEFAULT_HTTPS_PORT = 443
BACKEND_PORTS = (8080, 4443)
"""Bindings of the separate site (guide: Create a separate Website for External web)."""
DECLARED_SERVICE_PORTS = {"telephony-manager": 9692, "active-state": 13404}
"""Guide: Technical overview."""


def web_ports(target: Target) -> tuple[int, ...]:
    """The ports for web sites: the standard ones, the backend's, the declared ones."""
    ports = (DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, *BACKEND_PORTS, target.http_port, target.https_port)
    return tuple(dict.fromkeys(ports))


def admin_ports(target: Target) -> tuple[int, ...]:
    """The ports on which nobody may find /admin: the web ports, the backend's, and every declared one."""
    ports = list(web_ports(target))
    ports += [DECLARED_SERVICE_PORTS[name] for name in target.ports]
    ports += target.mitai_ports
    return tuple(dict.fromkeys(ports))


def is_closed(connects: Sequence[Seen]) -> bool:
    """Whether the port was asked and never accepted: reset, ICMP or silence, which the ports rules judge."""
    facts = [seen.fact for seen in connects if isinstance(seen.fact, TcpExchange)]
    return bool(facts) and all(fact.connect != "accepted" for fact in facts)
