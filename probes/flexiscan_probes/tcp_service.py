"""What speaks on a port that accepted: the questions that follow from the answer to the first one.

The first question (tcp.connect) is the one that the port is meant for. Where nobody recognised its answer, a TLS
hello and then a web request are tried: the ports without a public protocol speak one or the other, if anything.
Where TLS answered, the question that fits is put inside it. Canaries that accepted are asked alike: what they say
as well proves no service. Each question is a connection of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from flexiscan.model.facts import TcpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, NotConnected, PlanView, ProbeSpec, TlsFailed, permissive_context
from flexiscan_probes.http import channels_of
from flexiscan_probes.tcp import CONNECT_TIMEOUT_S
from flexiscan_probes.tcp_conversation import converse
from flexiscan_probes.tcp_dialogue import ANSWER_WAIT_S, Asking, dialogue_for
from flexiscan_probes.tcp_rows import web_ports

ROUND: Final = 2
"""After the ports are known."""
ROLES: Final[Mapping[str, str]] = {"tcp": "tcp-service", "tcp-canary": "tcp-canary-service"}
"""The role of a follow-up, by that of the first question."""
INSIDE: Final = "inside-"
HANDSHAKE_TIMEOUT_S: Final = 5.0
_GUESSES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("tls", frozenset({"tls"})),
    ("http", frozenset({"http", "winrm"})),
)
"""What is tried where nothing was recognised, and the first questions that have tried it already."""
_FIT_INSIDE: Final = frozenset({"http", "sip", "winrm"})
_DEADLINE_S: Final = CONNECT_TIMEOUT_S + HANDSHAKE_TIMEOUT_S + 2 * ANSWER_WAIT_S + 5.0


def plan(view: PlanView) -> Iterable[Draft]:
    """Round 2: the first follow-up for every port that accepted, the web ports excepted."""
    if view.round != ROUND:
        return
    for task_id, observation in view.seen.items():
        task, fact = view.tasks[task_id], observation.outcome
        if task.role not in ROLES or not isinstance(fact, TcpExchange) or fact.connect != "accepted":
            continue
        if task.port is None or task.port in web_ports(view.target):
            continue
        own = str(task.params["question"])
        inside = _inside(view, task, own)
        services = {own: fact.service}
        yield from _next(task, {"own": own, "inside": inside}, ROLES[task.role], services)


def proceed(task: Task, observations: Sequence[Observation]) -> Iterable[Draft]:
    """The next follow-up of a port; none after a failure of ours, and none where nothing is left to ask."""
    services: dict[str, str | None] = dict(task.params["services"])
    last = observations[-1].outcome
    if not isinstance(last, TcpExchange) or last.connect != "accepted":
        return
    services[task.params["step"]] = last.service
    yield from _next(task, task.params, task.role, services)


def next_question(own: str, inside: str, services: Mapping[str, str | None]) -> str | None:
    """The question after those in `services` (service by question, `own` among them); None: enough is known."""
    if "tls" in services.values():
        step = INSIDE + inside
        return step if inside and step not in services else None
    if any(services.values()):
        return None
    return next((guess for guess, tried in _GUESSES if guess not in services and own not in tried), None)


def _inside(view: PlanView, task: Task, own: str) -> str:
    """What to ask inside TLS; "" where the web probe looks anyway, and for canaries."""
    if task.role == "tcp-canary" or task.port in channels_of(view.target):
        return ""
    rows = (row for row in view.profile.ports if row.transport == "tcp" and row.port == task.port and row.inside)
    return next((row.inside for row in rows), own if own in _FIT_INSIDE else "http")


def _next(task: Task, about: Mapping[str, str], role: str, services: Mapping[str, str | None]) -> Iterable[Draft]:
    step = next_question(about["own"], about["inside"], services)
    if step is None:
        return
    yield Draft(
        role=role,
        name=step,
        address=task.address,
        transport="tcp",
        port=task.port,
        params={
            "question": step.removeprefix(INSIDE),
            "inside_tls": step.startswith(INSIDE),
            "step": step,
            "own": about["own"],
            "inside": about["inside"],
            "services": dict(services),
        },
        lane=f"service/{task.address}/{task.port}",
        gate="tls" if step.startswith(INSIDE) else "tcp",
        silence_s=ANSWER_WAIT_S,
        deadline_s=_DEADLINE_S,
    )


async def observe(ctx: Context, task: Task) -> TcpExchange:
    """Connect, agree on TLS where the question goes inside it, put the question, and note what came back."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    inside = bool(task.params["inside_tls"])
    link = await ctx.connect(task.address, task.port, timeout_s=CONNECT_TIMEOUT_S)
    if isinstance(link, NotConnected):
        return TcpExchange(connect=link.outcome, icmp=link.icmp, attempts=link.attempts, waited_s=link.waited_s)
    asking = Asking(task.host, task.address, task.port, ctx.user_agent, ctx.random, inside_tls=inside)
    async with link:
        if inside:
            began_s = ctx.monotonic()
            agreed = await link.start_tls(
                permissive_context(), server_name=asking.server_name, timeout_s=HANDSHAKE_TIMEOUT_S
            )
            if isinstance(agreed, TlsFailed):
                waited_s = ctx.monotonic() - began_s
                return TcpExchange(connect="accepted", attempts=link.attempts, waited_s=waited_s, inside_tls=True)
        fact = await converse(ctx, link, dialogue_for(str(task.params["question"]), asking))
        return fact.model_copy(update={"inside_tls": inside})


SPEC: Final = ProbeSpec(id="tcp.service", version=1, plan=plan, observe=observe, proceed=proceed)
