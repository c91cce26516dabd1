"""Runs the TLS probes over real sockets against a server on loopback and judges what they saw."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.endpoint import FAMILIES, TargetAddress, family_of
from flexiscan.model.facts import TcpExchange
from flexiscan.model.facts_tls import TlsReply
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Rates, Scope, Target
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall, open_target
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import cert, tls
from flexiscan.policy.selection import Selection
from flexiscan.sdk import Draft, PlanView, ProbeSpec
from flexiscan_probes import tls as tls_probe
from flexiscan_probes import tls_second_opinion

PROFILE = load_profile()


@dataclass
class Drive:
    """One target with one server; `ask` puts every question, `findings` judges the answers."""

    address: str
    port: int
    host: str = "flexi.example.test"
    second_opinion: str = "none"
    options: Mapping[str, Any] = field(default_factory=dict)
    now: dt.datetime | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        return Target(host=self.host, https_port=self.port)

    async def ask(self, *, deadline_s: float = 60.0) -> Drive:
        async with asyncio.timeout(deadline_s), self._context() as context:
            self._control("before")
            await self._round(context, tls_probe.SPEC, 2)
            await self._round(context, tls_second_opinion.SPEC, 3)
            self._control("after")
        return self

    @contextlib.asynccontextmanager
    async def _context(self) -> AsyncIterator[TaskContext]:
        clock = Clock()
        pace = Pace(Rates(tls_concurrency=16), clock)
        try:
            yield TaskContext(
                run_id="test",
                user_agent="FlexiScan/test",
                random=random.Random(1),
                clock=clock,
                pace=pace,
                wall=ScopeWall(open_target(self.address), clock=clock),
                host=self.host,
            )
        finally:
            await pace.aclose()

    async def _round(self, context: TaskContext, spec: ProbeSpec, number: int) -> None:
        view = PlanView(
            round=number,
            target=self.target,
            addresses=(TargetAddress(address=self.address, family=family_of(self.address)),),
            profile=PROFILE,
            depth="standard",
            seed=1,
            tasks=dict(self.tasks),
            seen=dict(self.observations),
            options={"second_opinion": self.second_opinion},
        )
        async with asyncio.TaskGroup() as group:
            for draft in spec.plan(view):
                group.create_task(self._lane(context, spec, draft))

    async def _lane(self, context: TaskContext, spec: ProbeSpec, draft: Draft) -> None:
        history: list[Observation] = []
        waiting = [draft]
        while waiting:
            task = self._task(spec, waiting.pop(0))
            started = dt.datetime.now(dt.UTC)
            async with asyncio.timeout(task.deadline_s):
                fact = await spec.observe(context, task)
            ended = dt.datetime.now(dt.UTC)
            history.append(Observation(id=task.id, started=started, ended=ended, outcome=fact))
            self.observations[task.id] = history[-1]
            if spec.proceed is not None:
                waiting.extend(spec.proceed(task, tuple(history)))

    def _task(self, spec: ProbeSpec, draft: Draft) -> Task:
        task_id = f"{spec.id}/{draft.address}/{draft.port}/{draft.name}"
        task = Task(
            id=task_id,
            probe=spec.id,
            host=self.host,
            role=draft.role,
            address=draft.address,
            transport=draft.transport,
            port=draft.port,
            params=dict(draft.params),
            lane=draft.lane or task_id,
            deadline_s=draft.deadline_s,
        )
        self.tasks[task_id] = task
        return task

    def _control(self, label: str) -> None:
        task = Task(
            id=f"control/{label}",
            probe="control",
            host=self.host,
            role="control",
            address=self.address,
            transport="tcp",
            port=self.port,
            lane=label,
        )
        now = dt.datetime.now(dt.UTC)
        self.tasks[task.id] = task
        outcome = TcpExchange(connect="accepted")
        self.observations[task.id] = Observation(id=task.id, started=now, ended=now, outcome=outcome)

    @property
    def replies(self) -> list[TlsReply]:
        return [o.outcome for o in self.observations.values() if isinstance(o.outcome, TlsReply)]

    def suites(self, version: str) -> set[int]:
        """The suites agreed on in a version."""
        return {
            reply.suite
            for reply in self.replies
            if reply.version == version and reply.suite is not None and reply.suite in reply.hello.suites
        }

    def findings(self) -> dict[str, Finding]:
        rules = (*tls.RULES, *cert.RULES)
        evidence = Evidence(
            target=self.target,
            scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(self.target,)),
            addresses=(TargetAddress(address=self.address, family=family_of(self.address)),),
            families=FAMILIES,
            names_known=dict.fromkeys(FAMILIES, True),
            tasks=self.tasks,
            skips=(),
            observations=self.observations,
            interrupted=False,
            depth="standard",
            now_s=(self.now or dt.datetime.now(dt.UTC)).timestamp(),
            options=self.options,
        )
        ids = {rule.id for rule in rules}
        found = evaluate(PROFILE, rules, Selection(), evidence)
        return {f.rule: f for f in found if f.rule in ids and f.address == self.address}

    def shown(self, *rules: str) -> dict[str, str]:
        found = self.findings()
        return {rule: f"{found[rule].verdict} {found[rule].result}" for rule in rules or found}
