"""Which records of a DNS reply answer its question: those reached from the name through its aliases, no others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from flexiscan.model.facts_dns import DnsRecord, DnsReply

ADDRESS_TYPES = ("A", "AAAA")

LOCAL_NAME = "localhost."

FILTERING_ERRORS = frozenset({4, 15, 16, 17})
"""Extended errors of a resolver that does not give the name's own answer: forged, blocked, censored, filtered."""

MAX_ALIAS_LINKS = 8
"""Longer chains are a fault: common resolvers give up between 8 and 16 links (RFC 1034 3.6.2 asks for none)."""


@dataclass(frozen=True, slots=True)
class AnswerPath:
    """The way from the question through the answer section."""

    names: tuple[str, ...]
    """The name asked for, then each alias target, in the order reached; no name twice."""
    addresses: tuple[str, ...] = ()
    """Of the type asked for, at any name reached; sorted."""
    loops: bool = False
    ambiguous: tuple[str, ...] = ()
    """Names with more than one alias target."""
    beside_data: tuple[str, ...] = ()
    """Names that are an alias and hold an address as well."""

    @property
    def end(self) -> str:
        """The last name of the chain."""
        return self.names[-1]

    @property
    def links(self) -> int:
        """How many aliases were followed."""
        return len(self.names) - 1


def canonical_name(name: str) -> str:
    """Absolute, in lower case: names are compared without case (RFC 1035 2.3.3)."""
    return name.lower() if name.endswith(".") else name.lower() + "."


def without_dns(host: str) -> Literal["", "literal-address", "local-name"]:
    """Why no name server is asked for the host; "" when one is.

    A literal address (with or without brackets) has no name; `localhost` never leaves the machine (RFC 6761 6.3).
    """
    if canonical_name(host) == LOCAL_NAME:
        return "local-name"
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return ""
    return "literal-address"


def answer_path(reply: DnsReply) -> AnswerPath:
    """Follow the aliases of the answer section from the question, whatever the order of the records."""
    targets = _targets_by_name(reply.records)
    start = canonical_name(reply.name)
    names, loops = _first_chain(start, targets)
    reached = _all_reached(start, targets)
    holders = {canonical_name(record.name) for record in reply.records if record.rdtype in ADDRESS_TYPES}
    return AnswerPath(
        names=names,
        addresses=_addresses_at(reached, reply),
        loops=loops,
        ambiguous=tuple(sorted(name for name in reached if len(targets.get(name, ())) > 1)),
        beside_data=tuple(sorted(name for name in reached if name in targets and name in holders)),
    )


def addresses_of(host: str, replies: Sequence[DnsReply]) -> tuple[str, ...]:
    """All addresses of a host, both families, sorted and without duplicates: IPv4 first.

    Counts only replies without an error and without a filter, to a question for the host itself or for a name that
    its alias chain leads to, and in them only records reached from the question.
    """
    usable = [reply for reply in replies if reply.rcode == "NOERROR" and not is_filtered(reply)]
    known = {canonical_name(host)}
    found: set[str] = set()
    waiting = usable
    while waiting:
        taken = [reply for reply in waiting if canonical_name(reply.name) in known]
        if not taken:
            break
        waiting = [reply for reply in waiting if canonical_name(reply.name) not in known]
        for reply in taken:
            known |= _all_reached(canonical_name(reply.name), _targets_by_name(reply.records))
            found.update(answer_path(reply).addresses)
    return sort_addresses(found)


def is_filtered(reply: DnsReply) -> bool:
    """Whether the resolver says that it replaced the answer (RFC 8914 4.5, 4.16 to 4.18)."""
    return not FILTERING_ERRORS.isdisjoint(reply.extended_errors)


def sort_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """IPv4 first, each family in numeric order, without duplicates. Raises ValueError for anything else."""
    parsed = {ipaddress.ip_address(address) for address in addresses}
    return tuple(str(address) for address in sorted(parsed, key=lambda one: (one.version, int(one))))


def _targets_by_name(records: Iterable[DnsRecord]) -> dict[str, tuple[str, ...]]:
    targets: dict[str, tuple[str, ...]] = {}
    for record in records:
        if record.rdtype == "CNAME":
            name, target = canonical_name(record.name), canonical_name(record.data)
            targets[name] = tuple(dict.fromkeys((*targets.get(name, ()), target)))
    return targets


def _first_chain(start: str, targets: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], bool]:
    names = [start]
    while names[-1] in targets:
        following = targets[names[-1]][0]
        if following in names:
            return tuple(names), True
        names.append(following)
    return tuple(names), False


def _all_reached(start: str, targets: dict[str, tuple[str, ...]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(targets.get(name, ()))
    return reached


def _addresses_at(names: set[str], reply: DnsReply) -> tuple[str, ...]:
    if reply.rdtype not in ADDRESS_TYPES:
        return ()
    return sort_addresses(
        record.data
        for record in reply.records
        if record.rdtype == reply.rdtype and canonical_name(record.name) in names
    )
