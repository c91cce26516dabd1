"""Hand-made facts about a host's ports, judged by the real evaluator: controls before and after, gaps and all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flexiscan.model.endpoint import FAMILIES, TargetAddress, Transport, family_of
from flexiscan.model.facts import Fact, RtpSweep, SweepPort, TcpExchange, UdpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Finding
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rules.parity import PARITY_PORT_RULES
from flexiscan.policy.rules.ports import PORT_RULES
from flexiscan.policy.selection import Selection

V4, V6 = "192.0.2.10", "2001:db8:2::10"
FIREWALL = {V4: "198.51.100.1", V6: "2001:db8:1::1"}
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
PROFILE = load_profile()

DROPPED_TCP = TcpExchange(connect="silence", attempts=2, waited_s=9.0)
RESET = TcpExchange(connect="reset")
ACCEPTED = TcpExchange(connect="accepted", reply="silence", waited_s=3.0)
TLS = TcpExchange(connect="accepted", reply="data", service="tls", data_hex="150301", data_size=3)
DROPPED_UDP = UdpExchange(reply="silence", tries=3, waited_s=2.4)

Slot = tuple[str, str, int]
"""Role, address, port."""


def spoke(service: str | None) -> TcpExchange:
    return TcpExchange(connect="accepted", reply="data", service=service, data_hex="00", data_size=1)


def answered(service: str | None, port: int | None = None) -> UdpExchange:
    return UdpExchange(reply="data", service=service, data_hex="00", data_size=1, replied_from_port=port)


def icmp(address: str, meaning: str, offender: str | None = None) -> IcmpError:
    v4 = {"port": (3, 3), "prohibited": (3, 13), "host": (3, 1), "ttl": (11, 0), "protocol": (3, 2)}
    v6 = {"port": (1, 4), "prohibited": (1, 1), "host": (1, 3), "ttl": (3, 0), "protocol": (1, 4)}
    icmp_type, code = (v4 if family_of(address) == "ipv4" else v6)[meaning]
    return IcmpError(family=family_of(address), icmp_type=icmp_type, code=code, offender=offender or address)


def tcp_icmp(address: str, meaning: str, offender: str | None = None) -> TcpExchange:
    return TcpExchange(connect="icmp", icmp=icmp(address, meaning, offender))


def udp_icmp(address: str, meaning: str, offender: str | None = None) -> UdpExchange:
    return UdpExchange(reply="icmp", icmp=icmp(address, meaning, offender))


def silent_sweep(**changes: Any) -> RtpSweep:
    base: dict[str, Any] = {
        "first_port": 40000,
        "last_port": 50000,
        "seed": 1,
        "passes": 2,
        "payload_hex": "80c9000100000001",
        "ports_asked": 500,
        "datagrams": 1016,
        "silent": 500,
        "canaries": canaries("silence"),
    }
    return RtpSweep(**{**base, **changes})


def canaries(
    reply: Literal["silence", "icmp", "data", "refused"], error: IcmpError | None = None
) -> tuple[SweepPort, ...]:
    ports = (39999, 50001, 21000, 22000, 23000, 51000, 52000, 53000)
    return tuple(SweepPort(port=port, reply=reply, icmp=error) for port in ports)


@dataclass
class PortWorld:
    """A host that drops everything but 443. `facts` changes single ports; None removes an observation."""

    facts: Mapping[Slot, Fact | Failure | None] = field(default_factory=dict)
    tcp_canary: Mapping[str, TcpExchange] = field(default_factory=dict)
    udp_canary: Mapping[str, UdpExchange] = field(default_factory=dict)
    half_open: Mapping[tuple[str, int], Fact | Failure | None] = field(default_factory=dict)
    half_open_span_s: tuple[float, float] = (40.0, 45.0)
    sweep: Mapping[str, Fact | Failure | None] = field(default_factory=dict)
    tcp_path: Mapping[str, Fact | Failure | None] = field(default_factory=dict)
    udp_path: Mapping[str, Fact | Failure | None] = field(default_factory=dict)
    bleed: Mapping[tuple[str, int], Fact | Failure | None] = field(default_factory=dict)
    """Trials on an agreed test call, by address and port."""
    control: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Outcomes of the control before everything, in the middle of the UDP lane, and after everything."""
    control_port: int = 443
    target: Target = field(default_factory=lambda: Target(host="flexi.example.test"))
    addresses: tuple[str, ...] = (V4, V6)
    origins: tuple[str, ...] = ()
    more: tuple[tuple[str, str, Any, int, Any], ...] = ()
    """Further exchanges: role, address, transport, port, outcome; after everything but the last control."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The scanner's own address in each family."""
    sight: Literal["full", "limited"] = "full"
    exclude_ports: tuple[int, ...] = ()
    tasks: dict[str, Task] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)

    def _add(
        self,
        role: str,
        address: str,
        transport: Transport,
        port: int | None,
        outcome: Fact | Failure | None,
        span_s: tuple[float, float],
        question: str = "",
    ) -> None:
        if port in self.exclude_ports:
            return
        name = f"{role}/{address}/{transport}/{port}/{span_s[0]}"
        self.tasks[name] = Task(
            id=name,
            probe=role,
            host=self.target.host,
            role=role,
            address=address,
            transport=transport,
            port=port,
            params={"question": question},
            lane=name,
        )
        if outcome is not None:
            started, ended = (START + dt.timedelta(seconds=at_s) for at_s in span_s)
            self.observations[name] = Observation(id=name, started=started, ended=ended, outcome=outcome)

    def _build(self, address: str) -> None:
        beats = self.control.get(address, (TLS, TLS, TLS))
        for outcome, at_s in zip(beats, (0.0, 150.0, 300.0), strict=True):
            self._add("control", address, "tcp", self.control_port, outcome, (at_s, at_s + 0.1))
        for port in (21001, 21002, 21003):
            canary = self.tcp_canary.get(address, DROPPED_TCP)
            self._add("tcp-canary", address, "tcp", port, canary, (10.0, 19.0), "http")
        questions = {row.port: row.question for row in PROFILE.ports if row.transport == "tcp"}
        questions |= dict.fromkeys(self.target.mitai_ports, "banner")
        for port, question in (questions | {80: "http", self.target.https_port: "tls"}).items():
            usual = TLS if port == self.target.https_port else spoke("http") if port == 80 else DROPPED_TCP
            fact = self.facts.get(("tcp", address, port), usual)
            self._add("tcp", address, "tcp", port, fact, (10.0, 20.0), question)
        for (place, port), outcome in self.half_open.items():
            if place == address and outcome is not None:
                self._add("tcp-raw", address, "tcp", port, outcome, self.half_open_span_s)
        self._build_udp(address)
        for number, (role, owner, transport, port, outcome) in enumerate(self.more):
            if owner == address:
                self._add(role, owner, transport, port, outcome, (285.0 + number / 10, 286.0), "tds")
        for role, ways, span_s in (
            ("tcp-path", self.tcp_path, (20.0, 25.0)),
            ("udp-path", self.udp_path, (262.0, 280.0)),
        ):
            if ways.get(address) is not None:
                self._add(role, address, "udp" if role == "udp-path" else "tcp", None, ways[address], span_s)

    def _build_udp(self, address: str) -> None:
        """Canary, ports, canary, ports, canary, sweep; ten seconds each, with the middle control inside."""
        rows = [row for row in PROFILE.ports if row.transport == "udp" and row.last_port is None]
        plan: list[tuple[str, int, str]] = [("udp-canary", 22001, "canary")]
        plan += [("udp", row.port, row.question) for row in rows[:3]]
        plan.append(("udp-canary", 22002, "canary"))
        plan += [("udp", row.port, row.question) for row in rows[3:]]
        plan.append(("udp-canary", 22003, "canary"))
        for number, (role, port, question) in enumerate(plan):
            usual = self.udp_canary.get(address, DROPPED_UDP) if role == "udp-canary" else DROPPED_UDP
            fact = self.facts.get((role, address, port), usual)
            self._add(role, address, "udp", port, fact, (100.0 + 10 * number, 109.0 + 10 * number), question)
        self._add("rtp-sweep", address, "udp", None, self.sweep.get(address, silent_sweep()), (250.0, 260.0))
        for (tried_at, port), fact in self.bleed.items():
            if tried_at == address:
                self._add("rtp-bleed", address, "udp", port, fact, (281.0, 284.0))

    def findings(self) -> tuple[Finding, ...]:
        for address in self.addresses + self.origins:
            self._build(address)
        evidence = Evidence(
            target=self.target,
            scope=Scope(
                authorisation=Authorisation(authorised_by="test"),
                targets=(self.target,),
                exclude_ports=self.exclude_ports,
            ),
            addresses=tuple(
                TargetAddress(address=address, family=family_of(address), origin=address in self.origins)
                for address in self.addresses + self.origins
            ),
            families=FAMILIES,
            names_known=dict.fromkeys(FAMILIES, True),
            tasks=self.tasks,
            skips=(),
            observations=self.observations,
            interrupted=False,
            depth="standard",
            now_s=START.timestamp() + 400,
            options={"sources": self.sources, "sight": self.sight},
        )
        return evaluate(PROFILE, (*PORT_RULES, *PARITY_PORT_RULES), Selection(), evidence)

    def finding(
        self, rule: str, address: str | None = None, transport: str | None = None, port: int | None = None
    ) -> Finding:
        wanted = (rule, address, transport, port)
        found = [f for f in self.findings() if (f.rule, f.address, f.transport, f.port) == wanted]
        assert len(found) == 1, (wanted, found)
        return found[0]


def shown(finding: Finding) -> tuple[str, str, str]:
    return finding.verdict, finding.result, finding.confidence
