"""Half-open SYNs to every TCP port that is also connected to: the headers of the answers, and a second look.

Planned only in a run with raw sockets. The connects judge; this is evidence beside them, and where it contradicts
them the judgement is left open (flexiscan.policy.ports.half_open).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts_raw import SynProbe
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes.tcp_rows import tcp_questions

LAST_ROUND: Final = 3
"""After everything that judges: routers send so many ICMP errors and no more, and these SYNs use some of them up."""
MOST_SYNS: Final = 5
"""flexiscan.net.raw.ask.TRIES; one more permit is for the reset that ends what was accepted."""
SILENCE_S: Final = 5.0
_DEADLINE_S: Final = 60.0


def plan(view: PlanView) -> Iterable[Draft]:
    """The last round of a run with raw sockets: the ports that `tcp.connect` asks, without its canaries."""
    if view.round != LAST_ROUND or not view.options.get("raw"):
        return []
    return [
        Draft(
            role="tcp-raw",
            name="syn",
            address=address.address,
            transport="tcp",
            port=port,
            gate="udp",
            datagrams=MOST_SYNS,
            silence_s=SILENCE_S,
            deadline_s=_DEADLINE_S,
        )
        for address in view.addresses
        for port in tcp_questions(view.profile, view.target)
    ]


async def observe(ctx: Context, task: Task) -> SynProbe:
    """Ask the task's port."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    return await ctx.half_open(task.address, task.port)


SPEC: Final = ProbeSpec(id="tcp.raw", version=1, plan=plan, observe=observe)
