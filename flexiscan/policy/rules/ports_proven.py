"""The rules about ports, with what the witness on the server proves, and what the place of the scan cannot see.

A question under the one-time code that reached the server is proof that the perimeter passes it. None that did,
while the witness was up and control questions arrived, is proof that it does not. A port that does not get out of
the scanner's own network shows neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from flexiscan.model.facts_witness import WitnessExchange
from flexiscan.model.finding import Confidence
from flexiscan.model.profile import PortRow
from flexiscan.policy.ports.coverage import CONFIDENCE, exposed_bound
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Rule, Seen
from flexiscan.policy.rules.ports import PORT_RULES
from flexiscan.policy.rules.ports_all import NO_UNDECLARED_PORT
from flexiscan.policy.vantage import blind_ports, gets_out
from flexiscan.policy.witness.citing import silence_seen, with_citation
from flexiscan.policy.witness.sight import Asked, WitnessReading, WitnessSight, asked_of, read_witness

PROVEN_RESULTS: Final[Mapping[str, Outcome]] = {
    "perimeter-passes": "violated",
    "filtered": "holds",
    "vantage-blind": "cannot-tell",
}
_CONTROLS: Final = Need("witness-control", at="address", optional=True)
_PORT_NEEDS: Final = (Need("witness", optional=True), _CONTROLS)
_RANGE_NEEDS: Final = (Need("witness-range", at="address", optional=True), _CONTROLS)
_UNCONFIRMED: Final = frozenset(
    {"filtered", "closed-or-filtered", "no-exposure-seen", "open-or-filtered", "limited-vantage"}
)
"""Silence, or a refusal on the way: what proof from the server settles."""
_UNSEEN: Final = _UNCONFIRMED | {"closed-unfiltered", "declared-not-open", "path-error", "canaries-disagree"}
"""What a place that cannot send there would see as well: the one who stops packets there may refuse in any name."""
_SPOKE: Final = frozenset({"media-received", "media-redirectable", "reports-received", "open-confirmed"})
_SHOWN_PORTS: Final = 20
_MOST_UNPROVEN: Final = 0.1
"""Share of a range that may be left without proof."""


def proven(rule: Rule) -> Rule:
    """A rule about ports that also reads the witness and the vantage."""
    is_range = any(need.role == "rtp-sweep" for need in rule.needs)

    def judge(case: Case) -> Judgement:
        judgement = rule.judge(case)
        if not _is_published(case):
            judgement = with_citation(case, _with_witness(case, judgement), *_span(case))
        return _as_seen_from_here(case, judgement)

    needs = (*rule.needs, *(_RANGE_NEEDS if is_range else _PORT_NEEDS))
    return replace(rule, results={**rule.results, **PROVEN_RESULTS}, needs=needs, judge=judge)


def _is_published(case: Case) -> bool:
    """Whether the port is meant to be open: the witness has nothing to say about it."""
    if case.subject.port == case.target.https_port:
        return True
    return any(row.only_if in case.target.ports for row in _rows(case))


def _rows(case: Case) -> list[PortRow]:
    subject = case.subject
    return [
        row
        for row in case.profile.ports
        if row.transport == subject.transport and (row.port == subject.port or (subject.port is None and row.last_port))
    ]


def _with_witness(case: Case, judgement: Judgement) -> Judgement:
    questions = asked_of([*case.of("witness"), *case.of("witness-range")])
    if not questions:
        return judgement
    asked = questions[0]
    sight = case.options.get("witness")
    others = asked_of(case.of("witness-control"))
    reading = read_witness(asked, others, sight if isinstance(sight, WitnessSight) else None)
    if reading.arrived:
        return _passes(asked, reading, judgement)
    if reading.silent and judgement.result in _UNCONFIRMED:
        return _filtered(asked, reading, judgement, case.of("tcp-path"), egress_known=_gets_out(case))
    return replace(judgement, params={**judgement.params, "witness": reading.missing or "silent"})


def _passes(asked: Asked, reading: WitnessReading, judgement: Judgement) -> Judgement:
    """Something of ours came through. What spoke for itself, or is worse, stays the result."""
    if judgement.outcome == "violated" and judgement.result in _SPOKE:
        return judgement
    params = {**judgement.params, "witness": "arrived"}
    if _is_range(asked.fact):
        params |= {"ports": sorted(reading.arrived)[:_SHOWN_PORTS], "reached": len(reading.arrived)}
    return Judgement("violated", "perimeter-passes", (asked.seen,), "confirmed", params=params)


def _filtered(
    asked: Asked, reading: WitnessReading, judgement: Judgement, paths: Sequence[Seen], *, egress_known: bool
) -> Judgement:
    params = {**judgement.params, **reading.params, "witness": "silent"}
    silence = silence_seen(judgement, paths)
    if silence is not None:
        params["witness_silence"] = silence.model_dump()
    because = (*judgement.because, *(seen for seen in reading.because if seen not in judgement.because))
    if not _is_range(asked.fact):
        # The provider of the scanner may have dropped it: a control on another port does not tell.
        in_doubt = "provider_may_filter" in params and not egress_known
        confidence: Confidence = judgement.confidence if in_doubt else "confirmed"
        return Judgement("holds", "filtered", because, confidence, params=params, rests_on_absence=True)
    fact = asked.fact
    population, shown = fact.last_port - fact.first_port + 1, len(reading.silent)
    unproven = population - shown
    # The ports of a sample are taken by chance, here and at the witness; those that somebody else held are not.
    bound = reading.refused + exposed_bound(population - reading.refused, shown)
    params |= {"ports_asked": shown, "ports_total": population}
    if bound > _MOST_UNPROVEN * population or shown < int(reading.params["listening"]):
        reason = "not-listening" if shown == reading.params["listening"] else "something-arrived"
        return replace(judgement, params={**judgement.params, "witness": reason})
    if unproven:
        params |= {"bound": bound, "bound_percent": round(CONFIDENCE * 100)}
    confidence = "tentative" if unproven else "confirmed"
    return Judgement("holds", "filtered", because, confidence, params=params, rests_on_absence=True)


def _gets_out(case: Case) -> bool:
    """Whether the doctor saw the port get out of the scanner's network."""
    vantage, subject = case.options.get("vantage"), case.subject
    if not isinstance(vantage, Mapping) or subject.family is None or subject.transport is None or not subject.port:
        return False
    return gets_out(vantage, subject.family, subject.transport, subject.port, case.now_s)


def _as_seen_from_here(case: Case, judgement: Judgement) -> Judgement:
    """Nothing that silence says stands where the scanner's own network lets nothing out."""
    vantage = case.options.get("vantage")
    subject = case.subject
    if not isinstance(vantage, Mapping) or subject.family is None or subject.transport is None:
        return judgement
    if judgement.result not in _UNSEEN and not judgement.rests_on_absence:
        return judgement
    first, last = _span(case)
    blind = blind_ports(vantage, subject.family, subject.transport, first, last)
    if not blind:
        return judgement
    params: dict[str, Any] = {**judgement.params, "blind": blind}
    return Judgement("cannot-tell", "vantage-blind", judgement.because, params=params)


def _span(case: Case) -> tuple[int, int]:
    if case.subject.port is not None:
        return case.subject.port, case.subject.port
    spans = [(row.port, row.last_port) for row in _rows(case) if row.last_port is not None]
    return spans[0] if spans else (1, 65535)


def _is_range(fact: WitnessExchange) -> bool:
    return fact.first_port != fact.last_port


def as_seen_by_all(rule: Rule) -> Rule:
    """A rule that compares the ports of addresses: alike in silence says nothing of ports that do not get out."""

    def judge(case: Case) -> Judgement:
        judgement = rule.judge(case)
        vantage = case.options.get("vantage")
        if judgement.outcome != "holds" or not isinstance(vantage, Mapping):
            return judgement
        families = {address.family for address in case.addresses}
        blind = {
            (row.transport, row.port)
            for family in families
            for row in case.profile.ports
            if blind_ports(vantage, family, row.transport, row.port, row.last_port or row.port)
        }
        if not blind:
            return judgement
        shown = sorted(f"{transport} {port}" for transport, port in blind)
        return Judgement("cannot-tell", "vantage-blind", judgement.because, params={"ports": shown})

    return replace(rule, results={**rule.results, "vantage-blind": "cannot-tell"}, judge=judge)


PROVEN_PORT_RULES: Final[tuple[Rule, ...]] = tuple(proven(rule) for rule in (*PORT_RULES, NO_UNDECLARED_PORT))
