"""Who sent the resets of a port: the server, or a device in front of it? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from flexiscan.model.facts import TcpPath
from flexiscan.model.facts_sweep import TcpReply
from flexiscan.model.path_reading import reply_distance
from flexiscan.policy.ports.reading import PortReading
from flexiscan.policy.rule import Seen

Origin = Literal["server", "nearer", "farther"]


@dataclass(frozen=True, slots=True)
class ResetOrigin:
    """Where the resets come from, and what shows it."""

    origin: Origin
    because: tuple[Seen, ...]
    params: dict[str, Any]


def reset_origin(port: int | None, replies: Sequence[Seen], paths: Sequence[Seen]) -> ResetOrigin | None:
    """The origin of a port's resets; None when it was not found out.

    The same hop limit as the server's own answers: the server. Otherwise the routers that it has passed are compared,
    as far as they can be told from the number.
    """
    for reply in replies:
        for path in paths:
            found, way = reply.fact, path.fact
            if not isinstance(found, TcpReply) or not isinstance(way, TcpPath) or found.port != port:
                continue
            if found.hop_limit is None or way.reply_hop_limit is None:
                continue
            params = {"reset_hop_limit": found.hop_limit, "server_hop_limit": way.reply_hop_limit}
            origin = _origin(found.hop_limit, way.reply_hop_limit)
            if origin is not None:
                return ResetOrigin(origin, (reply, path), params)
    return None


def _origin(hop_limit: int, of_server: int) -> Origin | None:
    if hop_limit == of_server:
        return "server"
    here, there = reply_distance(hop_limit), reply_distance(of_server)
    if here is None or there is None:
        return None
    if here == there:  # another start value, the same distance
        return "server"
    return "nearer" if here < there else "farther"


def with_origin(reading: PortReading, port: int | None, replies: Sequence[Seen], paths: Sequence[Seen]) -> PortReading:
    """The reading of a port that was reset, with who sent the resets; any other reading as it is.

    Resets of a device in front are how it keeps packets out. Unknown, they are taken for the server's, less surely.
    """
    if reading.result != "closed-unfiltered" or "icmp" in reading.params:
        return reading
    origin = reset_origin(port, replies, paths)
    if origin is None:
        return replace(reading, confidence="firm")
    because, params = (*reading.because, *origin.because), {**reading.params, **origin.params}
    if origin.origin == "nearer":
        return replace(reading, result="filtered", because=because, confidence="firm", params=params)
    sure = origin.origin == "server"
    return replace(reading, because=because, confidence="confirmed" if sure else "firm", params=params)
