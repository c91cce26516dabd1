"""Where datagrams to a silent port end on their way: in front of the server, or behind the filter. Pure.

The datagrams were made to end at the last router before the server. That router speaks for the packets that reach it
(time exceeded), and a SYN to the accepting port, sent the same way right after them, shows that it still does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flexiscan.model.facts import IcmpTally, PathTrial, RtpSweep, UdpPath
from flexiscan.model.path_reading import guides_held, has_expired_silently
from flexiscan.policy.rule import Seen

_TRIALS: Final = 2
"""One batch may have been lost as a whole."""


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
        if isinstance(fact, UdpPath) and _can_tell(fact.canaries, fact.ports):
            about = [(tally, port) for trial in fact.ports for tally in trial.icmp for port in tally.ports]
            expired = [tally for tally, port in about if port == seen.task.port and _has_expired(tally)]
            if expired:
                return EndOfWay(path, True, _behind(expired[0]))
            tried = sum(seen.task.port in trial.ports for trial in fact.ports)
            if not about and tried >= _TRIALS:  # where others came through, they may have used the router's allowance
                return EndOfWay(path, False, _in_front(fact.ports[0].hop_limit))
    return None


def end_of_range(seen: Seen, fact: RtpSweep) -> EndOfWay | None:
    """Where datagrams to the ports of a range end; None when that was not seen of every port that was asked."""
    if not _can_tell(fact.near_canaries, fact.near_range):
        return None
    tried = [tally for trial in fact.near_range for tally in trial.icmp]
    expired = [tally for tally in (*fact.near_expired, *tried) if _has_expired(tally)]
    if expired:
        ports = sorted({port for tally in expired for port in tally.ports})
        return EndOfWay(seen, True, _behind(expired[0]) | {"ports": ports[:20], "came_through": len(ports)})
    complete = fact.near_passes >= _TRIALS and fact.near_asked >= fact.ports_asked > 0
    if tried or not complete or len(fact.near_canaries) < _TRIALS or len(fact.near_range) < _TRIALS:
        return None
    return EndOfWay(seen, False, _in_front(fact.near_range[0].hop_limit))


def _can_tell(canaries: Sequence[PathTrial], ports: Sequence[PathTrial]) -> bool:
    """Whether a filter stands before the router: ports that nobody uses end before it, and it speaks."""
    return has_expired_silently(canaries) and guides_held((*canaries, *ports))


def _has_expired(tally: IcmpTally) -> bool:
    return tally.icmp.meaning == "time-exceeded"


def _behind(tally: IcmpTally) -> dict[str, Any]:
    return {"router": tally.icmp.offender}


def _in_front(hop_limit: int) -> dict[str, Any]:
    return {"dropped_within_hops": hop_limit}
