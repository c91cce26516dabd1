"""What a sweep over the media range showed at one address (DESIGN 5: the rows about the RTP range).

Media ports are open only during calls and answer nobody. So a port unreachable from the server itself means that
the perimeter lets packets through, and silence alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flexiscan.model.facts import IcmpTally, RtpSweep, SweepPort
from flexiscan.policy.ports.coverage import CONFIDENCE, exposed_bound
from flexiscan.policy.ports.reading import PortReading, icmp_params, is_rejection, same_address
from flexiscan.policy.rule import Outcome, Seen

RANGE_RESULTS: Final[Mapping[str, Outcome]] = {
    "media-received": "violated",
    "open": "violated",
    "perimeter-passes": "violated",
    "open-or-filtered": "violated",
    "filtered": "holds",
    "no-exposure-seen": "cannot-tell",
    "everything-answers": "cannot-tell",
    "canaries-disagree": "cannot-tell",
    "path-error": "cannot-tell",
    "send-refused": "cannot-tell",
    "not-looked-at": "cannot-tell",
}

FEW_SILENT: Final = 0.1
"""Share of the sample up to which silent ports among rejected ones count as holes, not as an ICMP limit."""
TRIES_FOR_A_HOLE: Final = 3
_SHOWN_PORTS: Final = 20


def read_sweep(seen: Seen, fact: RtpSweep) -> PortReading:
    """The state of the range. The worst sign wins; a pass needs a rejection for every port that was asked."""
    params = _coverage(fact)
    address = str(seen.task.address)
    if fact.media:
        return _found("media-received", seen, params | {"media": [m.model_dump() for m in fact.media]})
    if fact.data_ports:
        strange = sum(canary.reply == "data" for canary in fact.canaries) > 1
        shown = params | {"ports": list(fact.data_ports[:_SHOWN_PORTS])}
        return _found("everything-answers" if strange else "open", seen, shown)
    passing = [tally for tally in fact.icmp if _is_from_target(tally, address)]
    if passing:
        shown = params | icmp_params(passing[0].icmp) | _ports([p for tally in passing for p in tally.ports])
        # Tentative: an edge device that owns the address answers alike, and its distance is not measured.
        return PortReading("perimeter-passes", (seen,), "tentative", shown)
    if fact.stopped == "send-refused":
        return PortReading("send-refused", (seen,), params=params)
    astray = [tally for tally in fact.icmp if not is_rejection(tally.icmp)]
    if astray:
        return PortReading("path-error", (seen,), params=params | icmp_params(astray[0].icmp))
    return _read_rejected(seen, fact, params) if fact.icmp else _read_silent(seen, fact, params)


def _found(result: str, seen: Seen, params: Mapping[str, Any]) -> PortReading:
    return PortReading(result, (seen,), "confirmed", params)


def _read_rejected(seen: Seen, fact: RtpSweep, params: Mapping[str, Any]) -> PortReading:
    """Something in front rejects: all of the sample, nearly all of it, or only as much as its ICMP limit allows."""
    rejected = sorted(port for tally in fact.icmp for port in tally.ports)
    population = fact.last_port - fact.first_port + 1
    shown = {
        **params,
        **icmp_params(fact.icmp[0].icmp),
        "bound": exposed_bound(population, len(rejected)),
        "bound_percent": round(CONFIDENCE * 100),
    }
    if not fact.silent:
        return PortReading("filtered", (seen,), "tentative", shown)
    few = fact.silent <= FEW_SILENT * fact.ports_asked and fact.passes >= TRIES_FOR_A_HOLE
    if few and _are_rejected(fact.canaries) and _are_rejected(fact.canaries_after):
        return PortReading("open-or-filtered", (seen,), "tentative", shown, rests_on_absence=True)
    return PortReading("no-exposure-seen", (seen,), "tentative", shown, rests_on_absence=True)


def _read_silent(seen: Seen, fact: RtpSweep, params: Mapping[str, Any]) -> PortReading:
    """Not one port of the range answered: like the canaries, or unlike them?"""
    if not any(canary.reply != "silence" for canary in fact.canaries):
        return PortReading("no-exposure-seen", (seen,), "tentative", params, rests_on_absence=True)
    if _are_rejected(fact.canaries) and _are_rejected(fact.canaries_after):
        return PortReading("open-or-filtered", (seen,), "tentative", params, rests_on_absence=True)
    return PortReading("canaries-disagree", (seen,), params=params, rests_on_absence=True)


def _are_rejected(canaries: Sequence[SweepPort]) -> bool:
    """Whether the comparison is clear: more than half of the canaries, and at least two, were rejected."""
    rejected = [c for c in canaries if c.icmp is not None and is_rejection(c.icmp)]
    return len(rejected) >= 2 and 2 * len(rejected) > len(canaries)


def _is_from_target(tally: IcmpTally, address: str) -> bool:
    return tally.icmp.meaning == "port-unreachable" and same_address(tally.icmp.offender, address)


def _ports(ports: Sequence[int]) -> dict[str, Any]:
    return {"ports": sorted(ports)[:_SHOWN_PORTS], "answering": len(ports)}


def _coverage(fact: RtpSweep) -> dict[str, Any]:
    return {
        "first_port": fact.first_port,
        "last_port": fact.last_port,
        "ports_asked": fact.ports_asked,
        "ports_total": fact.last_port - fact.first_port + 1,
        "silent": fact.silent,
        "passes": fact.passes,
        "seed": fact.seed,
    }
