"""What all replies together say about one family of a host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flexiscan.model.dns_answer import AnswerPath, addresses_of, sort_addresses
from flexiscan.model.dns_reading import ABSENCES, RDTYPE_OF, ReadingKind, read_reply
from flexiscan.model.endpoint import Family
from flexiscan.model.facts_dns import DnsReply
from flexiscan.policy.rule import Case, Seen

Obstacle = Literal[
    "not-asked",
    "resolver-silent",
    "resolver-failed",
    "resolver-garbage",
    "resolver-filters",
    "absence-doubtful",
    "answer-incomplete",
    "answer-contradictory",
]
OBSTACLES: tuple[tuple[ReadingKind, Obstacle], ...] = (
    ("contradictory", "answer-contradictory"),
    ("filtered", "resolver-filters"),
    ("doubtful", "absence-doubtful"),
    ("incomplete", "answer-incomplete"),
    ("failed", "resolver-failed"),
    ("garbage", "resolver-garbage"),
    ("silent", "resolver-silent"),
)
"""The obstacle that is told when servers failed in several ways: the one that says most comes first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reply and what it says."""

    seen: Seen
    reply: DnsReply
    kind: ReadingKind
    path: AnswerPath
    proven: bool = False

    @property
    def definite(self) -> bool:
        """Whether it says that there are addresses, or that there are none."""
        return self.kind == "addresses" or self.kind in ABSENCES

    def shown(self) -> dict[str, Any]:
        """For the parameters of a finding."""
        told: dict[str, Any] = {"server": self.reply.server, "rdtype": self.reply.rdtype, "saw": self.kind}
        if self.reply.rcode is not None:
            told["rcode"] = self.reply.rcode
        if self.path.addresses:
            told["addresses"] = list(self.path.addresses)
        return told


@dataclass(frozen=True, slots=True)
class FamilyReading:
    """What all servers together say about one family of a host."""

    family: Family
    state: Literal["present", "absent", "name-unknown", "cannot-tell"]
    readings: tuple[Reading, ...]
    addresses: tuple[str, ...] = ()
    obstacle: Obstacle | None = None

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The facts that it rests on: those that say the same where the state is known, otherwise all."""
        if self.state == "cannot-tell":
            return tuple(one.seen for one in self.readings)
        kinds = {"addresses"} if self.state == "present" else ABSENCES
        return tuple(one.seen for one in self.readings if one.kind in kinds)

    @property
    def disagree(self) -> bool:
        """Whether servers that answered say different things."""
        return len({(one.kind, one.path.addresses) for one in self.readings if one.definite}) > 1

    @property
    def proven(self) -> bool:
        """Whether an absence was proven by a zone's SOA and no server said otherwise."""
        return not self.disagree and any(one.proven for one in self.readings)


def read_facts(seen: Iterable[Seen]) -> tuple[Reading, ...]:
    """Readings of all DNS facts among these, each in the light of the others."""
    replies = [(one, one.fact) for one in seen if isinstance(one.fact, DnsReply)]
    facts = [reply for _, reply in replies]
    return tuple(_reading(one, reply, facts) for one, reply in replies)


def _reading(seen: Seen, reply: DnsReply, others: Sequence[DnsReply]) -> Reading:
    said = read_reply(reply, others)
    return Reading(seen, reply, said.kind, said.path, said.proven)


def read_family(case: Case, family: Family) -> FamilyReading:
    """What the servers say about one family of the case's host, asked for the host itself.

    Where every server says "none" but the end of the alias chain, asked by its own name, has addresses, the
    answer was incomplete.
    """
    rdtype = RDTYPE_OF[family]
    asked = read_facts(case.of("address"))
    judged = combine(family, [one for one in asked if one.reply.rdtype == rdtype], _name_exists(asked))
    if judged.state in ("absent", "name-unknown"):
        replies = [one.reply for one in (*asked, *read_facts(case.of("alias")))]
        if addresses_of(case.target.host, [reply for reply in replies if reply.rdtype in (rdtype, "CNAME")]):
            return FamilyReading(family, "cannot-tell", judged.readings, obstacle="answer-incomplete")
    return judged


def combine(family: Family, readings: Sequence[Reading], name_exists: bool) -> FamilyReading:
    """The union of what servers say: one that has addresses outweighs one that has none."""
    kept = tuple(readings)
    kinds = {one.kind for one in kept}
    if "addresses" in kinds:
        found = sort_addresses(address for one in kept if one.kind == "addresses" for address in one.path.addresses)
        return FamilyReading(family, "present", kept, found)
    if kinds & ABSENCES:
        unknown = kinds & ABSENCES == {"name-unknown"} and not name_exists
        return FamilyReading(family, "name-unknown" if unknown else "absent", kept)
    for kind, obstacle in OBSTACLES:
        if kind in kinds:
            return FamilyReading(family, "cannot-tell", kept, obstacle=obstacle)
    return FamilyReading(family, "cannot-tell", kept, obstacle="not-asked")


def _name_exists(readings: Iterable[Reading]) -> bool:
    """Whether any server knows the name: NXDOMAIN for one type alone is a defect of the server (RFC 4074 4.2)."""
    return any(one.kind in ("addresses", "absent", "target-unknown") for one in readings)
