"""Observations as evidence: what was sent, what came back, when, and how long it took."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

from flexiscan.model.facts import (
    FamilyReach,
    HttpExchange,
    PathTrial,
    RtpSweep,
    TcpExchange,
    TcpPath,
    UdpExchange,
    UdpPath,
)
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.facts_tls import CertificateChain, TlsReply, TlsSecondOpinion
from flexiscan.model.facts_witness import WitnessExchange
from flexiscan.model.failure import Failure
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan_reports.moment import clock_time, duration
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_model import Exhibit
from flexiscan_reports.view_raw import tell_capture, tell_syn
from flexiscan_reports.visible import show, show_bytes, show_lines

MAX_HEAD_CHARACTERS = 900
MAX_BODY_CHARACTERS = 300
MAX_RECORDS = 12
"""Kept small so that a report of a typical run stays below 300 KB; the JSON document has the rest."""

Blocks = tuple[tuple[str, str], ...]
Telling = tuple[tuple[str, ...], Blocks]
"""Sentences, and labelled blocks of data."""


def exhibit_of(observation: Observation, texts: Texts, anchor: Callable[[str], str]) -> Exhibit:
    """One observation in words and data."""
    took = (observation.ended - observation.started).total_seconds()
    what, blocks = _tell(observation.outcome, texts)
    return Exhibit(
        id=show(observation.id),
        anchor=anchor(f"o-{observation.id}"),
        when=texts.word("seen.when", time=clock_time(observation.started), duration=duration(took, texts.locale)),
        what=tuple(line for line in what if line),
        blocks=tuple((label, text) for label, text in blocks if text),
    )


def _tell(outcome: Any, texts: Texts) -> Telling:
    tellers: dict[str, Callable[[Any, Texts], Telling]] = {
        "failure": _failure,
        "tcp": _tcp,
        "udp": _udp,
        "rtp-sweep": _rtp,
        "tcp-path": _tcp_path,
        "udp-path": _udp_path,
        "http": _http,
        "dns": _dns,
        "tls-hello": _tls,
        "certificates": _chain,
        "tls-second-opinion": _second,
        "family-reach": _reach,
        "witness": _witness,
        "syn-probe": tell_syn,
        "icmp-capture": tell_capture,
    }
    teller = tellers.get(outcome.kind)
    return teller(outcome, texts) if teller else ((show(outcome.kind),), ())


def _failure(failure: Failure, texts: Texts) -> Telling:
    return (texts.word("seen.failure", reason=failure.reason, detail=failure.detail),), ()


def _tcp(fact: TcpExchange, texts: Texts) -> Telling:
    attempts = fact.attempts if fact.attempts > 1 else None
    connect = texts.word("seen.tcp", connect=fact.connect, attempts=attempts, waited=f"{fact.waited_s:.2f}")
    reply = texts.word(
        "seen.tcp_reply",
        tls="TLS" if fact.inside_tls else None,
        reply=fact.reply,
        size=fact.data_size or None,
        service=_service(fact.service, texts),
    )
    lines = (connect, _icmp(fact.icmp, texts), reply if fact.connect == "accepted" else "")
    return lines, _exchange(fact.request_hex, fact.data_hex, texts)


def _udp(fact: UdpExchange, texts: Texts) -> Telling:
    told = texts.word(
        "seen.udp",
        tries=fact.tries,
        reply=fact.reply,
        waited=f"{fact.waited_s:.2f}",
        size=fact.data_size or None,
        service=_service(fact.service, texts),
    )
    port = texts.word("seen.udp_port", port=fact.replied_from_port) if fact.replied_from_port else ""
    listed = texts.word("seen.udp_listed", ports=list(fact.tcp_ports)) if fact.tcp_ports else ""
    return (told, port, listed, _icmp(fact.icmp, texts)), _exchange(fact.request_hex, fact.data_hex, texts)


def _rtp(fact: RtpSweep, texts: Texts) -> Telling:
    told = texts.word(
        "seen.rtp",
        first=fact.first_port,
        last=fact.last_port,
        asked=fact.ports_asked,
        datagrams=fact.datagrams,
        passes=fact.passes,
        silent=fact.silent,
        data=list(fact.data_ports),
    )
    own = fact.own_sources
    sources = () if own is None else (texts.word("seen.own_sources", **own.model_dump()),)
    tallies = tuple(
        f"{_icmp(tally.icmp, texts)}: {len(tally.ports)} × {', '.join(str(port) for port in tally.ports[:8])}"
        for tally in fact.icmp[:MAX_RECORDS]
    )
    near = _trials((*fact.near_trials, *fact.near_confirming), texts)
    return (told, *sources, *tallies, near), ((texts.word("seen.request"), _bytes(fact.payload_hex)),)


def _tcp_path(fact: TcpPath, texts: Texts) -> Telling:
    reached = [hop.hop_limit for hop in fact.hops if hop.answer == "accepted"]
    told = texts.word("seen.tcp_path", port=fact.port, distance=min(reached, default=None), reply=fact.reply_hop_limit)
    hops = tuple(
        texts.word(
            "seen.hop",
            limit=hop.hop_limit,
            answer=hop.icmp.meaning if hop.icmp is not None else hop.answer,
            offender=hop.icmp.offender if hop.icmp is not None else None,
        )
        for hop in fact.hops[:MAX_RECORDS]
    )
    return (told, *hops), ()


def _udp_path(fact: UdpPath, texts: Texts) -> Telling:
    return (_trials((*fact.trials, *fact.confirming), texts),), ()


def _trials(trials: Sequence[PathTrial], texts: Texts) -> str:
    """Batches that end at the last router before the server; "" for none."""
    if not trials:
        return ""
    answered = {port for trial in trials for tally in trial.icmp for port in tally.ports}
    outside = {port for trial in trials for port in trial.canaries}
    return texts.word(
        "seen.udp_path",
        trials=len(trials),
        limit=trials[0].hop_limit,
        answered=len(answered - outside),
        canaries=len(answered & outside) or None,
    )


def _witness(fact: WitnessExchange, texts: Texts) -> Telling:
    told = texts.word(
        "seen.witness",
        transport=fact.transport,
        first=fact.first_port,
        last=fact.last_port if fact.last_port != fact.first_port else None,
        asked=sum(last - first + 1 for first, last in fact.asked),
        tries=fact.tries,
        answered=sum(last - first + 1 for first, last in fact.answered),
        controls=fact.controls_asked or None,
    )
    return (told,), ()


def _http(fact: HttpExchange, texts: Texts) -> Telling:
    asked = {"method": fact.method, "target": fact.target, "host": fact.host}
    if fact.outcome != "response":
        line = texts.word("seen.http_none", **asked, outcome=fact.outcome, detail=fact.detail)
    else:
        line = texts.word("seen.http", **asked, status=f"{fact.status} {fact.reason or ''}".strip())
    head = "\n".join(f"{name}: {_without_secret(name, value)}" for name, value in fact.headers)
    status = f"{fact.version or ''} {fact.status or ''} {fact.reason or ''}".strip()
    answer = show_lines(f"{status}\n{head}".strip(), MAX_HEAD_CHARACTERS)
    if fact.body_text:
        answer += "\n\n" + show_lines(fact.body_text, MAX_BODY_CHARACTERS)
    return (line,), (
        (texts.word("seen.request"), show_lines(fact.request_head.strip(), MAX_HEAD_CHARACTERS)),
        (texts.word("seen.answer"), answer),
    )


def _without_secret(name: str, value: str) -> str:
    """The header without the value of a cookie: a report is passed on, and a session may still be alive."""
    if name.lower() != "set-cookie":
        return value
    cookie, semicolon, attributes = value.partition(";")
    key, equals, secret = cookie.partition("=")
    return f"{key}{equals}… (+{len(secret)}){semicolon}{attributes}" if secret else value


def _dns(fact: DnsReply, texts: Texts) -> Telling:
    told = texts.word(
        "seen.dns",
        name=fact.name,
        rdtype=fact.rdtype,
        server=fact.server,
        transport=fact.transport,
        outcome=fact.outcome,
        rcode=fact.rcode,
        count=len(fact.records),
    )
    lines = [f"{record.name} {record.ttl} {record.rdtype} {record.data}" for record in fact.records[:MAX_RECORDS]]
    return (told,), ((texts.word("seen.records"), "\n".join(show(line, 200) for line in lines)),)


def _tls(fact: TlsReply, texts: Texts) -> Telling:
    chosen = [fact.version, f"0x{fact.suite:04X}" if fact.suite is not None else None]
    told = texts.word(
        "seen.tls",
        version=fact.hello.version,
        suites=len(fact.hello.suites),
        outcome=fact.outcome,
        chosen=" ".join(part for part in chosen if part),
        alert=fact.alert_description,
    )
    return (told,), ((texts.word("seen.answer"), _bytes(fact.first_bytes_hex)),)


def _chain(fact: CertificateChain, texts: Texts) -> Telling:
    count = len(fact.chain_der_b64)
    told = texts.word("seen.chain", outcome=fact.outcome, detail=fact.detail, count=count)
    digests = (f"SHA-256 {_digest(der)}" for der in fact.chain_der_b64[:MAX_RECORDS])
    return (told,), ((texts.word("seen.answer"), "\n".join(digests)),)


def _second(fact: TlsSecondOpinion, texts: Texts) -> Telling:
    answers: dict[str, Any] = {name: said for name, said in fact.versions.items() if said is not None}
    answers |= fact.answers
    told = answers or texts.word("yes" if fact.reached else "no")
    return (texts.word("seen.second", engine=fact.engine, answer=told, detail=fact.detail),), ()


def _reach(fact: FamilyReach, texts: Texts) -> Telling:
    family = texts.word(f"family.{fact.family}")
    return (texts.word("seen.reach", family=family, usable=fact.usable, address=fact.source_address),), ()


def _icmp(error: IcmpError | None, texts: Texts) -> str:
    if error is None:
        return ""
    return texts.word(
        "seen.icmp", type=error.icmp_type, code=error.code, meaning=error.meaning, offender=error.offender
    )


def _service(service: str | None, texts: Texts) -> str | None:
    return None if service is None else texts.service(service)


def _exchange(request_hex: str, data_hex: str, texts: Texts) -> Blocks:
    return (
        (texts.word("seen.request"), _bytes(request_hex)),
        (texts.word("seen.answer"), _bytes(data_hex)),
    )


def _bytes(data_hex: str) -> str:
    try:
        return show_bytes(bytes.fromhex(data_hex))
    except ValueError:
        return show(data_hex)


def _digest(der_b64: str) -> str:
    try:
        return hashlib.sha256(b64decode(der_b64, validate=True)).hexdigest()
    except ValueError:
        return "?"
