"""What a walk along the way to an accepting port says: how far the server is, and which router stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flexiscan.model.facts import PathGuide, PathHop, PathTrial, TcpPath

_INITIAL_HOP_LIMITS: Final = (64, 128, 255)
"""What systems start with: Linux, BSD and IPv6 64, Windows 128, routers and Solaris 255."""


def server_distance(path: TcpPath) -> int | None:
    """The least hop limit that reaches the server; None when none did, or when a smaller one seems to have."""
    reached = [hop.hop_limit for hop in path.hops if hop.answer == "accepted"]
    return min(reached, default=None)


def last_router(path: TcpPath) -> PathHop | None:
    """The hop nearest to the server that said "time exceeded" about a SYN; None when none before it did."""
    return next(iter(_speaking_routers(path)), None)


def router_before_last(path: TcpPath) -> PathHop | None:
    """The one that spoke before that."""
    return next(iter(_speaking_routers(path)[1:]), None)


def reply_distance(hop_limit: int | None) -> int | None:
    """How many routers a reply has passed, if it started with one of the usual hop limits."""
    if hop_limit is None:
        return None
    return min((start - hop_limit for start in _INITIAL_HOP_LIMITS if start >= hop_limit), default=None)


def server_reply_distance(path: TcpPath) -> int | None:
    """Routers between the server and here, known only where the way there and the way back agree."""
    there, back = server_distance(path), reply_distance(path.reply_hop_limit)
    return back if there is not None and back == there - 1 else None


def router_that_held(guides: Sequence[PathGuide]) -> str | None:
    """The router that answered for every guide; None when one was left unanswered, or others answered too."""
    speakers = {guide.icmp.offender if guide.icmp is not None and _has_expired(guide) else None for guide in guides}
    return speakers.pop() if len(speakers) == 1 else None


def canaries_came(trials: Sequence[PathTrial]) -> bool:
    """Whether anything at all came back about a port that nobody uses."""
    return any(port in trial.canaries for trial in trials for tally in trial.icmp for port in tally.ports)


def ports_that_expired(trials: Sequence[PathTrial]) -> frozenset[int]:
    """The ports of interest whose datagrams came as far as a router that says so."""
    tallies = [(trial, tally) for trial in trials for tally in trial.icmp if tally.icmp.meaning == "time-exceeded"]
    return frozenset(port for trial, tally in tallies for port in tally.ports if port in trial.ports)


def _speaking_routers(path: TcpPath) -> list[PathHop]:
    """The nearest to the server first."""
    distance = server_distance(path) or 0
    return sorted((h for h in path.hops if h.hop_limit < distance and _has_expired(h)), key=lambda h: -h.hop_limit)


def _has_expired(hop: PathHop) -> bool:
    return hop.icmp is not None and hop.icmp.meaning == "time-exceeded"
