"""TCP ports: connect, and where somebody accepts, find out over the same connection which service speaks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from flexiscan.model.facts import MAX_DATA_HEX_BYTES, TcpExchange
from flexiscan.model.plan import Task
from flexiscan.sdk import Connection, Context, Draft, NotConnected, PlanView, ProbeSpec, Received
from flexiscan_probes.canary_ports import pick_canary_ports
from flexiscan_probes.tcp_dialogue import ANSWER_WAIT_S, BANNER_WAIT_S, Asking, Dialogue, dialogue_for
from flexiscan_probes.tcp_rows import tcp_questions

CONNECT_TIMEOUT_S: Final = 4.5
"""Covers the kernel's SYN retransmissions at 1, 2, 3 and 4 s (tcp_syn_linear_timeouts, Linux 6.5)."""
CONNECT_ATTEMPTS: Final = 2
"""Silence is believed only when a second connection meets it too."""
CANARIES: Final = 3
CANARY_QUESTION: Final = "http"
"""What a captive portal or a transparent proxy would answer on every port."""
MAX_READ_BYTES: Final = 16384
_DEADLINE_S: Final = CONNECT_TIMEOUT_S * CONNECT_ATTEMPTS + BANNER_WAIT_S + 2 * ANSWER_WAIT_S + 5.0


def plan(view: PlanView) -> Iterable[Draft]:
    """Round 1: every TCP port of the profile, the web ports and some canaries, at every address."""
    if view.round != 1:
        return []
    drafts: list[Draft] = []
    for address in view.addresses:
        questions = tcp_questions(view.profile, view.target)
        drafts += [_draft("tcp", address.address, port, question) for port, question in questions.items()]
        canaries = pick_canary_ports(view, address.address, CANARIES, "tcp-canary")
        drafts += [_draft("tcp-canary", address.address, port, CANARY_QUESTION) for port in canaries]
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
        deadline_s=_DEADLINE_S,
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
        return await _converse(ctx, link, dialogue_for(question, asking))


async def _converse(ctx: Context, link: Connection, dialogue: Dialogue) -> TcpExchange:
    began_s = ctx.monotonic()
    request = b""
    heard = Received("timeout")
    if dialogue.listen_first_s:
        heard = await _listen(ctx, link, dialogue, dialogue.listen_first_s)
    if heard.ending == "timeout" and not heard.data:
        request = dialogue.request
        ending = await link.send(request, timeout_s=ANSWER_WAIT_S)
        heard = await _listen(ctx, link, dialogue, ANSWER_WAIT_S)
        if ending and not heard.data:
            heard = Received(ending)
    return TcpExchange(
        connect="accepted",
        attempts=link.attempts,
        waited_s=ctx.monotonic() - began_s,
        request_hex=request[:MAX_DATA_HEX_BYTES].hex(),
        reply="data" if heard.data else _without_data(heard),
        data_hex=heard.data[:MAX_DATA_HEX_BYTES].hex(),
        data_size=len(heard.data),
        service=dialogue.service_of(heard.data) if heard.data else None,
    )


def _without_data(heard: Received) -> Literal["closed", "reset", "silence"]:
    match heard.ending:
        case "closed" | "reset":
            return heard.ending
        case _:
            return "silence"


async def _listen(ctx: Context, link: Connection, dialogue: Dialogue, wait_s: float) -> Received:
    """Everything that comes until it is enough, the stream ends, the limit is reached or the time is over."""
    data = b""
    ends_s = ctx.monotonic() + wait_s
    while len(data) < MAX_READ_BYTES:
        left_s = ends_s - ctx.monotonic()
        if left_s <= 0:
            return Received("timeout", data)
        received = await link.receive(max_bytes=MAX_READ_BYTES - len(data), timeout_s=left_s)
        data += received.data
        if received.ending:
            return Received(received.ending, data)
        if dialogue.is_enough(data):
            break
    return Received("", data)


SPEC: Final = ProbeSpec(id="tcp.connect", version=1, plan=plan, observe=observe)
