"""Asks every HTTPS port of every address what it speaks: versions and suites, certificates, a second opinion.

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
from flexiscan_probes.tls_second_opinion import SECOND_OPINION_DEADLINE_S, ask_second_engine
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
    engine = view.options.get("second_opinion", "standard")
    for address in view.addresses:
        for lane in LANES:
            base: dict[str, Any] = {"lane": lane, "sni": name, "second_opinion": engine, "known": []}
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
    if question.step == "second-opinion" and task.params["second_opinion"] == "none":
        return
    known = sorted({digest for fact in facts for digest in chain_digest_of(fact)})
    yield _draft(question, {**task.params, "known": known}, len(facts), task.address, task.port)


async def observe(context: Context, task: Task) -> Fact:
    """Put the task's question."""
    step = task.params["step"]
    if step == "handshake":
        return await ask_handshake(context, task)
    if step == "second-opinion":
        return await ask_second_engine(context, task)
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
        deadline_s=_deadline_s(question),
    )


def _role(question: Question) -> str:
    """What the answer is for: "tls-control", "tls-certificate", "tls-second-opinion", or "tls-" and the version."""
    if question.step in ("control", "control-plain"):
        return "tls-control"
    if question.step == "handshake":
        return "tls-certificate"
    return "tls-second-opinion" if question.step == "second-opinion" else f"tls-{question.version}"


def _deadline_s(question: Question) -> float:
    if question.step == "second-opinion":
        return SECOND_OPINION_DEADLINE_S + 5.0
    return _HANDSHAKE_DEADLINE_S if question.step == "handshake" else _HELLO_DEADLINE_S


SPEC = ProbeSpec(id="tls", version=1, plan=plan, observe=observe, proceed=proceed)
