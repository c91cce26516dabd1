"""Asks every HTTPS port of every address what it speaks: versions, suites and certificates.

One hello is one connection is one task. Which task comes next stands in tls_walk; this module turns its questions
into drafts and puts them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from flexiscan.model.facts import Fact
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes.certificate import ask_handshake
from flexiscan_probes.tls_exchange import ANSWER_TIMEOUT_S, ask_hello, chain_digest_of
from flexiscan_probes.tls_walk import CONTROL, LANES, Question, next_question

TLS_ROUND: Final = 2
"""After the ports are known."""

_CONNECT_DEADLINE_S: Final = 5.0
_HELLO_DEADLINE_S: Final = _CONNECT_DEADLINE_S + ANSWER_TIMEOUT_S + 1.0
_HANDSHAKE_DEADLINE_S: Final = 12.0


def plan(view: PlanView) -> Iterable[Draft]:
    """The opening control of each lane, on the declared HTTPS port of every address."""
    if view.round != TLS_ROUND:
        return
    name = server_name_for(view.target.host)
    for address in view.addresses:
        for lane in LANES:
            base: dict[str, Any] = {"lane": lane, "sni": name, "known": []}
            yield _draft(CONTROL, base, 0, address.address, view.target.https_port)


def proceed(task: Task, observations: tuple[Observation, ...]) -> Iterable[Draft]:
    """The next question of the lane; none after a failure of ours, because the walk rests on every answer."""
    facts: list[Fact] = []
    for observation in observations:
        if observation.outcome.kind == "failure":
            return
        facts.append(observation.outcome)
    question = next_question(task.params["lane"], facts)
    if question is None or task.address is None or task.port is None:
        return
    known = sorted({digest for fact in facts for digest in chain_digest_of(fact)})
    yield _draft(question, {**task.params, "known": known}, len(facts), task.address, task.port)


async def observe(context: Context, task: Task) -> Fact:
    """Put the task's question."""
    if task.params["step"] == "handshake":
        return await ask_handshake(context, task)
    return await ask_hello(context, task)


def server_name_for(host: str) -> str | None:
    """The name for the server_name extension; None for an address, which must not stand there (RFC 6066 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".")
    return None


def _draft(question: Question, base: dict[str, Any], number: int, address: str, port: int) -> Draft:
    lane = base["lane"]
    return Draft(
        role=_role(question),
        name=f"{lane}/{number:02d}-{question.step}-{question.version}",
        address=address,
        transport="tcp",
        port=port,
        params={**base, "step": question.step, "version": question.version, "suites": list(question.suites)},
        lane=f"tls/{address}/{port}/{lane}",
        gate="tls",
        silence_s=ANSWER_TIMEOUT_S,
        deadline_s=_HANDSHAKE_DEADLINE_S if question.step == "handshake" else _HELLO_DEADLINE_S,
    )


def _role(question: Question) -> str:
    """What the answer is for: "tls-control", "tls-certificate", or "tls-" and the version."""
    if question.step in ("control", "control-plain"):
        return "tls-control"
    return "tls-certificate" if question.step == "handshake" else f"tls-{question.version}"


SPEC = ProbeSpec(id="tls.ask", version=1, plan=plan, observe=observe, proceed=proceed)
