"""What one port did, read against the canaries of its address (DESIGN 5, "What a verdict means")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

from flexiscan.model.facts import TcpExchange, UdpExchange
from flexiscan.model.finding import Confidence
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import reply_distance
from flexiscan.policy.ports.end_of_way import end_of_way
from flexiscan.policy.rule import Outcome, Seen

PORT_RESULTS: Final[Mapping[str, Outcome]] = {
    "open-confirmed": "violated",
    "open": "violated",
    "open-or-filtered": "violated",
    "perimeter-passes": "violated",
    "closed-unfiltered": "holds",
    "filtered": "holds",
    "closed-or-filtered": "holds",
    "no-exposure-seen": "cannot-tell",
    "everything-answers": "cannot-tell",
    "canaries-disagree": "cannot-tell",
    "half-open-disagrees": "cannot-tell",
    "path-error": "cannot-tell",
    "limited-vantage": "cannot-tell",
    "not-looked-at": "cannot-tell",
    "excluded": "cannot-tell",
}

_ANSWERING: Final[Mapping[str, frozenset[str]]] = {
    "giop": frozenset({"giop"}),
    "http": frozenset({"http", "ctstack-config", "loadmaster"}),
    "netbios": frozenset({"netbios"}),
    "rdp": frozenset({"rdp"}),
    "sip": frozenset({"sip"}),
    "smb": frozenset({"smb"}),
    "snmp": frozenset({"snmp"}),
    "sql-browser": frozenset({"sql-browser"}),
    "tds": frozenset({"tds"}),
    "tftp": frozenset({"tftp"}),
    "tls": frozenset({"tls"}),
    "winrm": frozenset({"winrm"}),
}
"""Which services confirm a question; a question that is not here (banner, one-byte) has no protocol of its own."""

_REJECTED: Final = frozenset({"port-unreachable", "prohibited", "protocol-unreachable"})

_PROVIDER_FILTERED: Final = frozenset({135, 137, 138, 139, 445, 1433, 1434})
"""Ports that access providers block in either direction (published lists of several): silence may be theirs."""

_COMMON: Final = frozenset({"http", "tls"})
"""What a proxy or portal in the path speaks on any port; it may speak one to one question and the other to another."""

_CANARIES_FOR_PROOF: Final = 2
"""One canary may have met a real service by chance; two have not."""


@dataclass(frozen=True, slots=True)
class PortReading:
    """A result of PORT_RESULTS, how sure, and what it rests on."""

    result: str
    because: tuple[Seen, ...]
    confidence: Confidence = "firm"
    params: Mapping[str, Any] = field(default_factory=dict)
    rests_on_absence: bool = False
    """Whether the result would be another one if an answer had been lost."""
    encrypted: bool = False
    """Whether what spoke there spoke TLS."""

    @property
    def is_open(self) -> bool:
        """Whether somebody spoke on the port."""
        return self.result in ("open", "open-confirmed")


def read_tcp(seen: Seen, fact: TcpExchange, canaries: Sequence[Seen], follow_ups: Sequence[Seen] = ()) -> PortReading:
    """The state of a TCP port.

    `canaries`: connects to ports of the same address that nobody uses, and what followed there. `follow_ups`: further
    questions to the port itself, in order.
    """
    match fact.connect:
        case "accepted":
            return _read_accepted(seen, canaries, follow_ups)
        case "reset":
            return PortReading("closed-unfiltered", (seen,), "confirmed")
        case "refused":  # closed by the host, or rejected by a filter: by whom is not told
            return PortReading("closed-or-filtered", (seen,), "tentative")
        case "icmp" if fact.icmp is not None:
            return _read_icmp(seen, fact.icmp, by_host="filtered")
        case "silence":
            # A listener whose queue is full is silent too; where nobody else is, silence is a weaker sign.
            alone = any(isinstance(c.fact, TcpExchange) and c.fact.connect in ("reset", "refused") for c in canaries)
            params = {"waited_s": round(fact.waited_s, 1), "tries": fact.attempts}
            return _read_dropped(seen, params, weak=alone)
    return PortReading("path-error", (seen,))


def read_udp(
    seen: Seen,
    fact: UdpExchange,
    canaries: Sequence[Seen],
    paths: Sequence[Seen] = (),
    follow_ups: Sequence[Seen] = (),
) -> PortReading:
    """The state of a single UDP port.

    `canaries`: the same exchange with ports that nobody uses. `paths`: how far datagrams to the ports of the address
    come on their way. `follow_ups`: further questions to the port, where its answer was not recognised.
    """
    match fact.reply:
        case "data":
            return _read_data(seen, fact, canaries, follow_ups)
        case "refused":
            return PortReading("closed-or-filtered", (seen,), "tentative")
        case "icmp" if fact.icmp is not None:
            return _read_icmp(seen, fact.icmp, by_host="closed-unfiltered")
        case "silence":
            return _read_silence(seen, fact, canaries, paths)
    return PortReading("path-error", (seen,))


def is_confirmed(question: str, service: str | None) -> bool:
    """Whether a recognised service is the one that was asked for (any, for a question without a protocol)."""
    return service is not None and service in _ANSWERING.get(question, (service,))


def icmp_params(icmp: IcmpError) -> dict[str, Any]:
    """An ICMP error as parameters of a finding."""
    return {
        "icmp": icmp.meaning,
        "icmp_type": icmp.icmp_type,
        "icmp_code": icmp.code,
        "offender": icmp.offender,
    }


def is_rejection(icmp: IcmpError) -> bool:
    """Whether an error is an answer about the port, and not about the way there."""
    return icmp.meaning in _REJECTED


def is_of_this_side(icmp: IcmpError, address: str | None) -> bool:
    """Whether an error that is not the target's comes from the first hop: the scanner's own network refuses then."""
    return reply_distance(icmp.hop_limit) == 0 and not same_address(icmp.offender, address)


def same_address(one: str, other: str | None) -> bool:
    """Whether two literal addresses are the same, however written."""
    return other is not None and ip_address(one) == ip_address(other)


def _question(seen: Seen) -> str:
    return str(seen.task.params.get("question", ""))


def _read_accepted(seen: Seen, canaries: Sequence[Seen], follow_ups: Sequence[Seen]) -> PortReading:
    facts = [s.fact for s in (seen, *follow_ups) if isinstance(s.fact, TcpExchange)]
    spoken = _Spoken(
        because=(seen, *(s for s in follow_ups if isinstance(s.fact, TcpExchange) and s.fact.service)),
        services=tuple(fact.service for fact in facts if fact.service),
        confidence="confirmed" if any(fact.reply == "data" for fact in facts) else "firm",
        encrypted=any(fact.service == "tls" or (fact.inside_tls and fact.service) for fact in facts),
    )
    accepting = [c for c in canaries if isinstance(c.fact, TcpExchange) and c.fact.connect == "accepted"]
    return _read_spoken(seen, spoken, accepting, len({c.task.port for c in canaries}))


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What was heard on a port, from the first question to the most particular one."""

    because: tuple[Seen, ...]
    services: tuple[str, ...]
    confidence: Confidence
    params: Mapping[str, Any] = field(default_factory=dict)
    encrypted: bool = False

    @property
    def service(self) -> str | None:
        return self.services[-1] if self.services else None


def _read_spoken(seen: Seen, spoken: _Spoken, answering: Sequence[Seen], canaries: int) -> PortReading:
    """Somebody spoke: the service, or something in between that speaks on every port alike?

    `answering`: what canaries answered, one or more facts for each; `canaries`: how many were asked.
    """
    params = {**({"service": spoken.service} if spoken.service else {}), **spoken.params}
    said: dict[int | None, set[str]] = {}
    for canary in answering:
        names = said.setdefault(canary.task.port, set())
        if isinstance(canary.fact, TcpExchange | UdpExchange) and canary.fact.service:
            names.add(canary.fact.service)
    alike = [names for names in said.values() if names & _alike(spoken.service)]
    confirmed = any(is_confirmed(_question(seen), service) for service in spoken.services)
    if confirmed and not _is_proof(len(alike), canaries):
        return PortReading("open-confirmed", spoken.because, "confirmed", params, encrypted=spoken.encrypted)
    if _is_proof(len(said), canaries):
        return PortReading("everything-answers", (*spoken.because, *answering), params=params)
    return PortReading("open", spoken.because, spoken.confidence, params, encrypted=spoken.encrypted)


def _alike(service: str | None) -> frozenset[str]:
    """What a canary says when it is the same device that speaks."""
    if service is None:
        return frozenset()
    return _COMMON if service in _COMMON else frozenset({service})


def _is_proof(answering: int, canaries: int) -> bool:
    return answering >= min(_CANARIES_FOR_PROOF, canaries) > 0


def _read_data(seen: Seen, fact: UdpExchange, canaries: Sequence[Seen], follow_ups: Sequence[Seen]) -> PortReading:
    params: dict[str, Any] = {}
    if fact.replied_from_port not in (None, seen.task.port):
        params["replied_from_port"] = fact.replied_from_port
    if fact.tcp_ports:
        params["listed_ports"] = list(fact.tcp_ports)
    named = [s for s in follow_ups if isinstance(s.fact, UdpExchange) and s.fact.service]
    spoken = _Spoken(
        because=(seen, *named),
        services=tuple(s.fact.service for s in (seen, *named) if isinstance(s.fact, UdpExchange) and s.fact.service),
        confidence="confirmed",
        params=params,
    )
    answering = [c for c in canaries if isinstance(c.fact, UdpExchange) and c.fact.reply == "data"]
    return _read_spoken(seen, spoken, answering, len({c.task.port for c in canaries}))


def _read_icmp(seen: Seen, icmp: IcmpError, *, by_host: str) -> PortReading:
    params = icmp_params(icmp)
    if not is_rejection(icmp) or is_of_this_side(icmp, seen.task.address):
        return PortReading("path-error", (seen,), params=params)
    if icmp.meaning == "port-unreachable" and same_address(icmp.offender, seen.task.address):
        return PortReading(by_host, (seen,), "confirmed", params)
    return PortReading("filtered", (seen,), "confirmed", params)


def _read_dropped(seen: Seen, params: Mapping[str, Any], *, weak: bool) -> PortReading:
    """Silence that is read as a filter."""
    by_provider = seen.task.port in _PROVIDER_FILTERED
    shown = {**params, "provider_may_filter": True} if by_provider else params
    confidence: Confidence = "tentative" if by_provider or weak else "firm"
    return PortReading("filtered", (seen,), confidence, shown, rests_on_absence=True)


def _read_silence(seen: Seen, fact: UdpExchange, canaries: Sequence[Seen], paths: Sequence[Seen]) -> PortReading:
    """Silence of a UDP port means what the canaries asked just before and just after it did."""
    neighbours = _neighbours(seen, canaries)
    params = {"waited_s": round(fact.waited_s, 1), "tries": fact.tries}
    if neighbours is None:
        return PortReading("not-looked-at", (), params=params)
    because = (seen, *neighbours)
    if fact.alien_replies:  # something came back, if not from where it should: no silence
        return PortReading("path-error", because, params=params | {"alien_replies": fact.alien_replies})
    states = [_canary_state(canary) for canary in neighbours]
    if "refused" in states:  # by whom is not told: perhaps by a filter that lets this port alone through, or ours
        return PortReading("limited-vantage", because, "tentative", params)
    if states == ["rejected", "rejected"]:
        return PortReading("open-or-filtered", because, "tentative", params, rests_on_absence=True)
    if states != ["silent", "silent"]:
        return PortReading("canaries-disagree", because, params=params, rests_on_absence=True)
    end = end_of_way(seen, paths)
    if end is not None and end.passes:
        return PortReading("perimeter-passes", (*because, end.seen), "firm", params | end.params)
    if end is not None:
        dropped = _read_dropped(seen, params | end.params, weak=False)
        return PortReading("filtered", (*because, end.seen), dropped.confidence, dropped.params, rests_on_absence=True)
    if _question(seen) not in _ANSWERING:
        return PortReading("no-exposure-seen", because, "tentative", params, rests_on_absence=True)
    dropped = _read_dropped(seen, params, weak=True)
    return PortReading("filtered", because, dropped.confidence, dropped.params, rests_on_absence=True)


def _neighbours(seen: Seen, canaries: Sequence[Seen]) -> tuple[Seen, Seen] | None:
    """The last canary that ended before an exchange and the first that began after it."""
    before = [canary for canary in canaries if canary.ended_s <= seen.started_s]
    after = [canary for canary in canaries if canary.started_s >= seen.ended_s]
    if not before or not after:
        return None
    return max(before, key=lambda canary: canary.ended_s), min(after, key=lambda canary: canary.started_s)


def _canary_state(canary: Seen) -> str:
    fact = canary.fact
    if not isinstance(fact, UdpExchange) or fact.reply == "data":
        return "answered"
    if fact.reply == "silence":
        return "silent"
    if fact.reply == "refused":
        return "refused"
    rejected = fact.icmp is not None and is_rejection(fact.icmp) and not is_of_this_side(fact.icmp, canary.task.address)
    return "rejected" if rejected else "unclear"
