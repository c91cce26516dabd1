"""One address of a host, for rules that look at all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from flexiscan.model.endpoint import TargetAddress
from flexiscan.policy.rule import Case, Seen, Subject

WEB_ROLE_PREFIX = "web-"


def published(case: Case) -> tuple[TargetAddress, ...]:
    """The addresses that DNS gives: servers behind the proxy need not answer as it does."""
    return tuple(address for address in case.addresses if not address.origin)


def case_at(case: Case, address: str, port: int) -> Case:
    """The same case as a rule about one port of one address sees it.

    Web answers of the other ports of that address stay, because a redirect is judged where it leads.
    """

    def kept(role: str, facts: Iterable[Seen]) -> tuple[Seen, ...]:
        whole_address = role.startswith(WEB_ROLE_PREFIX)
        return tuple(s for s in facts if s.task.address == address and (whole_address or s.task.port == port))

    facts = {role: kept(role, found) for role, found in case.facts.items()}
    return replace(case, subject=Subject(address, "tcp", port), facts=facts)


def distinct(seen: Iterable[Seen]) -> tuple[Seen, ...]:
    """Each observation once, in order."""
    return tuple({one.id: one for one in seen}.values())
