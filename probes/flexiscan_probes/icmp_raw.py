"""What routers and firewalls said of all packets of a run: the ICMP errors, with the headers that they quote.

Planned only in a run with raw sockets, for its last round. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts_raw import IcmpCapture
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec

LAST_ROUND: Final = 3
_DEADLINE_S: Final = 30.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One task an address."""
    if view.round != LAST_ROUND or not view.options.get("raw"):
        return []
    return [
        Draft(role="icmp-raw", name="errors", address=address.address, deadline_s=_DEADLINE_S)
        for address in view.addresses
    ]


async def observe(ctx: Context, task: Task) -> IcmpCapture:
    """Everything that was heard so far about packets to the task's address."""
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    return await ctx.icmp_errors(task.address)


SPEC: Final = ProbeSpec(id="icmp.raw", version=1, plan=plan, observe=observe)
