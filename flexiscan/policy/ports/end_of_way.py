"""Where datagrams to a silent port end on their way: in front of the server, or behind the filter. Pure.

The datagrams were made to end at the last router before the server. That router speaks for the packets that reach it
(time exceeded) as far as its allowance goes, which other traffic shares. So a silence counts only where a SYN right
after it was answered at once, and a difference between ports and canaries only where it showed again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flexiscan.model.facts import IcmpTally, PathGuide, PathTrial, RtpSweep, UdpPath
from flexiscan.model.path_reading import canaries_came, router_that_held
from flexiscan.policy.rule import Seen

_LEAST_CONFIRMING: Final = 4
"""Batches. Canaries and ports take turns in each: were it chance who is answered, a batch with answers for ports alone
would come about in less than one of twelve (p(1-p)^4), and so many of them in less than one of ten thousand."""
_TELLING_TRIALS: Final = 3
"""Of a single port: the router had an allowance left each time, and yet said nothing."""
_TELLING_COMPARISONS: Final = 2
_PASSES: Final = 2
"""One datagram, or the answer to it, may have been lost."""
_PASSES_IF_LATE: Final = 3
_GUIDES_PER_LATE: Final = 8
"""Among so many, one may have been answered late: lost, or the allowance was used up by something else. A router that
was without allowance that often in all would hide a port from three passes in one of five hundred."""
_GUIDES_PER_PASS: Final = 2
_LEAST_CANARIES: Final = 2
_LEAST_PORTS_ON_THE_WAY: Final = 2
_LEAST_HOPS_ON_THE_WAY: Final = 2
_SHOWN_PORTS: Final = 20


@dataclass(frozen=True, slots=True)
class EndOfWay:
    """Where the packets end, and what shows it."""

    seen: Seen
    passes: bool
    """True: they came as far as a router behind the filter. False: they were dropped before the server."""
    params: dict[str, Any]


def end_of_way(seen: Seen, paths: Sequence[Seen]) -> EndOfWay | None:
    """Where datagrams to a single port end; None when the trials do not tell."""
    for path in paths:
        fact = path.fact
        port = seen.task.port
        if not isinstance(fact, UdpPath) or port is None:
            continue
        batches = (*fact.trials, *fact.confirming)
        router = _speaking_router(batches)
        if router is None:
            continue
        answered = _tallies(batches)
        confirmed = _shows_again(fact.confirming, router)
        if port in _came_as_far(answered, router):
            return EndOfWay(path, True, {"router": router}) if confirmed else None
        about = any(port in tally.ports for tally in answered)
        telling = [trial for trial in _telling(fact.trials) if port in trial.ports]
        left_us = port in _came_as_far(_tallies(fact.way), _router_on_the_way(fact.way))
        known = left_us and len(telling) >= _TELLING_TRIALS and _is_idle(fact.guides, fact.trials)
        if known and not about and (confirmed or not answered):
            return EndOfWay(path, False, {"dropped_within_hops": fact.trials[0].hop_limit})
    return None


def end_of_range(seen: Seen, fact: RtpSweep) -> EndOfWay | None:
    """Where datagrams to the ports of a range end; None when that was not seen of every port that was asked."""
    batches = (*fact.near_trials, *fact.near_confirming)
    router = _speaking_router(batches)
    answered = (*fact.near_expired, *_tallies(batches))
    outside = any(not fact.first_port <= port <= fact.last_port for tally in answered for port in tally.ports)
    if router is None or outside:  # a late answer for a canary counts as well
        return None
    if came := sorted(_came_as_far(answered, router)):
        shown = {"router": router, "ports": came[:_SHOWN_PORTS], "came_through": len(came)}
        return EndOfWay(seen, True, shown) if _shows_again(fact.near_confirming, router) else None
    if (
        answered
        or fact.near_confirming
        or not (_is_whole(fact) and _left_us(fact) and _is_idle(fact.near_guides, fact.near_trials))
    ):
        return None
    return EndOfWay(seen, False, {"dropped_within_hops": batches[0].hop_limit})


def _is_whole(fact: RtpSweep) -> bool:
    """Whether every port was tried often enough at the last router, with a comparison before and after."""
    guides = (*fact.near_guides, *(trial.guide for trial in fact.near_trials))
    passes = _PASSES_IF_LATE if any(guide.tries > 1 for guide in guides) else _PASSES
    compared = len(_telling(fact.near_trials)) >= _TELLING_COMPARISONS
    controlled = len(fact.near_guides) >= _GUIDES_PER_PASS * fact.near_passes
    return compared and controlled and fact.near_passes >= passes and fact.near_asked >= fact.ports_asked > 0


def _telling(trials: Sequence[PathTrial]) -> list[PathTrial]:
    """Those after which the router had an allowance left, so that it would have spoken for any datagram."""
    return [trial for trial in trials if trial.guide.tries == 1 and len(trial.canaries) >= _LEAST_CANARIES]


def _left_us(fact: RtpSweep) -> bool:
    """Whether datagrams to the range came as far as a router on the way, before the passes and after them.

    Otherwise it may be the network of the scanner, or of its provider, that drops them.
    """
    router = _router_on_the_way((*fact.way_before, *fact.way_after))
    came = [_came_as_far(_tallies(trials), router) for trials in (fact.way_before, fact.way_after)]
    return all(len(ports) >= _LEAST_PORTS_ON_THE_WAY for ports in came)


def _router_on_the_way(trials: Sequence[PathTrial]) -> str | None:
    """The router that the batches were to end at; None for the first hop, which may be the filter of this side."""
    far = all(trial.hop_limit >= _LEAST_HOPS_ON_THE_WAY for trial in trials)
    return router_that_held([trial.guide for trial in trials]) if far else None


def _speaking_router(batches: Sequence[PathTrial]) -> str | None:
    """The router that held throughout, if a filter may stand before it: nothing came back about canaries."""
    compared = any(trial.canaries for trial in batches)
    return router_that_held([trial.guide for trial in batches]) if compared and not canaries_came(batches) else None


def _shows_again(confirming: Sequence[PathTrial], router: str) -> bool:
    """Whether ports came through in every confirming batch but one, among at least as many canaries."""
    compared = all(len(trial.canaries) >= len(trial.ports) > 0 for trial in confirming)
    answered = sum(bool(_came_as_far(trial.icmp, router)) for trial in confirming)
    return compared and len(confirming) >= _LEAST_CONFIRMING and answered >= len(confirming) - 1


def _is_idle(guides: Sequence[PathGuide], trials: Sequence[PathTrial]) -> bool:
    """Whether the router nearly always spoke at once: then it would have spoken for a port as well."""
    every = [*guides, *(trial.guide for trial in trials)]
    late = sum(guide.tries > 1 for guide in every)
    return len(guides) >= len(trials) and router_that_held(every) is not None and late <= len(every) // _GUIDES_PER_LATE


def _tallies(batches: Iterable[PathTrial]) -> list[IcmpTally]:
    return [tally for trial in batches for tally in trial.icmp]


def _came_as_far(answered: Iterable[IcmpTally], router: str | None) -> set[int]:
    """The ports that the router itself spoke for."""
    expired = [tally for tally in answered if tally.icmp.meaning == "time-exceeded" and tally.icmp.offender == router]
    return {port for tally in expired for port in tally.ports}
