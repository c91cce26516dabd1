"""One hello and its answer in virtual time: drips, slowness, endings, and what is noted of each."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Literal

import pytest

from flexiscan.model.facts_tls import TlsReply
from flexiscan.model.plan import Task
from flexiscan.model.tls_reading import reading_of
from flexiscan.sdk import NotConnected, Received
from flexiscan_probes.tls_exchange import ANSWER_TIMEOUT_S, ask_hello, chain_digest_of
from flexiscan_probes.wire import tls_numbers as n
from tests.codec.test_tls_reply import FLIGHT, RETRY, SSL2_HELLO, alert, record
from tests.probes.twin import TwinConnection, TwinContext, VirtualClock

Script = Iterable[tuple[float, Received]]
FLIGHT_RECORD = record(n.HANDSHAKE, FLIGHT)
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def task(step: str = "offer", version: str = "TLSv1.2", **params: Any) -> Task:
    suites = list(n.SSL2_KINDS if version == "SSLv2" else n.chunks_for(version)[0])
    base = {"step": step, "version": version, "suites": suites, "sni": "flexi.example.test", "known": []}
    return Task(
        id="tls",
        probe="tls.ask",
        host="flexi.example.test",
        role="tls",
        address="192.0.2.1",
        transport="tcp",
        port=443,
        params={**base, **params},
        lane="l",
    )


async def ask(
    question: Task,
    to_hello: Script = (),
    to_nudge: Script = (),
    send_ending: Literal["", "closed", "reset"] = "",
    on_accept: Script = (),
) -> tuple[TlsReply, float, TwinConnection]:
    clock = VirtualClock()

    def talk(heard: bytes) -> Script:
        if not heard:
            return on_accept
        return to_nudge if heard == b"\r\n\r\n" else to_hello

    link = TwinConnection(clock, talk, send_ending)
    began_s = clock.now_s
    fact = await ask_hello(TwinContext(link=link, clock=clock), question)
    assert link.closed
    return fact, clock.now_s - began_s, link


async def test_a_flight_is_noted_in_full() -> None:
    fact, _, link = await ask(
        task(), [(0.02, Received("", FLIGHT_RECORD[:50])), (0.02, Received("", FLIGHT_RECORD[50:]))]
    )
    assert (fact.outcome, fact.version, fact.suite) == ("server-hello", "TLSv1.2", 0xC02F)
    assert [base64.b64decode(text) for text in fact.chain_der_b64] == [b"leaf", b"issuer"]
    assert (fact.group, fact.signature_scheme, fact.client_certificate_requested) == (29, 0x0804, True)
    assert fact.hello.size_bytes == len(link.sent[0])
    assert fact.elapsed_ms == pytest.approx(40)
    assert reading_of(fact) == "accepted"


async def test_a_chain_that_is_known_is_not_kept_again() -> None:
    first, _, _ = await ask(task(), [(0.02, Received("", FLIGHT_RECORD))])
    again, _, _ = await ask(task(known=list(chain_digest_of(first))), [(0.02, Received("", FLIGHT_RECORD))])
    assert first.chain_der_b64
    assert again.chain_der_b64 == ()


async def test_a_retry_request_and_an_ssl2_hello() -> None:
    retry, _, _ = await ask(task(version="TLSv1.3"), [(0.02, Received("", RETRY))])
    assert (retry.outcome, retry.version, retry.group) == ("hello-retry", "TLSv1.3", 0x11EC)
    old, _, _ = await ask(task(version="SSLv2"), [(0.02, Received("", SSL2_HELLO))])
    assert (old.outcome, old.version, old.suites) == ("server-hello", "SSLv2", (0x010080, 0x020080))


@pytest.mark.parametrize(
    ("script", "outcome", "reading"),
    [
        ([(0.1, Received("", alert(2, 70)))], "alert", "declined"),
        ([(0.1, Received("", alert(2, 40))), (0.1, Received("reset"))], "alert", "unwilling"),
        ([(0.1, Received("", alert(1, 112))), (0.1, Received("closed"))], "alert", "dropped"),
        ([(0.1, Received("", alert(1, 112)))], "timeout", "silent"),
        ([(0.1, Received("closed"))], "closed", "dropped"),
        ([(0.1, Received("reset"))], "reset", "dropped"),
        ([(0.1, Received("", FLIGHT_RECORD[:20])), (0.1, Received("closed"))], "closed", "dropped"),
        ([(0.1, Received("", HTTP))], "not-tls", "foreign"),
        ([], "timeout", "silent"),
    ],
)
async def test_endings(script: Script, outcome: str, reading: str) -> None:
    fact, took_s, _ = await ask(task(), script)
    assert (fact.outcome, reading_of(fact)) == (outcome, reading)
    assert took_s <= ANSWER_TIMEOUT_S


async def test_a_drip_ends_at_the_deadline_of_the_whole_answer() -> None:
    fact, took_s, _ = await ask(task(), [(1.0, Received("", bytes([byte]))) for byte in FLIGHT_RECORD])
    assert (fact.outcome, took_s) == ("timeout", ANSWER_TIMEOUT_S)


async def test_a_clear_text_server_that_waits_for_a_line_shows_itself_when_nudged() -> None:
    fact, took_s, link = await ask(task("control"), to_nudge=[(0.05, Received("", HTTP))])
    assert (fact.outcome, bytes.fromhex(fact.first_bytes_hex)) == ("not-tls", b"HTTP/1.1 400 Bad Request\r\n")
    assert took_s < ANSWER_TIMEOUT_S
    assert len(link.sent) == 2


async def test_a_slow_server_is_not_put_off_by_the_nudge() -> None:
    fact, _, link = await ask(task("control-plain"), [(ANSWER_TIMEOUT_S - 0.2, Received("", FLIGHT_RECORD))])
    assert fact.outcome == "server-hello"
    assert len(link.sent) == 2


async def test_a_server_that_began_to_answer_is_not_nudged_and_neither_is_an_offer() -> None:
    _, _, begun = await ask(task("control"), [(0.1, Received("", FLIGHT_RECORD[:9]))])
    _, _, offer = await ask(task("offer"))
    assert len(begun.sent) == len(offer.sent) == 1


async def test_what_a_server_said_before_it_hung_up_on_us_is_read() -> None:
    fact, _, _ = await ask(
        task(), send_ending="reset", on_accept=[(0.0, Received("", alert(2, 70))), (0.0, Received("reset"))]
    )
    assert fact.outcome == "alert"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("reset", "connect-reset"), ("icmp", "connect-icmp"), ("silence", "connect-silence")],
)
async def test_no_connection(outcome: Literal["reset", "icmp", "silence"], expected: str) -> None:
    context = TwinContext(link=NotConnected(outcome, None, 1, 4.5))
    fact = await ask_hello(context, task())
    assert (fact.outcome, reading_of(fact)) == (expected, "lost")


@pytest.mark.parametrize(
    ("version", "step", "named"),
    [
        ("SSLv2", "offer", False),
        ("SSLv3", "offer", False),
        ("SSLv3", "confirm", True),
        ("TLSv1.0", "offer", True),
        ("TLSv1.3", "confirm", True),
    ],
)
async def test_the_server_name_goes_where_it_can(version: str, step: str, named: bool) -> None:
    fact, _, link = await ask(task(step, version))
    assert (b"flexi.example.test" in link.sent[0]) is named
    assert fact.hello.sni == ("flexi.example.test" if named else None)
