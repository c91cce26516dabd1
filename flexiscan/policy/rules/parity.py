"""Rules that compare the addresses of one name with each other (guide: checklist 8, Kemp overview)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flexiscan.model.facts import RtpSweep
from flexiscan.policy.ports.comparison import Comparison, Difference, Slot, compare
from flexiscan.policy.ports.media_range import read_sweep
from flexiscan.policy.ports.reading import PortReading
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Rule, Seen, the_host
from flexiscan.policy.rules.ports import TCP_CANARIES, reading_of

PORTS_EQUAL_RESULTS: Final[Mapping[str, Outcome]] = {
    "equal": "holds",
    "filtered-differently": "holds",
    "open-only-on-ipv6": "violated",
    "open-only-on-ipv4": "violated",
    "differs-between-addresses": "violated",
    "single-address": "not-applicable",
    "not-comparable": "cannot-tell",
}


def judge_ports_equal(case: Case) -> Judgement:
    """Whether every port is in the same state at every address; worst is what only IPv6 shows."""
    published = [address for address in case.addresses if not address.origin]
    if len(published) < 2:
        return Judgement("not-applicable", "single-address")
    readings = _readings(case)
    because = tuple(seen for reading in readings.values() for seen in reading.because[:1])
    comparison = compare(case.addresses, readings)
    if comparison.differences:
        return _differing(case, comparison)
    if comparison.unknown or not readings:
        return Judgement("cannot-tell", "not-comparable", because, params={"ports": _shown(comparison.unknown)})
    result = "filtered-differently" if comparison.filtered_differently else "equal"
    params = {"compared": len({slot for _, slot in readings}), "ports": _shown(comparison.filtered_differently)}
    return Judgement("holds", result, because, params=params)


def _readings(case: Case) -> dict[tuple[str, Slot], PortReading]:
    found: dict[tuple[str, Slot], PortReading] = {}
    for role, canary_roles in (("tcp", TCP_CANARIES), ("udp", ("udp-canary",))):
        for seen in case.of(role):
            task = seen.task
            canaries = tuple(canary for role in canary_roles for canary in _at(case, role, task.address))
            follow_ups = [s for s in _at(case, f"{role}-service", task.address) if s.task.port == task.port]
            reading = reading_of(seen, canaries, _at(case, "udp-path", task.address), follow_ups)
            if reading and task.address is not None and task.transport is not None and task.port is not None:
                found[task.address, (task.transport, task.port, task.port)] = reading
    for seen in case.of("rtp-sweep"):
        if isinstance(seen.fact, RtpSweep) and seen.task.address is not None:
            slot: Slot = ("udp", seen.fact.first_port, seen.fact.last_port)
            found[seen.task.address, slot] = read_sweep(seen, seen.fact, _at(case, "tcp-path", seen.task.address))
    return found


def _at(case: Case, role: str, address: str | None) -> tuple[Seen, ...]:
    return tuple(seen for seen in case.of(role) if seen.task.address == address)


def _differing(case: Case, comparison: Comparison) -> Judgement:
    ranked = sorted(comparison.differences, key=lambda difference: _rank(case, difference))
    worst = ranked[0]
    on_ipv6 = worst.between_families and worst.open_at.family == "ipv6"
    only_on_one = "open-only-on-ipv6" if on_ipv6 else "open-only-on-ipv4"
    involved = [reading for d in ranked for reading in (d.open_reading, d.closed_reading)]
    because: dict[str, Seen] = {seen.id: seen for reading in involved for seen in reading.because[:1]}
    return Judgement(
        "violated",
        only_on_one if worst.between_families else "differs-between-addresses",
        tuple(because.values()),
        "tentative" if "tentative" in (worst.open_reading.confidence, worst.closed_reading.confidence) else "firm",
        severity="critical" if on_ipv6 and _is_internal(case, worst) else None,
        params={"differences": [_as_params(difference) for difference in ranked]},
        rests_on_absence=any(reading.rests_on_absence for reading in involved),
    )


def _rank(case: Case, difference: Difference) -> tuple[bool, bool, bool, Slot]:
    """Worst first: an internal port, seen on IPv6 alone."""
    return (
        not _is_internal(case, difference),
        not difference.between_families,
        difference.open_at.family != "ipv6",
        difference.slot,
    )


def _is_internal(case: Case, difference: Difference) -> bool:
    """Whether the port is meant for nobody outside: neither a web port nor declared."""
    transport, port, _ = difference.slot
    declared = {row.port for row in case.profile.ports if row.only_if in case.target.ports and row.transport == "tcp"}
    published = {80, 443, case.target.http_port, case.target.https_port} | declared
    return transport != "tcp" or port not in published


def _as_params(difference: Difference) -> dict[str, Any]:
    transport, first, last = difference.slot
    return {
        "transport": transport,
        "port": first if first == last else f"{first}-{last}",
        "open_at": difference.open_at.address,
        "closed_at": difference.closed_at.address,
        "open_as": difference.open_reading.result,
        "closed_as": difference.closed_reading.result,
    }


def _shown(slots: tuple[Slot, ...]) -> list[str]:
    return [
        f"{transport} {first}" if first == last else f"{transport} {first}-{last}" for transport, first, last in slots
    ]


PARITY_PORT_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        id="parity.ports-equal",
        results=PORTS_EQUAL_RESULTS,
        needs=(
            Need("tcp", at="host"),
            Need("tcp-service", at="host", optional=True),
            *(Need(role, at="host", optional=True) for role in TCP_CANARIES),
            Need("udp", at="host"),
            Need("udp-service", at="host", optional=True),
            Need("udp-canary", at="host", optional=True),
            Need("rtp-sweep", at="host", optional=True),
            Need("tcp-path", at="host", optional=True),
            Need("udp-path", at="host", optional=True),
        ),
        subjects=the_host,
        judge=judge_ports_equal,
    ),
)
