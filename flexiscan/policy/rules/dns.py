"""Rules about the addresses that DNS gives for the host (guide: checklist 7 and 8).

They judge what the configured resolvers answer: what a client would see. Each has one finding for the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flexiscan.model.dns_answer import sort_addresses, without_dns
from flexiscan.model.endpoint import FAMILIES, Family, family_of
from flexiscan.model.finding import Confidence
from flexiscan.policy.dns.address_class import classify, disclosure_of, is_public
from flexiscan.policy.dns.alias import AliasEvidence, families_without, gather, judge_chain, rests_on
from flexiscan.policy.dns.reading import FamilyReading, Reading, read_family
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Rule, Seen, the_host

# Optional: a literal address as host has no DNS questions, and the rules themselves say when nothing was asked.
ADDRESS_NEED = Need("address", at="host", optional=True)
ALIAS_NEED = Need("alias", at="host", optional=True)

OBSTACLE_RESULTS: Mapping[str, Outcome] = {
    "not-asked": "cannot-tell",
    "resolver-silent": "cannot-tell",
    "resolver-failed": "cannot-tell",
    "resolver-garbage": "cannot-tell",
    "resolver-filters": "cannot-tell",
    "absence-doubtful": "cannot-tell",
    "answer-incomplete": "cannot-tell",
    "answer-contradictory": "cannot-tell",
}
WITHOUT_DNS_RESULTS: Mapping[str, Outcome] = {
    "literal-address": "not-applicable",
    "local-name": "not-applicable",
}

PRESENCE_RESULTS: Mapping[str, Outcome] = {
    "present": "holds",
    "absent": "violated",
    "name-unknown": "violated",
    "only-not-public": "violated",
    **WITHOUT_DNS_RESULTS,
    **OBSTACLE_RESULTS,
}
PUBLIC_RESULTS: Mapping[str, Outcome] = {
    "all-public": "holds",
    "not-public": "violated",
    "no-addresses": "not-applicable",
    **WITHOUT_DNS_RESULTS,
    **OBSTACLE_RESULTS,
}
DECLARED_RESULTS: Mapping[str, Outcome] = {
    "as-declared": "holds",
    "missing": "violated",
    "undeclared": "violated",
    "missing-and-undeclared": "violated",
    "not-declared": "not-applicable",
    **WITHOUT_DNS_RESULTS,
    **OBSTACLE_RESULTS,
}
ALIAS_RESULTS: Mapping[str, Outcome] = {
    "no-alias": "holds",
    "sound": "holds",
    "loop": "violated",
    "several-targets": "violated",
    "beside-data": "violated",
    "too-long": "violated",
    "target-unknown": "violated",
    "target-without-addresses": "violated",
    "one-family-only": "violated",
    "families-differ": "violated",
    "name-unknown": "not-applicable",
    **WITHOUT_DNS_RESULTS,
    **OBSTACLE_RESULTS,
}


def judge_presence(case: Case, family: Family) -> Judgement:
    """Whether the name has a public address of the family."""
    read = read_family(case, family)
    if read.obstacle is not None:
        return _cannot_tell(read.obstacle, (read,))
    if read.state != "present":
        confidence: Confidence = "firm" if read.proven else "tentative"
        return _presence(read, read.state, confidence, {"proven": read.proven, "disagree": read.disagree})
    params: dict[str, Any] = {"addresses": list(read.addresses), "disagree": read.disagree}
    if not any(is_public(address, case.scope.assume_public) for address in read.addresses):
        params["special"] = _special(case, read.addresses)
        return _presence(read, "only-not-public", "confirmed", params)
    return _presence(read, "present", "confirmed", params)


def _presence(read: FamilyReading, result: str, confidence: Confidence, params: Mapping[str, Any]) -> Judgement:
    told = {"family": read.family, **params, "servers": _shown(read.readings)}
    return Judgement(PRESENCE_RESULTS[result], result, read.seen, confidence, params=told)


def judge_ipv4_present(case: Case) -> Judgement:
    """dns.ipv4-present."""
    return judge_presence(case, "ipv4")


def judge_ipv6_present(case: Case) -> Judgement:
    """dns.ipv6-present."""
    return judge_presence(case, "ipv6")


def judge_addresses_public(case: Case) -> Judgement:
    """dns.addresses-public: one special address beside public ones is enough to fail."""
    reads = _read_both(case)
    addresses = _addresses(reads)
    params: dict[str, Any] = {"addresses": list(addresses), "servers": _shown_all(reads)}
    special = _special(case, addresses)
    if special:
        return Judgement("violated", "not-public", _seen(reads), "confirmed", params={**params, "special": special})
    obstacle = next((read.obstacle for read in reads if read.obstacle is not None), None)
    if obstacle is not None:
        return _cannot_tell(obstacle, reads)
    if not addresses:
        return Judgement("not-applicable", "no-addresses", _seen(reads), params=params)
    hints = {address: disclosure_of(address) for address in addresses if disclosure_of(address)}
    return Judgement("holds", "all-public", _seen(reads), "confirmed", params={**params, "discloses": hints})


def judge_addresses_as_declared(case: Case) -> Judgement:
    """dns.addresses-as-declared: exactly the addresses of the scope file, no more and no less."""
    reads = _read_both(case)
    addresses = _addresses(reads)
    params: dict[str, Any] = {"addresses": list(addresses), "servers": _shown_all(reads)}
    if not case.target.addresses:
        return Judgement("not-applicable", "not-declared", _seen(reads), params=params)
    declared = sort_addresses(case.target.addresses)
    known = {read.family for read in reads if read.obstacle is None}
    missing = [one for one in declared if one not in addresses and family_of(one) in known]
    undeclared = [one for one in addresses if one not in declared]
    params = {**params, "declared": list(declared), "missing": missing, "undeclared": undeclared}
    if missing or undeclared:
        result = "-and-".join(name for name, found in (("missing", missing), ("undeclared", undeclared)) if found)
        return Judgement("violated", result, _seen(reads), params=params)
    obstacle = next((read.obstacle for read in reads if read.obstacle is not None), None)
    if obstacle is not None:
        return _cannot_tell(obstacle, reads)
    return Judgement("holds", "as-declared", _seen(reads), params=params)


def judge_alias_sound(case: Case) -> Judgement:
    """dns.alias-sound: the chain ends, is well formed, and gives both families at the same name."""
    evidence = gather(case)
    result = judge_chain(evidence)
    readings = rests_on(evidence)
    params = {
        "chain": list(evidence.chain),
        "without": list(families_without(evidence)),
        "disagree": any(family.disagree for family in evidence.families),
        "servers": _shown(readings),
    }
    because = tuple(one.seen for one in readings)
    return Judgement(ALIAS_RESULTS[result], result, because, _alias_confidence(evidence), params=params)


def _alias_confidence(evidence: AliasEvidence) -> Confidence:
    return "tentative" if any(family.disagree for family in evidence.families) else "firm"


def _cannot_tell(obstacle: str, reads: Sequence[FamilyReading]) -> Judgement:
    unknown = [read for read in reads if read.obstacle is not None]
    params = {"families": [read.family for read in unknown], "servers": _shown_all(unknown)}
    return Judgement("cannot-tell", obstacle, _seen(unknown), params=params)


def _read_both(case: Case) -> tuple[FamilyReading, ...]:
    return tuple(read_family(case, family) for family in FAMILIES)


def _addresses(reads: Iterable[FamilyReading]) -> tuple[str, ...]:
    return sort_addresses(address for read in reads for address in read.addresses)


def _special(case: Case, addresses: Iterable[str]) -> dict[str, dict[str, str]]:
    """Addresses that are not public, each with its class, the network that it is in, and the IPv4 inside it."""
    found: dict[str, dict[str, str]] = {}
    for address in addresses:
        if is_public(address, case.scope.assume_public):
            continue
        of = classify(address)
        found[address] = {"class": of.code, "network": of.network, "source": of.source}
        if of.embedded_ipv4 is not None:
            found[address]["embedded_ipv4"] = of.embedded_ipv4
    return found


def _seen(reads: Iterable[FamilyReading]) -> tuple[Seen, ...]:
    return tuple(seen for read in reads for seen in read.seen)


def _shown(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    return [reading.shown() for reading in readings]


def _shown_all(reads: Iterable[FamilyReading]) -> list[dict[str, Any]]:
    return [shown for read in reads for shown in _shown(read.readings)]


def _unless_without_dns(judge: Callable[[Case], Judgement]) -> Callable[[Case], Judgement]:
    """The judgement for hosts that name servers are asked about; the others are no matter of DNS."""

    def judge_host(case: Case) -> Judgement:
        reason = without_dns(case.target.host)
        return Judgement("not-applicable", reason) if reason else judge(case)

    return judge_host


def _rule(rule_id: str, results: Mapping[str, Outcome], judge: Callable[[Case], Judgement]) -> Rule:
    # No control of the target is needed: each `holds` rests on records that a name server gave.
    needs = (ADDRESS_NEED, ALIAS_NEED)
    return Rule(rule_id, results, needs, the_host, _unless_without_dns(judge), relies_on_controls=False)


RULES: tuple[Rule, ...] = (
    _rule("dns.ipv4-present", PRESENCE_RESULTS, judge_ipv4_present),
    _rule("dns.ipv6-present", PRESENCE_RESULTS, judge_ipv6_present),
    _rule("dns.addresses-public", PUBLIC_RESULTS, judge_addresses_public),
    _rule("dns.addresses-as-declared", DECLARED_RESULTS, judge_addresses_as_declared),
    _rule("dns.alias-sound", ALIAS_RESULTS, judge_alias_sound),
)
