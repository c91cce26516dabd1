"""What one DNS reply says, and what all replies together say about one family.

An absence counts only when a server that answers says so: NXDOMAIN, or NOERROR without records (NODATA, RFC 2308
section 2). A referral, an answer of other records only, or a chain not followed to its end is no absence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flexiscan.model.dns_answer import AnswerPath, addresses_of, answer_path, canonical_name, sort_addresses
from flexiscan.model.endpoint import Family
from flexiscan.model.facts_dns import DnsReply
from flexiscan.policy.rule import Case, Seen

ReadingKind = Literal[
    "addresses",
    "alias",  # asked for the alias itself: there is one
    "absent",  # the name is there, this type is not
    "name-unknown",  # NXDOMAIN for the name asked
    "target-unknown",  # NXDOMAIN for the end of its alias chain (RFC 6604)
    "contradictory",  # NXDOMAIN together with addresses
    "incomplete",  # no answer to the question: a referral, other records only, a chain not followed
    "failed",  # SERVFAIL, REFUSED and the like
    "garbage",
    "silent",
]
ABSENCES: frozenset[ReadingKind] = frozenset({"absent", "name-unknown", "target-unknown"})

Obstacle = Literal[
    "not-asked",
    "resolver-silent",
    "resolver-failed",
    "resolver-garbage",
    "answer-incomplete",
    "answer-contradictory",
]
OBSTACLES: tuple[tuple[ReadingKind, Obstacle], ...] = (
    ("contradictory", "answer-contradictory"),
    ("incomplete", "answer-incomplete"),
    ("failed", "resolver-failed"),
    ("garbage", "resolver-garbage"),
    ("silent", "resolver-silent"),
)
"""The obstacle that is told when servers failed in several ways: the one that says most comes first."""

RDTYPE_OF: dict[Family, str] = {"ipv4": "A", "ipv6": "AAAA"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One reply and what it says. `proven`: an absence that came with the zone's SOA (RFC 2308 2.1, 2.2)."""

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
        kinds = {"present": {"addresses"}, "cannot-tell": None}.get(self.state, set(ABSENCES))
        return tuple(one.seen for one in self.readings if kinds is None or one.kind in kinds)

    @property
    def disagree(self) -> bool:
        """Whether servers that answered say different things."""
        answers = {(one.kind, one.path.addresses) for one in self.readings if one.definite}
        return len(answers) > 1

    @property
    def proven(self) -> bool:
        """Whether an absence was proven by a zone's SOA and no server said otherwise."""
        return not self.disagree and any(one.proven for one in self.readings)


def read_facts(seen: Iterable[Seen]) -> tuple[Reading, ...]:
    """Readings of all DNS facts among these."""
    return tuple(read_reply(one, one.fact) for one in seen if isinstance(one.fact, DnsReply))


def read_reply(seen: Seen, reply: DnsReply) -> Reading:
    """What one reply says."""
    path = answer_path(reply)
    kind, proven = _kind_of(reply, path)
    return Reading(seen, reply, kind, path, proven)


def read_family(case: Case, family: Family) -> FamilyReading:
    """What the servers say about one family of the case's host, asked for the host itself.

    Where every server says "none" but the end of the alias chain, asked by its own name, has addresses, the
    answer was incomplete.
    """
    rdtype = RDTYPE_OF[family]
    readings = [one for one in read_facts(case.of("address")) if one.reply.rdtype == rdtype]
    judged = combine(family, readings, _name_exists(read_facts(case.of("address"))))
    if judged.state in ("absent", "name-unknown"):
        replies = [one.reply for one in read_facts((*case.of("address"), *case.of("alias")))]
        of_type = [reply for reply in replies if reply.rdtype in (rdtype, "CNAME")]
        if addresses_of(case.target.host, of_type):
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


def _kind_of(reply: DnsReply, path: AnswerPath) -> tuple[ReadingKind, bool]:
    if reply.outcome == "malformed":
        return "garbage", False
    if reply.outcome != "answer":
        # Something came, but never the answer: that is not silence.
        return ("garbage" if reply.discarded else "silent"), False
    if reply.rcode == "NXDOMAIN":
        return _kind_of_name_error(reply, path)
    if reply.rcode != "NOERROR":
        return "failed", False
    if "tc" in reply.flags:
        return "incomplete", False
    if path.addresses:
        return "addresses", False
    if reply.rdtype == "CNAME" and path.links and not path.loops:
        return "alias", False
    return _kind_of_no_data(reply, path)


def _kind_of_name_error(reply: DnsReply, path: AnswerPath) -> tuple[ReadingKind, bool]:
    if path.addresses:
        return "contradictory", False
    if not _may_deny(reply):
        return "incomplete", False
    kind: ReadingKind = "target-unknown" if path.links else "name-unknown"
    return kind, _start_of_authority(reply, path.end) == "above"


def _kind_of_no_data(reply: DnsReply, path: AnswerPath) -> tuple[ReadingKind, bool]:
    if path.loops:
        return "absent", True  # no resolver can get out of the loop, whatever else it holds
    if not _may_deny(reply) or _holds_other_records(reply, path):
        return "incomplete", False
    authority = _start_of_authority(reply, path.end)
    if authority == "above":
        return "absent", True
    referral = any(record.rdtype == "NS" for record in reply.authority)
    followed = not path.links or "ra" in reply.flags
    return ("incomplete" if authority == "elsewhere" or referral or not followed else "absent"), False


def _may_deny(reply: DnsReply) -> bool:
    """Only an authority or a recursive resolver can say that something does not exist."""
    return "aa" in reply.flags or "ra" in reply.flags


def _holds_other_records(reply: DnsReply, path: AnswerPath) -> bool:
    """Whether the answer section holds anything but the alias chain and what comes with it (DNAME, signatures)."""
    along = {"CNAME", "DNAME", "RRSIG"} if path.links else {"RRSIG"}
    return any(record.rdtype not in along for record in reply.records)


def _start_of_authority(reply: DnsReply, name: str) -> Literal["", "above", "elsewhere"]:
    """Where the zone of the SOA in the authority section stands: above the name (or at it), elsewhere, or none."""
    zones = [canonical_name(record.name) for record in reply.authority if record.rdtype == "SOA"]
    if not zones:
        return ""
    return "above" if any(is_at_or_below(name, zone) for zone in zones) else "elsewhere"


def is_at_or_below(name: str, zone: str) -> bool:
    """Whether an absolute name is the zone's apex or stands below it."""
    return zone == "." or name == zone or name.endswith("." + zone)
