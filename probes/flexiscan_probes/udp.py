"""Single UDP ports: three tries of the correct request, and silence, ICMP or an answer as the fact.

Questions stand between canaries: ports that nobody uses, asked before and after. An unprotected host sends only one
ICMP error a second (Linux, IPv4), so where an address answers with ICMP at all, its questions stand in one lane, one
after the other; side by side they would starve each other of answers. Where the first canary and everything else
before met no ICMP, nothing can be starved, and the questions are asked side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal

from flexiscan.model.facts import MAX_DATA_HEX_BYTES, UdpExchange
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Datagram, DatagramPort, Draft, IcmpNotice, PlanView, ProbeSpec, Refusal
from flexiscan_probes.canary_ports import pick_canary_ports
from flexiscan_probes.udp_questions import UdpQuestion, requests_of, udp_question_for, waits_of
from flexiscan_probes.wire import mssql, rtcp

FIRST_CANARY_ROUND: Final = 1
ROUND: Final = 2
"""After the TCP ports: a firewall that rejects with ICMP shares one error budget over both transports."""
LAST_CANARY_ROUND: Final = 3
SECOND_QUESTION: Final = "stun"
_DECIDING: Final = frozenset({"port-unreachable", "prohibited", "protocol-unreachable"})
_MEDIA: Final = frozenset({"rtp", "rtcp"})
_COMPARED_BYTES: Final = 8
_SPARE_S: Final = 60.0  # for waiting on the pace


def udp_lane(view: PlanView, address: str) -> str:
    """The lane in which an address is asked by UDP; "" where every question may have a lane of its own."""
    return f"udp/{address}" if sends_icmp(view, address) else ""


def sends_icmp(view: PlanView, address: str) -> bool:
    """Whether ICMP errors came back from an address, or may have: only a canary that met silence says no."""
    canary_was_silent = False
    for task_id, observation in view.seen.items():
        task, outcome = view.tasks[task_id], observation.outcome
        if task.address != address or (outcome.kind != "tcp" and outcome.kind != "udp"):
            continue
        if outcome.icmp is not None or (outcome.kind == "udp" and outcome.reply in ("icmp", "refused")):
            return True
        canary_was_silent |= task.role == "udp-canary" and outcome.kind == "udp" and outcome.reply == "silence"
    return not canary_was_silent


def plan(view: PlanView) -> Iterable[Draft]:
    """Every single UDP port of the profile at every address, with canaries before and after."""
    drafts: list[Draft] = []
    for address in (entry.address for entry in view.addresses):
        first, *rest = pick_canary_ports(view, address, 4, "udp-canary")
        if view.round == FIRST_CANARY_ROUND:
            drafts.append(_draft("udp-canary", address, first, "canary", ""))
        elif view.round == ROUND:
            in_one_lane = sends_icmp(view, address)
            drafts += _between_canaries(view, address, rest) if in_one_lane else _questions(view, address)
        elif view.round == LAST_CANARY_ROUND and not _had_canaries_between(view, address):
            drafts += [_draft("udp-canary", address, port, "canary", "") for port in rest[:2]]
    return drafts


def _had_canaries_between(view: PlanView, address: str) -> bool:
    """Whether the questions already had canaries of their own round around them."""
    return any(
        task.role == "udp-canary" and task.address == address and task.round == ROUND for task in view.tasks.values()
    )


def _questions(view: PlanView, address: str) -> list[Draft]:
    rows = {row.port: row.question for row in view.profile.ports if row.transport == "udp" and not row.last_port}
    lane = udp_lane(view, address)
    return [_draft("udp", address, port, question, lane) for port, question in sorted(rows.items())]


def _between_canaries(view: PlanView, address: str, canaries: Sequence[int]) -> list[Draft]:
    asked = _questions(view, address)
    half = len(asked) // 2
    lane = udp_lane(view, address)
    first, middle, last = (_draft("udp-canary", address, port, "canary", lane) for port in canaries)
    return [first, *asked[:half], middle, *asked[half:], last]


def proceed(task: Task, observations: Sequence[Observation]) -> Iterable[Draft]:
    """A port that spoke a language that nobody knows is asked whether it is STUN, which some keep for strangers.

    Never a silent port and never one that may carry media: a binding request can change where a call's voice goes.
    """
    answer = observations[-1].outcome
    if task.role != "udp" or not isinstance(answer, UdpExchange) or task.address is None or task.port is None:
        return
    if answer.reply == "data" and answer.service is None and not rtcp.is_media(bytes.fromhex(answer.data_hex)):
        yield _draft("udp-service", task.address, task.port, SECOND_QUESTION, task.lane)


def _draft(role: str, address: str, port: int, question: str, lane: str) -> Draft:
    waits_s = waits_of(question)
    return Draft(
        role=role,
        name=question,
        address=address,
        transport="udp",
        port=port,
        params={"question": question},
        lane=lane,
        gate="udp",
        datagrams=len(waits_s) * requests_of(question),
        silence_s=sum(waits_s),
        deadline_s=sum(waits_s) + _SPARE_S,
    )


async def observe(ctx: Context, task: Task) -> UdpExchange:
    """Put the task's question to its port until something decides, or every try has met silence."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    question = udp_question_for(
        str(task.params["question"]), address=task.address, port=task.port, user_agent=ctx.user_agent, chance=ctx.random
    )
    began_s = ctx.monotonic()
    heard = _Heard(address=task.address, port=task.port, question=question)
    async with ctx.datagrams(task.address) as port:
        tries = await _ask(ctx, port, heard)
    return heard.as_fact(tries=tries, waited_s=ctx.monotonic() - began_s)


async def _ask(ctx: Context, port: DatagramPort, heard: _Heard) -> int:
    """Send and listen; the number of tries that were made."""
    tries = 0
    for wait_s in heard.question.waits_s:
        tries += 1
        for request in heard.question.requests:
            await port.send(request, port=heard.port)
        ends_s = ctx.monotonic() + wait_s
        while not heard.decided and (left_s := ends_s - ctx.monotonic()) > 0:
            event = await port.next(timeout_s=left_s)
            if event is not None:
                heard.note(event)
        if heard.decided or heard.answer is not None:
            break
    return tries


@dataclass(slots=True)
class _Heard:
    """What came back so far; data outweighs ICMP, and a deciding ICMP error outweighs a passing one."""

    address: str
    port: int
    question: UdpQuestion
    answer: Datagram | None = None
    icmp: IcmpError | None = None
    refusal: Refusal | None = None
    aliens: int = field(default=0)

    @property
    def service(self) -> str | None:
        """What the best answer so far proves."""
        return None if self.answer is None else self.question.service_of(self.answer.data)

    @property
    def decided(self) -> bool:
        """Whether listening on would change nothing."""
        refused = self.refusal is not None and self.refusal.is_port
        return self.service is not None or refused or (self.icmp is not None and self.icmp.meaning in _DECIDING)

    def note(self, event: Datagram | IcmpNotice | Refusal) -> None:
        """Take in one event. A datagram of another address, or an error about no packet of ours, is alien."""
        if isinstance(event, Datagram):
            if ip_address(event.from_address) == ip_address(self.address):
                if self.service is None and (self.answer is None or self.question.service_of(event.data)):
                    self.answer = event
            else:
                self.aliens += 1
        elif isinstance(event, Refusal):
            if event.to_port == self.port and (self.refusal is None or event.is_port):
                self.refusal = event
        elif event.to_port == self.port and self._quotes_us(event.quoted):
            if self.icmp is None or self.icmp.meaning not in _DECIDING:
                self.icmp = event.icmp
        else:
            self.aliens += 1

    def _quotes_us(self, quoted: bytes) -> bool:
        """Routers may quote as little as nothing of the payload, and gateways may have rewritten its end."""
        head = quoted[:_COMPARED_BYTES]
        return any(request.startswith(head) or head.startswith(request) for request in self.question.requests)

    def _reply(self) -> Literal["data", "icmp", "silence", "refused"]:
        if self.answer is not None:
            return "data"
        if self.refusal is not None:
            return "refused" if self.refusal.is_port else "icmp"
        return "icmp" if self.icmp is not None else "silence"

    def as_fact(self, *, tries: int, waited_s: float) -> UdpExchange:
        """The exchange as a fact. Media is never kept, not even its first bytes."""
        data = b"" if self.answer is None else self.answer.data
        service = self.service
        kept = b"" if service in _MEDIA else data[:MAX_DATA_HEX_BYTES]
        return UdpExchange(
            reply=self._reply(),
            icmp=self.icmp if self.answer is None else None,
            tries=tries,
            waited_s=waited_s,
            request_hex=self.question.requests[0].hex(),
            data_hex=kept.hex(),
            data_size=len(data),
            service=service,
            replied_from_port=None if self.answer is None else self.answer.from_port,
            alien_replies=self.aliens,
            tcp_ports=mssql.listed_tcp_ports(data) if service == "sql-browser" else (),
        )


SPEC: Final = ProbeSpec(id="udp.ask", version=1, plan=plan, observe=observe, proceed=proceed)
