"""All TCP ports of an address, at depth full: which of them accept a connection? Then, what speaks there?

After everything else, in a round of its own: a firewall that takes offence at a sweep must not cost the other
answers. Ports that accept and are not expected to are asked who they are, one connection after the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flexiscan.model.facts import TcpExchange
from flexiscan.model.facts_sweep import ConnectOutcome, PortSet, TcpSweep
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes import tcp
from flexiscan_probes.tcp_rows import tcp_questions
from flexiscan_probes.tcp_sweep_run import (
    CANARY_WAIT_S,
    GUIDE_EVERY_S,
    MOST_PASSES,
    PASSES,
    TcpSweepRun,
)

ROUND: Final = 4
FIRST_PORT: Final = 1
LAST_PORT: Final = 65535
CANARIES: Final = 8
MOST_FOUND: Final = 12
"""Undeclared ports that are asked who they are; the others are named all the same."""
QUESTIONS: Final = ("banner", "http", "tls")
"""Put one after the other, until the service is known."""
FOUND_ROLE: Final = "tcp-found"
_DEFAULT_PPS: Final = 200
_SPARE_S: Final = 60.0
_SLOWNESS: Final = 2.0
"""How much longer than at the agreed pace a sweep may take before it ends with what it has."""


def plan(view: PlanView) -> Iterable[Draft]:
    """One sweep of every address, at depth full only."""
    if view.round != ROUND or view.depth != "full":
        return []
    return [_draft(view, address.address) for address in view.addresses]


def _draft(view: PlanView, address: str) -> Draft:
    pps = int(view.options.get("udp_pps", _DEFAULT_PPS))
    excluded = sorted(set(view.options.get("excluded_ports", ())))
    ports = LAST_PORT - FIRST_PORT + 1 - len([port for port in excluded if FIRST_PORT <= port <= LAST_PORT])
    guide = _guide(view, address)
    passes = PASSES if guide is not None else 1
    paced_s = passes * ports / pps
    datagrams = passes * ports + round(paced_s / GUIDE_EVERY_S) + 3 * CANARIES
    budget_s = _SPARE_S + _SLOWNESS * MOST_PASSES / PASSES * datagrams / pps
    return Draft(
        role="tcp-sweep",
        name="all-ports",
        address=address,
        transport="tcp",
        params={
            "excluded": excluded,
            "expected": sorted(tcp_questions(view.profile, view.target)),
            "seed": random.Random(f"{view.seed}:tcp-sweep:{address}").getrandbits(32),
            "guide": None if guide is None else list(guide),
            "budget_s": budget_s,
        },
        gate="tcp",
        datagrams=datagrams,
        silence_s=(passes + 1) * CANARY_WAIT_S,
        deadline_s=budget_s + _SPARE_S,
    )


def _guide(view: PlanView, address: str) -> tuple[int, ConnectOutcome] | None:
    """The port that shows all the while that we are not shut out: one that accepts, or else one that resets."""
    outcomes: dict[int, str] = {}
    for task_id, observation in view.seen.items():
        task, outcome = view.tasks[task_id], observation.outcome
        is_canary = task.role.startswith("tcp-canary")
        if task.address == address and task.port is not None and isinstance(outcome, TcpExchange) and not is_canary:
            outcomes[task.port] = outcome.connect
    wishes = (view.target.https_port, view.target.http_port, *sorted(outcomes))
    answers: tuple[ConnectOutcome, ...] = ("accepted", "reset")
    for answer in answers:
        for port in wishes:
            if outcomes.get(port) == answer:
                return port, answer
    return None


async def observe(ctx: Context, task: Task) -> TcpSweep | TcpExchange:
    """Sweep; or, for a port that was found, ask who is there."""
    if task.role == FOUND_ROLE:
        return await tcp.observe(ctx, task)
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    excluded = frozenset(task.params["excluded"])
    ports = [port for port in range(FIRST_PORT, LAST_PORT + 1) if port not in excluded]
    chance = random.Random(int(task.params["seed"]))
    free = [port for port in ports if port not in task.params["expected"]]
    guide = task.params["guide"]
    began_s = ctx.monotonic()
    async with ctx.knocks(task.address) as link:
        run = TcpSweepRun(
            ctx,
            link,
            ports,
            chance.sample(free, CANARIES),
            chance,
            None if guide is None else (int(guide[0]), guide[1]),
            ends_s=began_s + float(task.params["budget_s"]),
        )
        await run.carry_out()
    return _as_fact(task, run, ports_total=len(ports), waited_s=ctx.monotonic() - began_s)


def _as_fact(task: Task, run: TcpSweepRun, *, ports_total: int, waited_s: float) -> TcpSweep:
    return TcpSweep(
        seed=int(task.params["seed"]),
        ports_total=ports_total,
        asked=PortSet.of(run.outcomes),
        accepted=PortSet.of(run.accepted),
        reset=run.with_outcome("reset"),
        icmp=run.icmp_sets(),
        astray=run.astray(),
        silent=run.with_outcome("silence"),
        late=run.late,
        passes=run.passes,
        syns=run.link.syns,
        guide_port=None if run.guide is None else run.guide[0],
        guides=run.guides,
        guides_lost=run.guides_lost,
        canaries=run.canary_answers(),
        stopped=run.stopped,
        waited_s=waited_s,
    )


def proceed(task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
    """Who is there, for the first undeclared ports that accepted; another question where one was not understood."""
    fact = lane[-1].outcome
    if isinstance(fact, TcpSweep):
        if fact.stopped == "everything-answers":
            return []
        expected = set(task.params["expected"])
        found = [port for port in fact.accepted.ports() if port not in expected][:MOST_FOUND]
        return [_question(task.address, port, QUESTIONS[0]) for port in found]
    if task.role != FOUND_ROLE:  # the sweep itself could not be made
        return []
    asked = str(task.params["question"])
    is_open = isinstance(fact, TcpExchange) and fact.connect == "accepted" and fact.service is None
    if not is_open or asked == QUESTIONS[-1] or task.port is None:
        return []
    return [_question(task.address, task.port, QUESTIONS[QUESTIONS.index(asked) + 1])]


def _question(address: str | None, port: int, question: str) -> Draft:
    params: Mapping[str, Any] = {"question": question}
    return Draft(
        role=FOUND_ROLE,
        name=question,
        address=address,
        transport="tcp",
        port=port,
        params=params,
        gate="tcp",
        silence_s=tcp.CONNECT_TIMEOUT_S * tcp.CONNECT_ATTEMPTS,
        deadline_s=tcp.DEADLINE_S,
    )


SPEC: Final = ProbeSpec(id="tcp.sweep", version=1, plan=plan, observe=observe, proceed=proceed)
