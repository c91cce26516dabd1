"""Who sends the resets of a port: the server that accepts on the web port, or something in front of it?

A reset tells nothing of its sender but the hop limit with which it arrives. A socket can be told to drop what arrives
with less (IP_MINTTL, IPV6_MINHOPCOUNT): the largest bound with which the reset still ends a connect is that number.
No privilege is needed, and two connects where the reset arrives like the server's own answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts import TcpExchange, TcpPath
from flexiscan.model.facts_sweep import TcpReply
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, Hops, NotConnected, PlanView, ProbeSpec

ROUND: Final = 2
"""After the ports and the way are known."""
REPLY_WAIT_S: Final = 1.4
"""Covers one repetition of the SYN."""
MOST_HOPS: Final = 255
_SEARCH: Final = 8
"""Connects of a search among 255 numbers."""
_DEADLINE_S: Final = 60.0


def plan(view: PlanView) -> Iterable[Draft]:
    """Every port that was reset, at addresses where it is known how the server's own answers arrive."""
    if view.round != ROUND:
        return []
    expected = {
        view.tasks[task_id].address: observation.outcome.reply_hop_limit
        for task_id, observation in view.seen.items()
        if isinstance(observation.outcome, TcpPath) and observation.outcome.reply_hop_limit is not None
    }
    return [
        _draft(task, expected[task.address])
        for task_id, observation in view.seen.items()
        if (task := view.tasks[task_id]).role == "tcp"
        and task.address in expected
        and isinstance(observation.outcome, TcpExchange)
        and observation.outcome.connect == "reset"
    ]


def _draft(task: Task, expected: int | None) -> Draft:
    return Draft(
        role="tcp-reply",
        name="reply",
        address=task.address,
        transport="tcp",
        port=task.port,
        params={"expected": expected},
        gate="tcp",
        silence_s=REPLY_WAIT_S,
        deadline_s=_DEADLINE_S,
    )


async def observe(ctx: Context, task: Task) -> TcpReply:
    """Try the number of the server's own answers, then search."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    reply = _Reset(ctx, task.address, task.port)
    hop_limit = await reply.find(int(task.params["expected"]))
    return TcpReply(port=task.port, hop_limit=hop_limit, connects=reply.connects)


class _Reset:
    """The hop limit of a reset as it arrives: the largest lower bound with which it still ends a connect."""

    def __init__(self, ctx: Context, address: str, port: int) -> None:
        self.connects = 0
        self._ctx = ctx
        self._address = address
        self._port = port

    async def find(self, expected: int) -> int | None:
        """None when the answers contradict each other, or when something else than a reset came."""
        if await self._is_at_least(expected):
            if not await self._is_at_least(expected + 1):
                return expected
            low, high = expected + 1, MOST_HOPS
        else:
            low, high = 1, expected - 1
        while low < high:
            middle = (low + high + 1) // 2
            if await self._is_at_least(middle):
                low = middle
            else:
                high = middle - 1
        # A lost packet looks like a smaller number: the bound must hold, and the next one must fail again.
        is_found = await self._is_at_least(low) and not await self._is_at_least(low + 1)
        return low if is_found else None

    async def _is_at_least(self, bound: int) -> bool:
        if bound > MOST_HOPS:
            return False
        self.connects += 1
        hops = Hops(least_in_reply=bound)
        link = await self._ctx.connect(self._address, self._port, timeout_s=REPLY_WAIT_S, hops=hops)
        if isinstance(link, NotConnected):
            return link.outcome == "reset"
        link.close()
        return False


SPEC: Final = ProbeSpec(id="tcp.reply", version=1, plan=plan, observe=observe)
