"""What a sweep over all TCP ports of an address showed: does any port accept that nobody declared? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from flexiscan.model.facts import TcpExchange
from flexiscan.model.facts_sweep import PortSet, TcpSweep
from flexiscan.model.finding import Confidence
from flexiscan.policy.ports.reading import PortReading, icmp_params, is_rejection
from flexiscan.policy.rule import Outcome, Seen

ALL_PORTS_RESULTS: Final[Mapping[str, Outcome]] = {
    "undeclared-open": "violated",
    "none-undeclared": "holds",
    "everything-answers": "cannot-tell",
    "canaries-disagree": "cannot-tell",
    "control-lost": "cannot-tell",
    "answers-lost": "cannot-tell",
    "path-error": "cannot-tell",
    "sweep-unfinished": "cannot-tell",
    "not-looked-at": "cannot-tell",
}

MOST_MISSED: Final = 0.01
"""Chance that a port which answers stayed silent in all passes, up to which silence is believed."""
FEW_RANGES: Final = 64
"""Filters drop ranges; what a limit on answers drops is scattered."""
_ENOUGH_ANSWERS: Final = 50
"""Ports that must have answered before those among them that answered late say how much is lost."""
_ALIKE: Final = 2
"""Canaries that accept: one may have met a real service by chance."""


def read_all_ports(
    seen: Seen, fact: TcpSweep, found: Sequence[Seen], expected: Collection[int], canaries: Sequence[Seen] = ()
) -> PortReading:
    """Undeclared ports that accept, or that there are none.

    `found`: what ports that accepted said about themselves. `expected`: ports that are declared or that have a rule
    of their own. `canaries`: connects of the first round to ports that nobody uses.
    """
    params = _coverage(fact)
    undeclared = [port for port in fact.accepted.ports() if port not in expected]
    everything = _everything_answers(fact, canaries)
    if everything is not None:
        params |= {"accepted": fact.accepted.count}
        return PortReading("everything-answers", (seen, *everything), params=params, rests_on_absence=True)
    if undeclared:
        return _read_open(seen, undeclared, found, params)
    return _read_none(seen, fact, params)


def spans_as_text(ports: Iterable[int]) -> list[str]:
    """Ports as people write them: "22", "8000-8010"."""
    return [str(first) if first == last else f"{first}-{last}" for first, last in PortSet.of(ports).spans]


def _read_open(seen: Seen, undeclared: Sequence[int], found: Sequence[Seen], params: dict[str, Any]) -> PortReading:
    again = [other for other in found if isinstance(other.fact, TcpExchange) and other.fact.connect == "accepted"]
    services = [
        f"{other.task.port} {other.fact.service}"
        for other in again
        if isinstance(other.fact, TcpExchange) and other.fact.service is not None
    ]
    spoken = any(isinstance(other.fact, TcpExchange) and other.fact.reply == "data" for other in again)
    confidence: Confidence = "confirmed" if spoken else "firm" if again else "tentative"
    shown = params | {"ports": spans_as_text(undeclared), "open_ports": len(undeclared)}
    shown |= {"services": services} if services else {}
    return PortReading("undeclared-open", (seen, *found), confidence, shown)


def _read_none(seen: Seen, fact: TcpSweep, params: dict[str, Any]) -> PortReading:
    """No undeclared port accepted: was every port asked, and would it have been heard?"""
    if fact.stopped == "guide-lost" or fact.guide_port is None:
        return PortReading("control-lost", (seen,), params=params, rests_on_absence=True)
    if fact.stopped or fact.asked.count < fact.ports_total or fact.passes < 1:
        return PortReading("sweep-unfinished", (seen,), params=params, rests_on_absence=True)
    astray = [group for group in fact.icmp if not is_rejection(group.icmp)]
    if fact.astray.count or astray:
        shown = params | {"ports": spans_as_text(fact.astray.ports())[:20]}
        shown |= icmp_params(astray[0].icmp) if astray else {}
        return PortReading("path-error", (seen,), params=shown)
    answers = {answer for canary in fact.canaries for answer in canary.answers}
    if _have_changed(fact):
        return PortReading("canaries-disagree", (seen,), params=params, rests_on_absence=True)
    if not fact.silent.count:
        return PortReading("none-undeclared", (seen,), "firm", params)
    lossy = loss(fact) ** fact.passes > MOST_MISSED
    scattered = "reset" in answers and fact.silent.runs > FEW_RANGES
    if lossy or scattered:
        return PortReading("answers-lost", (seen,), params=params, rests_on_absence=True)
    # A listener whose queue is full is silent too; where the others are closed, silence is a weaker sign.
    confidence: Confidence = "tentative" if "reset" in answers else "firm"
    return PortReading("none-undeclared", (seen,), confidence, params, rests_on_absence=True)


def loss(fact: TcpSweep) -> float:
    """Share of single SYNs that went unanswered although somebody answers there; cautious with few of them."""
    guides = (fact.guides_lost + 1) / (fact.guides + 2)
    again = fact.late / max(_ENOUGH_ANSWERS, fact.reset.count + fact.accepted.count)
    return max(guides, again / max(0.01, 1 - again))


def _everything_answers(fact: TcpSweep, canaries: Sequence[Seen]) -> tuple[Seen, ...] | None:
    """Not None when ports that nobody uses accept as well, at whatever moment; with the canaries that show it."""
    accepting = tuple(c for c in canaries if isinstance(c.fact, TcpExchange) and c.fact.connect == "accepted")
    own = sum("accepted" in canary.answers for canary in fact.canaries)
    if fact.stopped == "everything-answers" or own >= _ALIKE or len(accepting) >= _ALIKE:
        return accepting
    return None


def _have_changed(fact: TcpSweep) -> bool:
    """Whether canaries that reset became silent or the other way round: then somebody began to interfere.

    Errors that stop coming are a limit on them, and no change.
    """
    changed = [canary for canary in fact.canaries if {"reset", "silence"} <= set(canary.answers)]
    return len(changed) >= _ALIKE


def _coverage(fact: TcpSweep) -> dict[str, Any]:
    rejected = sum(group.ports.count for group in fact.icmp if is_rejection(group.icmp))
    return {
        "ports_asked": fact.asked.count,
        "ports_total": fact.ports_total,
        "closed": fact.reset.count,
        "rejected": rejected,
        "silent": fact.silent.count,
        "passes": fact.passes,
        "seed": fact.seed,
    }
