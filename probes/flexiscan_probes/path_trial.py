"""Batches of datagrams that may travel only so far: do they come as far as a SYN with the same hop limit does?

Routers limit their ICMP errors, Linux to one a second over IPv4. A pause before each batch gives the allowance back, so
that of a batch that comes through at least one datagram is answered; and the SYN that follows, after an equal pause,
shows that the router still speaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flexiscan.model.facts import IcmpTally, PathTrial, TcpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import last_router, server_reply_distance
from flexiscan.sdk import Context, DatagramPort, IcmpNotice, PlanView
from flexiscan_probes.tcp_path import send_guide

IDLE_S: Final = 1.1
"""Linux gives one ICMP error a second back (icmp_ratelimit 1000 ms)."""
ANSWER_S: Final = 0.7

Listen = Callable[[float], Awaitable[Iterable[IcmpNotice]]]
"""Listen for so many seconds; the ICMP errors that came."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the walk to the web port has shown about one address."""

    guide_port: int
    hop_limit: int
    """Ends at the last router before the server that says so."""
    server_routers: int | None
    """How many routers an answer of the server itself has passed."""

    def as_params(self) -> dict[str, int | None]:
        """As parameters of a task."""
        return {"guide_port": self.guide_port, "hop_limit": self.hop_limit, "server_routers": self.server_routers}


def yardstick(view: PlanView, address: str) -> Yardstick | None:
    """The yardstick of an address; None where no router before its server speaks."""
    for task_id, observation in view.seen.items():
        path = observation.outcome
        if isinstance(path, TcpPath) and view.tasks[task_id].address == address:
            router = last_router(path)
            if router is not None:
                return Yardstick(path.port, router.hop_limit, server_reply_distance(path))
    return None


async def try_batch(
    ctx: Context,
    link: DatagramPort,
    listen: Listen,
    *,
    payloads: Mapping[int, bytes],
    hop_limit: int,
    guide_port: int,
) -> PathTrial:
    """Pause, one datagram to each port, listen, pause, one SYN."""
    await listen(IDLE_S)
    for port, payload in payloads.items():
        await link.send(payload, port=port, hop_limit=hop_limit)
    heard = [*await listen(ANSWER_S), *await listen(IDLE_S)]
    guide = await send_guide(ctx, link.address, guide_port, hop_limit)
    heard += await listen(0.0)
    icmp = {notice.to_port: notice.icmp for notice in heard if notice.to_port in payloads}
    return PathTrial(hop_limit=hop_limit, ports=tuple(payloads), icmp=tally(icmp), guide=guide)


def tally(icmp: Mapping[int, IcmpError]) -> tuple[IcmpTally, ...]:
    """ICMP errors by kind and sender, the commonest first."""
    groups: dict[IcmpError, list[int]] = defaultdict(list)
    for port in sorted(icmp):
        groups[icmp[port]].append(port)
    ordered: Sequence[tuple[IcmpError, list[int]]] = sorted(
        groups.items(), key=lambda group: (-len(group[1]), group[1])
    )
    return tuple(IcmpTally(icmp=error, ports=tuple(members)) for error, members in ordered)
