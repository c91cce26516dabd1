"""The rule about ports that nobody declared, which needs a sweep of all of them (guide: checklist 3)."""

from __future__ import annotations

from typing import Final

from flexiscan.model.facts_sweep import TcpSweep
from flexiscan.policy.ports.all_ports import ALL_PORTS_RESULTS, read_all_ports
from flexiscan.policy.rule import FOUND_ROLE, Case, Ground, Judgement, Need, Rule, Subject


def judge_no_undeclared_port(case: Case) -> Judgement:
    """Every TCP port that accepts is declared, or has a rule of its own."""
    sweeps = [seen for seen in case.of("tcp-sweep") if isinstance(seen.fact, TcpSweep)]
    if not sweeps or not isinstance(sweeps[0].fact, TcpSweep):
        return Judgement("cannot-tell", "not-looked-at")
    reading = read_all_ports(
        sweeps[0], sweeps[0].fact, case.of(FOUND_ROLE), _expected(case), canaries=case.of("tcp-canary")
    )
    return Judgement(
        ALL_PORTS_RESULTS[reading.result],
        reading.result,
        reading.because,
        reading.confidence,
        params=reading.params,
        rests_on_absence=reading.rests_on_absence,
    )


def _expected(case: Case) -> frozenset[int]:
    """Ports that are published on purpose, and those that a rule of their own judges."""
    target = case.target
    rows = (row for row in case.profile.ports if row.transport == "tcp")
    judged = {port for row in rows for port in range(row.port, (row.last_port or row.port) + 1)}
    return frozenset({80, 443, target.http_port, target.https_port, *target.mitai_ports, *judged})


def _addresses(ground: Ground) -> list[Subject]:
    """Only a full scan asks every port."""
    if ground.depth != "full":
        return []
    return [Subject(address=address.address, transport="tcp") for address in ground.addresses]


NO_UNDECLARED_PORT: Final = Rule(
    id="ports.no-undeclared-port",
    results=ALL_PORTS_RESULTS,
    needs=(
        Need("tcp-sweep", at="address"),
        Need(FOUND_ROLE, at="address", optional=True),
        Need("tcp-canary", at="address", optional=True),
    ),
    subjects=_addresses,
    judge=judge_no_undeclared_port,
    without_subject="depth",
)
