"""What a walk along the way to an accepting port says: how far the server is, and which router stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flexiscan.model.facts import PathHop, PathTrial, TcpPath

_INITIAL_HOP_LIMITS: Final = (64, 128, 255)
"""What systems start with: Linux, BSD and IPv6 64, Windows 128, routers and Solaris 255."""


def server_distance(path: TcpPath) -> int | None:
    """The least hop limit that reaches the server; None when none did, or when a smaller one seems to have."""
    reached = [hop.hop_limit for hop in path.hops if hop.answer == "accepted"]
    return min(reached, default=None)


def last_router(path: TcpPath) -> PathHop | None:
    """The hop nearest to the server that said "time exceeded" about a SYN; None when none before it did."""
    distance = server_distance(path)
    if distance is None:
        return None
    speaking = [hop for hop in path.hops if hop.hop_limit < distance and _has_expired(hop)]
    return max(speaking, key=lambda hop: hop.hop_limit, default=None)


def reply_distance(hop_limit: int | None) -> int | None:
    """How many routers a reply has passed, if it started with one of the usual hop limits."""
    if hop_limit is None:
        return None
    return min((start - hop_limit for start in _INITIAL_HOP_LIMITS if start >= hop_limit), default=None)


def server_reply_distance(path: TcpPath) -> int | None:
    """Routers between the server and here, known only where the way there and the way back agree."""
    there, back = server_distance(path), reply_distance(path.reply_hop_limit)
    return back if there is not None and back == there - 1 else None


def guides_held(trials: Sequence[PathTrial]) -> bool:
    """Whether the router that was aimed at answered after every batch, and always the same one."""
    return bool(trials) and all(_has_expired(trial.guide) for trial in trials) and len(_speakers(trials)) == 1


def has_expired_silently(trials: Sequence[PathTrial]) -> bool:
    """Whether nothing at all came back about any of the batches, while the router answered for the guide."""
    return guides_held(trials) and not any(trial.icmp for trial in trials)


def _speakers(trials: Sequence[PathTrial]) -> set[str]:
    return {trial.guide.icmp.offender for trial in trials if trial.guide.icmp is not None}


def _has_expired(hop: PathHop) -> bool:
    return hop.icmp is not None and hop.icmp.meaning == "time-exceeded"
