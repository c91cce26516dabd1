"""The way to the web port, hop by hop, with SYNs that may travel only so far: how far is the server?

Its answers are the yardstick for the ports that are silent: where do their packets end (flexiscan_probes.udp_path,
flexiscan_probes.rtp), and is it the server that answers for them?
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts import PathHop, TcpPath
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, Hops, NotConnected, PlanView, ProbeSpec

STEP_HOPS: Final = 8
"""SYNs side by side."""
MAX_HOPS: Final = 32
"""Longer ways are rare; whoever is farther away is not located."""
HOP_WAIT_S: Final = 2.4
"""Covers two repetitions of the SYN: the first ICMP error may come while connect() still holds the socket."""
REPLY_WAIT_S: Final = 1.4
"""Covers one repetition of the SYN."""
MOST_HOPS: Final = 255
_USUAL: Final = (64, 128, 255)
_DEADLINE_S: Final = 90.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One walk to the HTTPS port of every address, in the first round."""
    if view.round != 1 or not view.options.get("icmp_told", True):  # hop limits tell nothing to who hears no ICMP
        return []
    port = view.target.https_port
    return [
        Draft(
            role="tcp-path",
            name="path",
            address=address.address,
            transport="tcp",
            port=port,
            silence_s=MAX_HOPS / STEP_HOPS * HOP_WAIT_S,
            deadline_s=_DEADLINE_S,
        )
        for address in view.addresses
    ]


async def observe(ctx: Context, task: Task) -> TcpPath:
    """Walk until somebody accepts; then find out with which hop limit the SYN-ACK arrives."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    hops: list[PathHop] = []
    while len(hops) < MAX_HOPS and not any(hop.answer == "accepted" for hop in hops):
        step = range(len(hops) + 1, len(hops) + STEP_HOPS + 1)
        hops += await asyncio.gather(*(send_guide(ctx, task.address, task.port, limit) for limit in step))
    reached = [hop.hop_limit for hop in hops if hop.answer == "accepted"]
    if not reached:
        return TcpPath(port=task.port, hops=tuple(hops))
    kept = tuple(hop for hop in hops if hop.hop_limit <= min(reached))
    reply = await _Reply(ctx, task.address, task.port).find(routers=min(reached) - 1)
    return TcpPath(port=task.port, hops=kept, reply_hop_limit=reply)


async def send_guide(ctx: Context, address: str, port: int, hop_limit: int, wait_s: float = HOP_WAIT_S) -> PathHop:
    """One SYN that may travel `hop_limit` hops (repeated by the system each second), and what it met."""
    link = await ctx.connect(address, port, timeout_s=wait_s, hops=Hops(limit=hop_limit))
    if isinstance(link, NotConnected):
        return PathHop(hop_limit=hop_limit, answer=link.outcome, icmp=link.icmp)
    link.close()
    return PathHop(hop_limit=hop_limit, answer="accepted")


class _Reply:
    """The hop limit of a SYN-ACK as it arrives: the largest lower bound with which a connect still succeeds."""

    def __init__(self, ctx: Context, address: str, port: int) -> None:
        self._ctx = ctx
        self._address = address
        self._port = port

    async def find(self, *, routers: int) -> int | None:
        """Try what a way back of equal length would give, then search. None when the answers contradict."""
        guesses = [start - routers for start in _USUAL]
        met = await asyncio.gather(*(self._is_at_least(bound) for guess in guesses for bound in (guess, guess + 1)))
        for guess, lower, upper in zip(guesses, met[::2], met[1::2], strict=True):
            if lower and not upper:
                return await self._confirmed(guess)
        low, high = 1, MOST_HOPS
        while low < high:
            middle = (low + high + 1) // 2
            if await self._is_at_least(middle):
                low = middle
            else:
                high = middle - 1
        return await self._confirmed(low)

    async def _confirmed(self, bound: int) -> int | None:
        """A lost packet looks like a smaller hop limit: the bound must hold, and the next must fail twice more."""
        holds = await self._is_at_least(bound)
        above = [await self._is_at_least(bound + 1) for _ in range(2)] if bound < MOST_HOPS else []
        return bound if holds and not any(above) else None

    async def _is_at_least(self, bound: int) -> bool:
        hops = Hops(least_in_reply=min(bound, MOST_HOPS))
        link = await self._ctx.connect(self._address, self._port, timeout_s=REPLY_WAIT_S, hops=hops)
        if isinstance(link, NotConnected):
            return False
        link.close()
        return bound <= MOST_HOPS


SPEC: Final = ProbeSpec(id="tcp.path", version=1, plan=plan, observe=observe)
