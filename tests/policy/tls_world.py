"""A TLS server as a function, asked by the real walk in virtual time and judged by the real evaluator."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.endpoint import FAMILIES, TargetAddress, family_of
from flexiscan.model.facts import Fact, TcpExchange
from flexiscan.model.facts_tls import (
    CertificateChain,
    TlsHelloSent,
    TlsOutcome,
    TlsReply,
    TlsSecondOpinion,
    TlsVersion,
)
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules import cert, tls
from flexiscan.policy.selection import Selection
from flexiscan.sdk import Draft, PlanView
from flexiscan_probes import tls_second_opinion as second_opinion
from flexiscan_probes.tls import SPEC

PROFILE = load_profile()
ADDRESS = "192.0.2.10"
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
ORDER: tuple[TlsVersion, ...] = ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
MODERN_SUITES: Mapping[TlsVersion, tuple[int, ...]] = {
    "TLSv1.2": (0xC030, 0xC02F, 0xCCA8),
    "TLSv1.3": (0x1302, 0x1303, 0x1301),
}

Refusal = TlsOutcome | int
"""An outcome, or the number of a fatal alert."""
Quirk = Callable[[int, Mapping[str, Any]], Refusal | None]
"""Given the number of the connection (from 1) and the question, something else than the honest answer."""


@dataclass
class TlsServer:
    """Suites by version in order of preference, and how it says no."""

    suites: Mapping[TlsVersion, tuple[int, ...]] = field(default_factory=lambda: dict(MODERN_SUITES))
    no_version: Refusal = 70
    no_suite: Refusal = 40
    ssl2_kinds: tuple[int, ...] = ()
    no_ssl2: Refusal | None = None
    chain: tuple[bytes, ...] = ()
    first_bytes: bytes = b""
    quirk: Quirk = lambda number, question: None
    connections: int = 0

    def answer(self, question: Mapping[str, Any]) -> Fact:
        self.connections += 1
        sent = TlsHelloSent(version=question["version"], suites=tuple(question["suites"]), sni=question["sni"])
        odd = self.quirk(self.connections, question)
        if odd is not None:
            return self._no(sent, odd)
        if question["step"] == "handshake":
            if set(self.suites) & {"TLSv1.2", "TLSv1.3"} and self.chain:
                return CertificateChain(outcome="handshake", sni=question["sni"], chain_der_b64=self._chain(question))
            return CertificateChain(outcome="alert", sni=question["sni"])
        if sent.version == "SSLv2":
            return self._answer_ssl2(sent)
        return self._negotiate(sent, question)

    def _answer_ssl2(self, sent: TlsHelloSent) -> TlsReply:
        if self.ssl2_kinds:
            return TlsReply(hello=sent, outcome="server-hello", version="SSLv2", suites=self.ssl2_kinds)
        return self._no(sent, self.no_version if self.no_ssl2 is None else self.no_ssl2)

    def _negotiate(self, sent: TlsHelloSent, question: Mapping[str, Any]) -> TlsReply:
        only_tls13 = sent.version == "TLSv1.3" and question["step"] != "control"
        limit = ORDER.index(sent.version)
        allowed = [v for v in reversed(ORDER) if v in self.suites and ORDER.index(v) <= limit]
        if only_tls13:
            allowed = [v for v in allowed if v == "TLSv1.3"]
        if not allowed:
            return self._no(sent, self.no_version)
        for version in allowed:
            for suite in self.suites[version]:
                if suite in sent.suites:
                    outcome: TlsOutcome = "hello-retry" if version == "TLSv1.3" else "server-hello"
                    chain = () if version == "TLSv1.3" else self._chain(question)
                    return TlsReply(
                        hello=sent, outcome=outcome, version=version, suite=suite, compression=0, chain_der_b64=chain
                    )
        return self._no(sent, self.no_suite)

    def _chain(self, question: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(base64.b64encode(der).decode() for der in self.chain)

    def _no(self, sent: TlsHelloSent, how: Refusal) -> TlsReply:
        if isinstance(how, int):
            return TlsReply(hello=sent, outcome="alert", alert_level=2, alert_description=how)
        shown = self.first_bytes.hex() if how == "not-tls" else ""
        return TlsReply(hello=sent, outcome=how, first_bytes_hex=shown)


@dataclass
class TlsWorld:
    """One address with one server behind port 443."""

    server: TlsServer
    opinion: TlsSecondOpinion | None = None
    host: str = "flexi.example.test"
    options: Mapping[str, Any] = field(default_factory=dict)
    now: dt.datetime = START + dt.timedelta(hours=1)
    fail_after: int | None = None
    """A failure of ours instead of this connection's answer."""
    tasks: dict[str, Task] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)

    def run(self) -> TlsWorld:
        depth = "standard" if self.opinion else "none"
        self._control(0.0)
        at_s = 10.0
        for draft in list(SPEC.plan(self.view(2)(depth))):
            at_s = self._lane(draft, at_s)
        for draft in list(second_opinion.plan(self.view(3)(depth))):
            task = self._task(draft)
            assert self.opinion is not None
            self._observe(task, self.opinion, at_s, at_s + 2)
            at_s += 2
        self._control(at_s + 10)
        return self

    def view(self, number: int) -> Callable[[str], PlanView]:
        """What a round's plan may look at, by depth of the second opinion."""
        return lambda depth: PlanView(
            round=number,
            target=Target(host=self.host),
            addresses=(TargetAddress(address=ADDRESS, family="ipv4"),),
            profile=PROFILE,
            depth="standard",
            seed=1,
            tasks=dict(self.tasks),
            seen=dict(self.observations),
            options={"second_opinion": depth},
        )

    def _lane(self, draft: Draft, at_s: float) -> float:
        history: list[Observation] = []
        waiting = [draft]
        while waiting:
            task = self._task(waiting.pop(0))
            outcome: Fact | Failure
            if self.fail_after is not None and self.server.connections >= self.fail_after:
                outcome = Failure(reason="no-resource")
            else:
                outcome = self.server.answer(task.params)
            took_s = 3.0 if outcome.kind == "tls-hello" and outcome.outcome == "timeout" else 0.1
            history.append(self._observe(task, outcome, at_s, at_s + took_s))
            at_s += took_s + 0.01
            assert SPEC.proceed is not None
            waiting.extend(SPEC.proceed(task, tuple(history)))
            assert len(history) < 200, "the walk does not end"
        return at_s

    def _task(self, draft: Draft) -> Task:
        task_id = f"tls.ask/{draft.address}/{draft.port}/{draft.name}"
        assert task_id not in self.tasks
        task = Task(
            id=task_id,
            probe="tls.ask",
            host=self.host,
            role=draft.role,
            address=draft.address,
            transport=draft.transport,
            port=draft.port,
            params=dict(draft.params),
            lane=draft.lane,
        )
        self.tasks[task_id] = task
        return task

    def _control(self, at_s: float) -> None:
        name = f"control-{at_s}"
        self.tasks[name] = Task(
            id=name,
            probe="control",
            host=self.host,
            role="control",
            address=ADDRESS,
            transport="tcp",
            port=443,
            lane=name,
        )
        self._observe(self.tasks[name], TcpExchange(connect="accepted"), at_s, at_s + 0.01)

    def _observe(self, task: Task, outcome: Fact | Failure, start_s: float, end_s: float) -> Observation:
        started, ended = (START + dt.timedelta(seconds=s) for s in (start_s, end_s))
        observation = Observation(id=task.id, started=started, ended=ended, outcome=outcome)
        self.observations[task.id] = observation
        return observation

    def findings(self) -> dict[str, Finding]:
        target = Target(host=self.host)
        evidence = Evidence(
            target=target,
            scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(target,)),
            addresses=(TargetAddress(address=ADDRESS, family=family_of(ADDRESS)),),
            families=("ipv4",),
            names_known=dict.fromkeys(FAMILIES, True),
            tasks=self.tasks,
            skips=(),
            observations=self.observations,
            interrupted=False,
            depth="standard",
            now_s=self.now.timestamp(),
            options=self.options,
        )
        rules = (*tls.RULES, *cert.RULES)
        ids = {rule.id for rule in rules}
        found = [f for f in evaluate(PROFILE, rules, Selection(), evidence) if f.rule in ids and f.address == ADDRESS]
        assert len(found) == len(ids)
        return {finding.rule: finding for finding in found}


def shown(world: TlsWorld) -> dict[str, str]:
    """Rule without its area to "verdict result"."""
    return {rule: f"{f.verdict} {f.result}" for rule, f in world.run().findings().items()}
