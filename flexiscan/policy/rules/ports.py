"""Rules about ports: what must not be reachable, and what must be where it is declared.

Guide: table in the technical overview, "Secure Datatal CTStack", checklist 3. The rows are data of the profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flexiscan.model.facts import RtpSweep, TcpExchange, UdpExchange
from flexiscan.policy.ports.bleed import BLEED_ROLE, with_test_call
from flexiscan.policy.ports.half_open import beside_half_open
from flexiscan.policy.ports.media_range import RANGE_RESULTS, read_sweep
from flexiscan.policy.ports.reading import PORT_RESULTS, PortReading, read_tcp, read_udp
from flexiscan.policy.ports.reset_origin import with_origin
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Outcome, Rule, Seen, Subject
from flexiscan.policy.vantage import is_translated

DECLARED_RESULTS: Final[Mapping[str, Outcome]] = {
    **PORT_RESULTS,
    "open-as-declared": "holds",
    "open-in-clear": "holds",
    "declared-not-open": "violated",
    "accepted-unanswered": "cannot-tell",
}

TFTP_PORT: Final = 69
TCP_CANARIES: Final = ("tcp-canary", "tcp-canary-service")
"""Connects to ports that nobody uses, and what was asked there afterwards."""
_AROUND_TCP: Final = (
    Need("tcp-service", optional=True),
    *(Need(role, at="address", optional=True) for role in TCP_CANARIES),
    Need("tcp-raw", optional=True, beside=True),
    Need("tcp-reply", optional=True, beside=True),
)
TCP_NEEDS: Final = (Need("tcp"), *_AROUND_TCP, Need("tcp-path", at="address", optional=True, beside=True))
WAYS: Final = (Need("tcp-path", at="address", optional=True), Need("udp-path", at="address", optional=True))
UDP_NEEDS: Final = (Need("udp"), Need("udp-service", optional=True), Need("udp-canary", at="address"), *WAYS)
BOTH_NEEDS: Final = (
    Need("tcp", optional=True),
    *_AROUND_TCP,
    Need("udp", optional=True),
    Need("udp-service", optional=True),
    Need("udp-canary", at="address", optional=True),
    *WAYS,
)

Subjects = Callable[[Ground], Iterable[Subject]]


def judge_closed(case: Case) -> Judgement:
    """A port that nobody outside may reach."""
    reading = read_port(case)
    return _as_judgement(reading, PORT_RESULTS)


def read_port(case: Case) -> PortReading:
    """The state of the subject's port."""
    tcp, udp = case.of("tcp"), case.of("udp")
    if case.subject.transport == "tcp" and tcp and isinstance(tcp[0].fact, TcpExchange):
        canaries = [seen for role in TCP_CANARIES for seen in case.of(role)]
        reading = read_tcp(tcp[0], tcp[0].fact, canaries, case.of("tcp-service"))
        reading = with_origin(reading, case.subject.port, case.of("tcp-reply"), case.of("tcp-path"))
        return beside_half_open(reading, tcp[0].fact, case.of("tcp-raw"))
    if case.subject.transport == "udp" and udp and isinstance(udp[0].fact, UdpExchange):
        follow_ups = case.of("udp-service")
        reading = read_udp(udp[0], udp[0].fact, case.of("udp-canary"), case.of("udp-path"), follow_ups)
        return _through_translation(case, reading)
    excluded = case.subject.port in case.scope.exclude_ports
    return PortReading("excluded" if excluded else "not-looked-at", ())


def _through_translation(case: Case, reading: PortReading) -> PortReading:
    """TFTP answers from a new port (RFC 1350 section 4), which a translation at the scanner may not let back in."""
    address, family = case.subject.address, case.subject.family
    source = case.options.get("sources", {}).get(family)
    if case.subject.port != TFTP_PORT or reading.result != "filtered" or "dropped_within_hops" in reading.params:
        return reading
    if not reading.rests_on_absence or address is None or not is_translated(source, address):
        return reading
    params = {**reading.params, "source": source}
    return replace(reading, result="no-exposure-seen", confidence="tentative", params=params)


def judge_as_declared(case: Case) -> Judgement:
    """A port that is open where the scope file declares it, and closed where it does not."""
    reading = read_port(case)
    if not _is_declared(case):
        return _as_judgement(reading, DECLARED_RESULTS)
    if reading.is_open:
        return _open_as_declared(reading)
    if _is_origin(case):
        return _as_judgement(reading, DECLARED_RESULTS)
    return _not_open(reading)


def judge_web_reachable(case: Case) -> Judgement:
    """The declared HTTPS port answers."""
    reading = read_port(case)
    if not reading.is_open:
        return _not_open(reading)
    if not reading.params.get("service"):
        return Judgement("cannot-tell", "accepted-unanswered", reading.because)
    return _open_as_declared(reading)


def judge_media_range(case: Case) -> Judgement:
    """The range of ports that carries voice."""
    sweeps = [seen for seen in case.of("rtp-sweep") if isinstance(seen.fact, RtpSweep)]
    if not sweeps or not isinstance(sweeps[0].fact, RtpSweep):
        return Judgement("cannot-tell", "not-looked-at")
    paths = case.of("tcp-path")
    reading = with_test_call(read_sweep(sweeps[0], sweeps[0].fact, paths), case.of(BLEED_ROLE), paths)
    judgement = _as_judgement(reading, RANGE_RESULTS)
    if reading.result not in ("media-received", "media-redirectable"):
        return judgement
    return Judgement(
        judgement.outcome,
        judgement.result,
        judgement.because,
        judgement.confidence,
        severity="critical",  # live media left the site (DESIGN 5, severity)
        params=judgement.params,
    )


def _as_judgement(reading: PortReading, results: Mapping[str, Outcome]) -> Judgement:
    return Judgement(
        results[reading.result],
        reading.result,
        reading.because,
        reading.confidence,
        params=reading.params,
        rests_on_absence=reading.rests_on_absence,
    )


def _open_as_declared(reading: PortReading) -> Judgement:
    spoken_in_clear = reading.confidence == "confirmed" and not reading.encrypted
    result = "open-in-clear" if spoken_in_clear else "open-as-declared"
    return Judgement(
        "holds",
        result,
        reading.because,
        reading.confidence,
        severity="low" if spoken_in_clear else None,
        params=reading.params,
    )


def _not_open(reading: PortReading) -> Judgement:
    """A declared port that is closed or filtered; any other reading leaves the question open."""
    if DECLARED_RESULTS[reading.result] != "holds":
        return _as_judgement(reading, DECLARED_RESULTS)
    return Judgement(
        "violated",
        "declared-not-open",
        reading.because,
        reading.confidence,
        params={**reading.params, "state": reading.result},
        rests_on_absence=reading.rests_on_absence,
    )


def _is_declared(case: Case) -> bool:
    return any(
        row.only_if in case.target.ports
        for row in case.profile.ports
        if row.transport == case.subject.transport and row.port == case.subject.port
    )


def _is_origin(case: Case) -> bool:
    return any(address.origin for address in case.addresses if address.address == case.subject.address)


def rows_of(rule: str) -> Subjects:
    """Subjects of a rule with rows in the port table: every single port of every address.

    A port that the scope file declares as the web port is published on purpose: the web rules judge it.
    """

    def subjects(ground: Ground) -> list[Subject]:
        published = (("tcp", ground.target.http_port), ("tcp", ground.target.https_port))
        return [
            Subject(address=address.address, transport=row.transport, port=row.port)
            for address in ground.addresses
            for row in ground.profile.ports
            if row.rule == rule and row.last_port is None and (row.transport, row.port) not in published
        ]

    return subjects


def _databases(ground: Ground) -> list[Subject]:
    """The rows, and the ports on which SQL Server Browser says that there are databases, at the address that did."""
    judged = {row.port for row in ground.profile.ports if row.transport == "tcp"}
    judged |= {80, 443, ground.target.http_port, ground.target.https_port, *ground.target.mitai_ports}
    listed = [
        Subject(address=address.address, transport="tcp", port=port)
        for address in ground.addresses
        for port in sorted({*ground.listed.get(address.address, ())} - judged)
    ]
    return [*rows_of("ports.database-unreachable")(ground), *listed]


def _mitai_ports(ground: Ground) -> list[Subject]:
    return [
        Subject(address=address.address, transport="tcp", port=port)
        for address in ground.addresses
        for port in ground.target.mitai_ports
    ]


def _web_ports(ground: Ground) -> list[Subject]:
    """A server behind the proxy need not be reachable by itself."""
    return [
        Subject(address=address.address, transport="tcp", port=ground.target.https_port)
        for address in ground.addresses
        if not address.origin
    ]


def _ranges(ground: Ground) -> list[Subject]:
    return [Subject(address=address.address, transport="udp") for address in ground.addresses]


def _closed(rule: str, needs: tuple[Need, ...], subjects: Subjects | None = None) -> Rule:
    return Rule(
        id=rule,
        results=PORT_RESULTS,
        needs=needs,
        subjects=subjects or rows_of(rule),
        judge=judge_closed,
        without_subject="not-declared",
    )


def _declared(rule: str) -> Rule:
    return Rule(id=rule, results=DECLARED_RESULTS, needs=TCP_NEEDS, subjects=rows_of(rule), judge=judge_as_declared)


PORT_RULES: Final[tuple[Rule, ...]] = (
    _closed("ports.sip-unreachable", BOTH_NEEDS),
    Rule(
        id="ports.rtp-unreachable",
        results=RANGE_RESULTS,
        needs=(
            Need("rtp-sweep", at="address"),
            Need("tcp-path", at="address", optional=True),
            Need(BLEED_ROLE, at="address", optional=True),
        ),
        subjects=_ranges,
        judge=judge_media_range,
    ),
    _closed("ports.tapi-avaya-unreachable", BOTH_NEEDS),
    _closed("ports.tftp-unreachable", UDP_NEEDS),
    _closed("ports.tapi-panasonic-unreachable", BOTH_NEEDS),
    _closed("ports.mitai-unreachable", TCP_NEEDS, _mitai_ports),
    _closed("ports.oip-corba-unreachable", TCP_NEEDS),
    _closed("ports.exchange-connector-unreachable", TCP_NEEDS),
    _closed("ports.ctstack-api-unreachable", TCP_NEEDS),
    _closed("ports.ctstack-config-unreachable", TCP_NEEDS),
    _closed("ports.backend-site-unreachable", TCP_NEEDS),
    _closed("ports.windows-services-unreachable", BOTH_NEEDS),
    _closed("ports.database-unreachable", BOTH_NEEDS, _databases),
    _closed("ports.proxy-management-unreachable", BOTH_NEEDS),
    Rule(
        id="ports.web-reachable",
        results=DECLARED_RESULTS,
        needs=TCP_NEEDS,
        subjects=_web_ports,
        judge=judge_web_reachable,
    ),
    _declared("ports.telephony-manager-as-declared"),
    _declared("ports.active-state-as-declared"),
)
"""ports.no-undeclared-port, which needs a sweep of all ports, stands in flexiscan.policy.rules.ports_all."""


def reading_of(
    seen: Seen, canaries: Sequence[Seen], paths: Sequence[Seen] = (), follow_ups: Sequence[Seen] = ()
) -> PortReading | None:
    """The state of any port that was asked, for rules that compare ports; None for other facts."""
    if isinstance(seen.fact, TcpExchange):
        return read_tcp(seen, seen.fact, canaries, follow_ups)
    if isinstance(seen.fact, UdpExchange):
        return read_udp(seen, seen.fact, canaries, paths, follow_ups)
    return None
