"""TCP ports: connect, and where somebody accepts, find out over the same connection which service speaks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flexiscan.model.facts import TcpExchange
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, NotConnected, PlanView, ProbeSpec
from flexiscan_probes.canary_ports import pick_canary_ports
from flexiscan_probes.tcp_conversation import converse
from flexiscan_probes.tcp_dialogue import ANSWER_WAIT_S, BANNER_WAIT_S, Asking, dialogue_for
from flexiscan_probes.tcp_rows import listed_ports, tcp_questions

CONNECT_TIMEOUT_S: Final = 4.5
"""Covers the kernel's SYN retransmissions at 1, 2, 3 and 4 s (tcp_syn_linear_timeouts, Linux 6.5)."""
CONNECT_ATTEMPTS: Final = 2
"""Silence is believed only when a second connection meets it too."""
CANARIES: Final = 3
CANARY_QUESTION: Final = "http"
"""What a captive portal or a transparent proxy would answer on every port."""
LISTED_ROUND: Final = 3
"""After UDP was asked."""
LISTED_QUESTION: Final = "tds"
DEADLINE_S: Final = CONNECT_TIMEOUT_S * CONNECT_ATTEMPTS + BANNER_WAIT_S + 2 * ANSWER_WAIT_S + 5.0


def plan(view: PlanView) -> Iterable[Draft]:
    """Round 1: every TCP port of the profile, the web ports and some canaries, at every address.

    Round 3: the ports on which SQL Server Browser says that there are databases, at the address that said so.
    """
    drafts: list[Draft] = []
    for address in (entry.address for entry in view.addresses):
        if view.round == 1:
            questions = tcp_questions(view.profile, view.target)
            drafts += [_draft("tcp", address, port, question) for port, question in questions.items()]
            canaries = pick_canary_ports(view, address, CANARIES, "tcp-canary")
            drafts += [_draft("tcp-canary", address, port, CANARY_QUESTION) for port in canaries]
        elif view.round == LISTED_ROUND:
            drafts += [_draft("tcp", address, port, LISTED_QUESTION) for port in listed_ports(view, address)]
    return drafts


def _draft(role: str, address: str, port: int, question: str) -> Draft:
    return Draft(
        role=role,
        name=question,
        address=address,
        transport="tcp",
        port=port,
        params={"question": question},
        gate="tcp",
        silence_s=CONNECT_TIMEOUT_S * CONNECT_ATTEMPTS,
        deadline_s=DEADLINE_S,
    )


async def observe(ctx: Context, task: Task) -> TcpExchange:
    """Connect to the task's port, put the task's question, and note what came back."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    link = await ctx.connect(task.address, task.port, timeout_s=CONNECT_TIMEOUT_S, attempts=CONNECT_ATTEMPTS)
    if isinstance(link, NotConnected):
        return TcpExchange(connect=link.outcome, icmp=link.icmp, attempts=link.attempts, waited_s=link.waited_s)
    async with link:
        question = str(task.params["question"])
        asking = Asking(task.host, task.address, task.port, ctx.user_agent, ctx.random)
        return await converse(ctx, link, dialogue_for(question, asking))


SPEC: Final = ProbeSpec(id="tcp.connect", version=1, plan=plan, observe=observe)
