"""TCP ports against scripted servers: refused, silent, reset, slow, garbage, oversize, and the real protocols."""

from __future__ import annotations

from typing import Literal

import pytest

from flexiscan.model.facts import TcpExchange
from flexiscan.model.icmp import IcmpError
from flexiscan.model.plan import Task
from flexiscan.sdk import NotConnected, Received
from flexiscan_probes import tcp
from flexiscan_probes.tcp_conversation import MAX_READ_BYTES
from flexiscan_probes.tcp_dialogue import TCP_QUESTIONS, Asking, dialogue_for
from tests.probes.twin import Talk, TwinConnection, TwinContext, VirtualClock

ADDRESS = "2001:db8:2::10"


def task(question: str, port: int = 5060) -> Task:
    return Task(
        id=f"tcp/{port}",
        probe="tcp",
        host="flexi.example.test",
        role="tcp",
        address=ADDRESS,
        transport="tcp",
        port=port,
        params={"question": question},
        lane="tcp",
    )


async def converse(
    talk: Talk, question: str, *, send_ending: Literal["", "closed", "reset"] = ""
) -> tuple[TcpExchange, TwinConnection]:
    clock = VirtualClock()
    link = TwinConnection(clock, talk, send_ending)
    fact = await tcp.observe(TwinContext(link=link, clock=clock), task(question))
    assert link.closed
    assert fact.connect == "accepted"
    return fact, link


def says(*parts: bytes, on_accept: bytes = b"", every_s: float = 0.01) -> Talk:
    def talk(heard: bytes):
        if not heard:
            return [(every_s, Received("", on_accept))] if on_accept else []
        return [(every_s, Received("", part)) for part in parts]

    return talk


@pytest.mark.parametrize("outcome", ["reset", "silence", "refused"])
async def test_not_connected_is_passed_on_as_it_was(outcome: Literal["reset", "silence", "refused"]):
    ctx = TwinContext(link=NotConnected(outcome, None, 2, 9.0))
    fact = await tcp.observe(ctx, task("sip"))
    assert (fact.connect, fact.attempts, fact.waited_s, fact.reply) == (outcome, 2, 9.0, "not-asked")
    assert ctx.connects == [(ADDRESS, 5060, tcp.CONNECT_TIMEOUT_S, 2)]


async def test_icmp_keeps_its_sender():
    icmp = IcmpError(family="ipv6", icmp_type=1, code=1, offender="2001:db8:1::1")
    fact = await tcp.observe(TwinContext(link=NotConnected("icmp", icmp, 1, 0.02)), task("sip"))
    assert fact.connect == "icmp"
    assert fact.icmp == icmp


@pytest.mark.parametrize(
    ("question", "answer", "service"),
    [
        ("giop", b"GIOP\x01\x00\x00\x06\x00\x00\x00\x00", "giop"),
        ("tds", bytes.fromhex("040100250000010000000b00060100110001ff0f0007d0000002"), "tds"),
        ("rdp", bytes.fromhex("030000130ed000001234000200080002000000"), "rdp"),
        ("smb", b"\x00\x00\x00\x20\xffSMB" + bytes(28), "smb"),
        ("tls", b"\x15\x03\x01\x00\x02\x02\x28", "tls"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n<title>Datatal CTStack Configuration</title>", "ctstack-config"),
        ("http", b"HTTP/1.1 404 Not Found\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n", "http"),
        ("banner", b"HTTP/1.1 400 Bad Request\r\n\r\n", "http"),
        ("sip", b"SIP/2.0 400 Bad Request\r\n\r\n", "sip"),
    ],
)
async def test_answers_name_the_service(question: str, answer: bytes, service: str):
    fact, link = await converse(says(answer), question)
    assert (fact.reply, fact.service) == ("data", service)
    assert fact.request_hex == link.sent[0][:512].hex()


async def test_a_banner_is_heard_before_anything_is_said():
    fact, link = await converse(says(on_accept=b"SSH-2.0-OpenSSH_9.2\r\n"), "banner")
    assert (fact.reply, fact.service, fact.request_hex) == ("data", "ssh", "")
    assert link.sent == []


async def test_an_answer_in_pieces_is_put_together():
    fact, _ = await converse(says(b"GI", b"OP\x01\x00", b"\x00\x06\x00\x00\x00\x00"), "giop")
    assert fact.service == "giop"


@pytest.mark.parametrize("question", sorted(TCP_QUESTIONS))
async def test_accepted_and_silent_is_silence_after_the_question(question: str):
    fact, link = await converse(lambda _: [], question)
    assert (fact.reply, fact.service, fact.data_size) == ("silence", None, 0)
    assert len(link.sent) == 1
    assert 3.0 <= fact.waited_s <= 5.1


@pytest.mark.parametrize("ending", ["closed", "reset"])
async def test_accepted_and_dropped(ending: Literal["closed", "reset"]):
    fact, _ = await converse(lambda _: [(0.01, Received(ending))], "sip")
    assert fact.reply == ending
    early, link = await converse(lambda _: [(0.01, Received(ending))], "banner")
    assert early.reply == ending
    assert link.sent == []  # there is nobody left to ask
    refused, _ = await converse(lambda _: [], "giop", send_ending=ending)
    assert refused.reply == ending


async def test_a_slow_drip_does_not_hold_the_probe():
    def drip(heard: bytes):
        return [(1.0, Received("", b"x")) for _ in range(1000)] if heard else []

    fact, _ = await converse(drip, "giop")
    assert fact.reply == "data"
    assert fact.waited_s <= 3.1
    assert fact.data_size <= 4
    assert fact.service is None


async def test_an_endless_answer_is_cut():
    fact, _ = await converse(says(*([b"\xff" * 4096] * 100)), "giop")
    assert fact.data_size == MAX_READ_BYTES
    assert len(fact.data_hex) == 1024


async def test_data_then_reset_is_still_data():
    def talk(heard: bytes):
        return [(0.01, Received("", b"go away")), (0.01, Received("reset"))] if heard else []

    fact, _ = await converse(talk, "sip")
    assert fact.reply == "data"
    assert fact.service is None


def test_a_host_name_of_any_script_makes_a_request_of_plain_ascii():
    asking = Asking("flexi.example.test", ADDRESS, 1339, "FlexiScan/test", TwinContext().random)
    request = dialogue_for("http", asking).request
    assert b"\r\nHost: flexi.example.test:1339\r\n" in request
    assert request.endswith(b"\r\n\r\n")
    with pytest.raises(ValueError, match="no TCP dialogue"):
        dialogue_for("netbios", asking)
