"""Makes findings and observations by hand, with the shapes that the rules give them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flexiscan.model.endpoint import Transport, family_of
from flexiscan.model.facts import Fact, HttpExchange, TcpExchange, UdpExchange
from flexiscan.model.facts_tls import TlsHelloSent, TlsReply
from flexiscan.model.failure import Failure
from flexiscan.model.finding import Confidence, Finding, Severity, Verdict
from flexiscan.model.observation import Observation
from flexiscan.policy.profile import load_profile

PROFILE = load_profile()
V4, V6 = "192.0.2.10", "2001:db8::10"
HOST = "flexi.example.se"
START = dt.datetime(2026, 11, 23, 1, 14, 5, 250000, tzinfo=dt.UTC)


def finding(
    rule: str,
    verdict: Verdict,
    result: str,
    address: str | None = None,
    port: int | None = None,
    transport: Transport | None = None,
    severity: Severity | None = None,
    confidence: Confidence = "firm",
    because: tuple[str, ...] = (),
    params: dict[str, Any] | None = None,
) -> Finding:
    """A finding with the guide items and the severity of the profile."""
    entry = PROFILE.entry(rule)
    return Finding(
        rule=rule,
        guide=entry.guide,
        address=address,
        family=None if address is None else family_of(address),
        transport=transport or ("tcp" if port is not None else None),
        port=port,
        verdict=verdict,
        severity=severity or entry.severity,
        confidence=confidence,
        result=result,
        params=params or {},
        because=because,
    )


def observe(name: str, outcome: Fact | Failure, at_s: float = 0.0, took_s: float = 0.05) -> Observation:
    """An observation some seconds after the start of the run."""
    started = START + dt.timedelta(seconds=at_s)
    return Observation(id=name, started=started, ended=started + dt.timedelta(seconds=took_s), outcome=outcome)


def tcp_open(service: str, data: bytes) -> TcpExchange:
    """An open TCP port that said something."""
    return TcpExchange(
        connect="accepted",
        waited_s=0.012,
        request_hex=b"GET / HTTP/1.0\r\n\r\n".hex(),
        reply="data",
        data_hex=data.hex(),
        data_size=len(data),
        service=service,
    )


def sip_answer() -> UdpExchange:
    """A PBX that answers OPTIONS."""
    asked = b"OPTIONS sip:192.0.2.10:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:40123;rport\r\nMax-Forwards: 70\r\n"
    said = b"SIP/2.0 200 OK\r\nServer: Datatal CTStack 5.9\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
    return UdpExchange(
        reply="data",
        waited_s=0.031,
        request_hex=asked.hex(),
        data_hex=said.hex(),
        data_size=len(said),
        service="sip",
        replied_from_port=5060,
    )


def http(target: str, status: int = 200, body: str = "", **headers: str) -> HttpExchange:
    """A web answer."""
    head = f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: FlexiScan/0.1.0\r\nConnection: close\r\n\r\n"
    reason = {200: "OK", 301: "Moved Permanently", 404: "Not Found"}.get(status, "")
    return HttpExchange(
        scheme="https",
        method="GET",
        target=target,
        host=HOST,
        sni=HOST,
        request_head=head,
        outcome="response",
        version="HTTP/1.1",
        status=status,
        reason=reason,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
        body_text=body,
        body_size=len(body),
        elapsed_ms=12.4,
    )


def tls_agreed(version: Any) -> TlsReply:
    """A server that agreed to a version."""
    return TlsReply(
        hello=TlsHelloSent(version=version, suites=(0x0035, 0x002F, 0x000A), sni=HOST, size_bytes=180),
        outcome="server-hello",
        version=version,
        suite=0x0035,
        elapsed_ms=14.0,
    )
