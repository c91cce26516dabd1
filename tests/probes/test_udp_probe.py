"""Single UDP ports against scripted networks: silence, ICMP, answers, strangers, garbage, rate limits."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import UdpExchange
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook
from flexiscan_probes import udp
from flexiscan_probes.udp_questions import udp_question_for, waits_of
from tests.probes.twin import (
    Network,
    TwinContext,
    datagram,
    icmp_notice,
    port_unreachable,
    prohibited,
)

ADDRESSES = ["192.0.2.10", "2001:db8:2::10"]
QUESTIONS = [
    ("sip", 5060),
    ("tftp", 69),
    ("snmp", 161),
    ("netbios", 137),
    ("sql-browser", 1434),
    ("one-byte", 33333),
]


def task(address: str, question: str = "sip", port: int = 5060) -> Task:
    return Task(
        id=f"udp/{address}/{port}",
        probe="udp",
        host="flexi.example.test",
        role="udp",
        address=address,
        transport="udp",
        port=port,
        params={"question": question},
        lane="udp",
    )


async def ask(network: Network, work: Task) -> tuple[UdpExchange, TwinContext]:
    ctx = TwinContext(network=network)
    fact = await udp.observe(ctx, work)
    assert all(port.closed for port in ctx.ports)
    return fact, ctx


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("question", "port"), QUESTIONS)
async def test_silence_is_three_whole_tries(address: str, question: str, port: int):
    fact, ctx = await ask(lambda *_: (), task(address, question, port))
    assert fact.reply == "silence"
    assert fact.tries == 3
    assert fact.waited_s == pytest.approx(sum(waits_of(question)), abs=0.1)
    assert len(ctx.ports[0].sent) == 3 * (3 if question == "snmp" else 1)
    assert {sent_port for _, sent_port, _ in ctx.ports[0].sent} == {port}
    assert fact.service is None


@pytest.mark.parametrize("address", ADDRESSES)
async def test_port_unreachable_ends_the_asking(address: str):
    fact, ctx = await ask(lambda _, port, __: [(0.02, port_unreachable(address, port))], task(address))
    assert fact.reply == "icmp"
    assert fact.icmp is not None
    assert (fact.icmp.meaning, fact.icmp.offender) == ("port-unreachable", address)
    assert len(ctx.ports[0].sent) == 1


async def test_who_sent_the_error_is_kept():
    fact, _ = await ask(
        lambda _, port, __: [(0.02, prohibited(ADDRESSES[0], port, offender="198.51.100.1"))], task(ADDRESSES[0])
    )
    assert fact.icmp is not None
    assert (fact.icmp.meaning, fact.icmp.offender) == ("prohibited", "198.51.100.1")


async def test_an_error_that_passes_does_not_end_the_asking():
    """A router without a route for a moment, then the server answers."""
    calls = 0

    def network(payload: bytes, port: int, _: float):
        nonlocal calls
        calls += 1
        if calls == 1:
            return [(0.01, icmp_notice(ADDRESSES[0], port, (3, 1), offender="198.51.100.1"))]
        return [(0.01, datagram(ADDRESSES[0], 40123, b"\x00\x05\x00\x01File not found\x00"))]

    fact, _ = await ask(network, task(ADDRESSES[0], "tftp", 69))
    assert fact.reply == "data"
    assert fact.service == "tftp"
    assert fact.replied_from_port == 40123
    assert fact.icmp is None
    assert fact.tries == 2


async def test_the_last_error_stands_when_nothing_better_comes():
    fact, _ = await ask(
        lambda _, port, __: [(0.01, icmp_notice(ADDRESSES[1], port, (1, 3), offender="2001:db8:1::1"))],
        task(ADDRESSES[1]),
    )
    assert fact.reply == "icmp"
    assert fact.tries == 3
    assert fact.icmp is not None
    assert fact.icmp.meaning == "host-unreachable"


async def test_an_icmp_limit_of_one_in_two_seconds_does_not_look_like_silence():
    last_s = 1000.0

    def network(_: bytes, port: int, now_s: float):
        nonlocal last_s
        if now_s - last_s < 2.0:
            return []
        last_s = now_s
        return [(0.01, port_unreachable(ADDRESSES[0], port))]

    fact, _ = await ask(network, task(ADDRESSES[0], "sip"))
    assert fact.reply == "icmp"


async def test_answers_of_other_addresses_are_counted_and_not_believed():
    fact, _ = await ask(
        lambda *_: [(0.01, datagram("203.0.113.5", 5060, b"SIP/2.0 200 OK\r\n\r\n"))], task(ADDRESSES[0])
    )
    assert fact.reply == "silence"
    assert fact.alien_replies == 3


async def test_an_error_about_a_packet_that_we_never_sent_is_not_believed():
    forged = port_unreachable(ADDRESSES[0], 5060, quoted=b"NOTOURPACKET")
    other = port_unreachable(ADDRESSES[0], 5061)
    fact, _ = await ask(lambda *_: [(0.01, forged), (0.02, other)], task(ADDRESSES[0]))
    assert fact.reply == "silence"
    assert fact.alien_replies == 6


async def test_a_short_or_padded_quote_is_believed():
    def network(payload: bytes, port: int, _: float):
        return [(0.01, port_unreachable(ADDRESSES[0], port, quoted=payload[:3]))]

    fact, _ = await ask(network, task(ADDRESSES[0]))
    assert fact.reply == "icmp"
    padded, _ = await ask(
        lambda payload, port, _: [(0.01, port_unreachable(ADDRESSES[0], port, quoted=payload + bytes(100)))],
        task(ADDRESSES[0], "one-byte", 33333),
    )
    assert padded.reply == "icmp"


@pytest.mark.parametrize("address", ADDRESSES)
async def test_garbage_is_an_answer_without_a_service(address: str):
    fact, _ = await ask(lambda _, port, __: [(0.01, datagram(address, port, b"\x00garbage"))], task(address))
    assert fact.reply == "data"
    assert fact.service is None
    assert bytes.fromhex(fact.data_hex) == b"\x00garbage"


async def test_an_oversize_answer_is_cut():
    fact, _ = await ask(lambda _, port, __: [(0.01, datagram(ADDRESSES[0], port, b"x" * 60000))], task(ADDRESSES[0]))
    assert fact.data_size == 60000
    assert len(fact.data_hex) == 1024


async def test_an_answer_to_our_question_is_recognised():
    def network(payload: bytes, port: int, _: float):
        call_id = next(line for line in payload.split(b"\r\n") if line.startswith(b"Call-ID"))
        answer = b"SIP/2.0 403 Forbidden\r\n" + call_id + b"\r\n\r\n"
        return [(7.0, datagram(ADDRESSES[0], port, answer))]  # slow, but within the wait for SIP

    fact, _ = await ask(network, task(ADDRESSES[0]))
    assert fact.service == "sip"


async def test_media_on_a_single_port_is_named_and_not_kept():
    voice = bytes.fromhex("8008000700000050cafebabe") + b"voice of a person"
    fact, _ = await ask(
        lambda _, port, __: [(0.01, datagram(ADDRESSES[0], port, voice))], task(ADDRESSES[0], "one-byte", 50797)
    )
    assert fact.service == "rtp"
    assert fact.data_hex == ""
    assert fact.data_size == len(voice)


async def test_refused_by_the_system_is_no_fact():
    def network(*_: object):
        raise CannotLook("no-route", "network is unreachable")

    with pytest.raises(CannotLook):
        await ask(network, task(ADDRESSES[1]))


def test_a_question_without_a_request_is_an_error():
    with pytest.raises(ValueError, match="no UDP request"):
        udp_question_for("smb", address="192.0.2.1", port=1, user_agent="x", chance=TwinContext().random)
