"""Which rules the user asked for (`--only`, `--skip`), and which tasks those rules need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from flexiscan.model.plan import Task
from flexiscan.policy.rule import Ground, Need, Rule, Subject

ALWAYS_ROLES = frozenset({"address", "control", "tcp-canary", "icmp-raw"})
"""Without these nothing can be judged at all: the addresses and the controls."""

NAME_ROLES = frozenset({"address", "alias"})
"""Questions to name servers about the name itself."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Globs over rule ids. Empty `only` means all."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def includes(self, rule: str) -> bool:
        """Whether a rule is to be judged."""
        wanted = not self.only or any(fnmatchcase(rule, glob) for glob in self.only)
        return wanted and not any(fnmatchcase(rule, glob) for glob in self.skip)

    def unmatched(self, rules: Iterable[str]) -> tuple[str, ...]:
        """Globs that match no rule: most likely a slip of the pen."""
        known = tuple(rules)
        return tuple(glob for glob in self.only + self.skip if not any(fnmatchcase(rule, glob) for rule in known))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tasks that the selected rules need: the rest is not sent at all."""

    hosts: frozenset[str]
    addresses: frozenset[tuple[str, str | None]]
    ports: frozenset[tuple[str, str | None, str | None, int | None]]

    def includes(self, task: Task) -> bool:
        """Whether any selected rule looks at this task."""
        if task.role in ALWAYS_ROLES or task.role in self.hosts:
            return True
        if (task.role, task.address) in self.addresses:
            return True
        return (task.role, task.address, task.transport, task.port) in self.ports


def wanted_tasks(rules: Iterable[Rule], selection: Selection, ground: Ground) -> Wanted:
    """What the selected rules need of this ground.

    Some rules judge each port that accepts: every port that the profile or the target names may turn out to.
    """
    ground = replace(ground, accepted=_may_accept(ground))
    hosts: set[str] = set()
    addresses: set[tuple[str, str | None]] = set()
    ports: set[tuple[str, str | None, str | None, int | None]] = set()
    for rule in rules:
        if not selection.includes(rule.id):
            continue
        for subject in rule.subjects(ground):
            for need in rule.needs:
                _add(need, subject, hosts, addresses, ports)
    return Wanted(frozenset(hosts), frozenset(addresses), frozenset(ports))


def asks_addresses(rules: Iterable[Rule], selection: Selection) -> bool:
    """Whether any selected rule needs more than DNS knows: if not, no packet goes to the target at all."""
    return any(need.role not in NAME_ROLES for r in rules if selection.includes(r.id) for need in r.needs)


def _may_accept(ground: Ground) -> dict[str, tuple[int, ...]]:
    target = ground.target
    named = {row.port for row in ground.profile.ports if row.transport == "tcp" and row.last_port is None}
    named.update((target.http_port, target.https_port, *target.mitai_ports))
    return {a.address: tuple(sorted({*named, *ground.accepted.get(a.address, ())})) for a in ground.addresses}


def _add(
    need: Need,
    subject: Subject,
    hosts: set[str],
    addresses: set[tuple[str, str | None]],
    ports: set[tuple[str, str | None, str | None, int | None]],
) -> None:
    match need.at:
        case "host":
            hosts.add(need.role)
        case "address":
            addresses.add((need.role, subject.address))
        case "tcp-port":
            ports.add((need.role, subject.address, "tcp", subject.port))
        case "port":
            ports.add((need.role, subject.address, subject.transport, subject.port))
