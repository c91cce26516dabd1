"""Whether the alias chain of a name leads both families to the same name, and that one has addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flexiscan.model.dns_answer import MAX_ALIAS_LINKS, AnswerPath, addresses_of, answer_path, canonical_name
from flexiscan.model.dns_reading import RDTYPE_OF
from flexiscan.model.endpoint import FAMILIES, Family
from flexiscan.model.facts_dns import DnsRecord
from flexiscan.policy.dns.reading import FamilyReading, Obstacle, Reading, combine, read_facts, read_family
from flexiscan.policy.rule import Case

Defect = Literal[
    "loop",
    "several-targets",  # a name with two aliases (RFC 2181 10.1)
    "beside-data",  # an alias that holds an address as well (RFC 1034 3.6.2)
    "too-long",
    "target-unknown",
    "target-without-addresses",
    "one-family-only",
    "families-differ",
]
NO_ANSWER: frozenset[Obstacle | None] = frozenset(
    {"not-asked", "resolver-silent", "resolver-failed", "resolver-garbage"}
)

AliasResult = Literal["no-alias", "sound", "name-unknown"] | Defect | Obstacle


@dataclass(frozen=True, slots=True)
class AliasEvidence:
    """All that was asked about the chain of one host."""

    host: str
    families: tuple[FamilyReading, ...]
    asked: tuple[Reading, ...]
    """Replies to the questions for the host's addresses."""
    followed: tuple[Reading, ...]
    """Replies to the questions for each link, and for the addresses of the end."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All replies."""
        return (*self.asked, *self.followed)

    @property
    def paths(self) -> tuple[AnswerPath, ...]:
        """Every way from the host that a server showed, in one reply or link by link; no forged ones."""
        in_one_reply = (one.path for one in self.asked if one.kind != "filtered")
        return (*in_one_reply, *_walks(self.host, self.followed))

    @property
    def chain(self) -> tuple[str, ...]:
        """The longest way that was seen, for the report."""
        return max((path.names for path in self.paths), key=len, default=(self.host,))


def gather(case: Case) -> AliasEvidence:
    """Evidence about the chain of the case's host."""
    return AliasEvidence(
        host=canonical_name(case.target.host),
        families=tuple(read_family(case, family) for family in FAMILIES),
        asked=read_facts(case.of("address")),
        followed=read_facts(case.of("alias")),
    )


def judge_chain(evidence: AliasEvidence) -> AliasResult:
    """What holds of the chain; a defect that is seen outweighs what is not known."""
    defect = _defect_of_form(evidence.paths)
    if defect is not None:
        return defect
    if len(evidence.chain) == 1:
        return _judge_plain_name(evidence)
    return _judge_end(evidence)


def _defect_of_form(paths: Sequence[AnswerPath]) -> Defect | None:
    if any(path.loops for path in paths):
        return "loop"
    if any(path.ambiguous for path in paths):
        return "several-targets"
    if any(path.beside_data for path in paths):
        return "beside-data"
    if any(path.links > MAX_ALIAS_LINKS for path in paths):
        return "too-long"
    return None


def _judge_plain_name(evidence: AliasEvidence) -> AliasResult:
    states = {family.state for family in evidence.families}
    if "name-unknown" in states:
        return "name-unknown"
    return _first_obstacle(evidence.families) or "no-alias"


def _judge_end(evidence: AliasEvidence) -> AliasResult:
    found = addresses_of(evidence.host, [one.reply for one in evidence.readings])
    if not found and any(_says_target_unknown(one, evidence.host) for one in evidence.readings):
        return "target-unknown"
    families = tuple(_with_end_asked(family, evidence) for family in evidence.families)
    obstacle = _first_obstacle(families)
    if obstacle is not None:
        return obstacle
    present = [family for family in families if family.state == "present"]
    if not present:
        return "target-without-addresses"
    if len(present) < len(FAMILIES):
        return "one-family-only"
    return "families-differ" if _chains_differ(evidence.asked) else "sound"


def _first_obstacle(families: Sequence[FamilyReading]) -> Obstacle | None:
    return next((family.obstacle for family in families if family.obstacle is not None), None)


def _says_target_unknown(reading: Reading, host: str) -> bool:
    other_name = canonical_name(reading.reply.name) != host
    return reading.kind == "target-unknown" or (reading.kind == "name-unknown" and other_name)


def _with_end_asked(family: FamilyReading, evidence: AliasEvidence) -> FamilyReading:
    """Where no server answered for the host itself, a proven absence at the end of the chain decides."""
    if family.obstacle not in NO_ANSWER:
        return family
    at_end = [one for one in evidence.followed if one.reply.rdtype == RDTYPE_OF[family.family]]
    judged = combine(family.family, at_end, name_exists=True)
    return judged if judged.state == "absent" and judged.proven else family


def _chains_differ(asked: Sequence[Reading]) -> bool:
    """Whether one server leads the families different ways."""
    ways: dict[str, dict[str, tuple[str, ...]]] = {}
    for one in asked:
        if one.kind == "addresses":
            ways.setdefault(one.reply.server, {})[one.reply.rdtype] = one.path.names
    return any(len(set(by_rdtype.values())) > 1 for by_rdtype in ways.values())


def _walks(host: str, followed: Sequence[Reading]) -> list[AnswerPath]:
    """The way from the host that each server showed link by link."""
    links: dict[str, list[Reading]] = {}
    for one in followed:
        if one.kind == "alias" or (one.reply.rdtype == "CNAME" and one.path.loops):
            links.setdefault(one.reply.server, []).append(one)
    walks = []
    for readings in links.values():
        records = tuple(record for one in readings for record in _own_records(one))
        walks.append(answer_path(readings[0].reply.model_copy(update={"name": host, "records": records})))
    return walks


def _own_records(reading: Reading) -> list[DnsRecord]:
    """The records of the name asked for: what a reply adds about later names may have changed meanwhile."""
    name = canonical_name(reading.reply.name)
    return [record for record in reading.reply.records if canonical_name(record.name) == name]


def rests_on(evidence: AliasEvidence) -> tuple[Reading, ...]:
    """The replies behind a result: those that say something, or all where nothing could be told."""
    said = tuple(one for one in evidence.readings if one.definite or one.kind == "alias")
    return said or evidence.readings


def families_without(evidence: AliasEvidence) -> tuple[Family, ...]:
    """Families that the servers say have no address."""
    return tuple(one.family for one in evidence.families if one.state in ("absent", "name-unknown"))
