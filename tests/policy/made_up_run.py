"""A run written by hand, second by second, and made-up rules: what the evaluator does with them, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.endpoint import FAMILIES, Family, TargetAddress, Transport, family_of
from flexiscan.model.facts import Fact, TcpExchange, UdpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Gate, Skip, Task
from flexiscan.model.profile import Profile, RuleEntry
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Rule, Subject
from flexiscan.policy.selection import Selection

HOST = "flexi.example.test"
V4, V6 = "192.0.2.10", "2001:db8:2::10"
PORT = 5060
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)

ACCEPTED = TcpExchange(connect="accepted")
RESET = TcpExchange(connect="reset")
SILENCE = TcpExchange(connect="silence")
DROPPED = UdpExchange(reply="silence")
FAILED = Failure(reason="no-resource")

Outcome = Fact | Failure | None
"""None: the task was planned, and nothing is in the record."""


@dataclass
class MadeUpRun:
    """Tasks and what came of them; times are seconds from START."""

    addresses: tuple[TargetAddress, ...] = (TargetAddress(address=V4, family="ipv4"),)
    target: Target = field(default_factory=lambda: Target(host=HOST))
    interrupted: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)

    def put(
        self,
        role: str,
        span_s: tuple[float, float],
        outcome: Outcome,
        *,
        address: str | None = V4,
        transport: Transport | None = "tcp",
        port: int | None = PORT,
        gate: Gate = "none",
    ) -> str:
        """Add a task; its id."""
        name = f"{role}/{address}/{port}/{len(self.tasks)}"
        self.tasks[name] = Task(
            id=name,
            probe=role,
            host=HOST,
            role=role,
            address=address,
            transport=transport,
            port=port,
            lane=name,
            gate=gate,
        )
        if outcome is not None:
            started, ended = (START + dt.timedelta(seconds=at_s) for at_s in span_s)
            self.observations[name] = Observation(id=name, started=started, ended=ended, outcome=outcome)
        return name

    def ask(self, span_s: tuple[float, float] = (10, 12), outcome: Outcome = SILENCE, **place: Any) -> str:
        """Add the question that SILENT_PORT judges."""
        return self.put("ask", span_s, outcome, **place)

    def control(
        self, at_s: float, outcome: Outcome = ACCEPTED, *, lasts_s: float = 0.1, port: int = 443, address: str = V4
    ) -> str:
        """Add a control."""
        return self.put("control", (at_s, at_s + lasts_s), outcome, address=address, port=port, gate="tcp")

    def controls(self, *at_s: float, outcome: Outcome = ACCEPTED, port: int = 443, address: str = V4) -> MadeUpRun:
        """Add several controls; the run itself."""
        for moment in at_s:
            self.control(moment, outcome, port=port, address=address)
        return self

    def skip(self, role: str, reason: str, **place: Any) -> None:
        """Add a task that was left out."""
        where = {"address": V4, "transport": "tcp", "port": PORT, **place}
        self.skips.append(Skip(host=HOST, role=role, reason=reason, **where))

    def evidence(self, **changes: Any) -> Evidence:
        """All of it, as the evaluator takes it."""
        known: dict[str, Any] = {
            "target": self.target,
            "scope": Scope(authorisation=Authorisation(authorised_by="test"), targets=(self.target,)),
            "addresses": self.addresses,
            "families": FAMILIES,
            "names_known": dict.fromkeys(FAMILIES, True),
            "tasks": self.tasks,
            "skips": tuple(self.skips),
            "observations": self.observations,
            "interrupted": self.interrupted,
            "depth": "standard",
            "now_s": START.timestamp() + 1000,
        }
        return Evidence(**{**known, **changes})

    def findings(self, *rules: Rule, selection: Selection | None = None, **changes: Any) -> tuple[Finding, ...]:
        """What these rules say."""
        return evaluate(profile_of(rules), rules, selection or Selection(), self.evidence(**changes))

    def shown(self, rule: Rule, address: str = V4, **changes: Any) -> tuple[str, str]:
        """Verdict and result at one address."""
        found = [f for f in self.findings(rule, **changes) if f.address == address]
        assert len(found) == 1, found
        return found[0].verdict, found[0].result


def profile_of(rules: Iterable[Rule]) -> Profile:
    """A profile with these rules and nothing else."""
    entries = tuple(RuleEntry(id=rule.id, guide=(), severity="high") for rule in rules)
    return Profile(name="test", version=1, guide_title="", guide_release="", rules=entries, ports=(), items=())


def both_families(**states: Any) -> tuple[TargetAddress, ...]:
    """One address of each family."""
    return tuple(TargetAddress(address=a, family=family_of(a), **states) for a in (V4, V6))


def one_port(ground: Ground) -> list[Subject]:
    """PORT of every address."""
    return [Subject(address.address, "tcp", PORT) for address in ground.addresses]


def judge_silence(case: Case) -> Judgement:
    """`holds` when every connect met silence or a reset, `violated` as soon as one was accepted."""
    facts = [(seen, seen.fact) for seen in case.of("ask")]
    accepting = tuple(seen for seen, fact in facts if isinstance(fact, TcpExchange) and fact.connect == "accepted")
    if accepting:
        return Judgement("violated", "open", accepting)
    return Judgement("holds", "silent", tuple(seen for seen, _ in facts))


SILENT_PORT = Rule(
    id="test.silent-port",
    results={"silent": "holds", "open": "violated"},
    needs=(Need("ask"),),
    subjects=one_port,
    judge=judge_silence,
)


def saying(judgement: Any, results: dict[str, Any], *needs: Need, **more: Any) -> Rule:
    """A rule that says the same whatever it is shown; a callable is given the case."""

    def judge(case: Case) -> Judgement:
        said = judgement(case) if callable(judgement) else judgement
        assert isinstance(said, Judgement)
        return said

    return Rule(
        id="test.saying", results=results, needs=needs, subjects=more.pop("subjects", one_port), judge=judge, **more
    )


def families_of(findings: Iterable[Finding]) -> dict[Family | None, tuple[str, str]]:
    """Verdict and result by family, of findings that name no address."""
    return {f.family: (f.verdict, f.result) for f in findings if f.address is None}
