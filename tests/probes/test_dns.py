"""The DNS probe against scripted name servers on a virtual clock: what is asked, heard and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook, NotConnected, Received
from flexiscan_probes import dns as probe
from flexiscan_probes.dns_exchange import MAX_DISCARDED, TCP_TIMEOUT_S, UDP_TRIES_S
from flexiscan_probes.wire.dns_message import MAX_MESSAGE_BYTES
from tests.probes.twin import (
    Answer,
    Network,
    TwinConnection,
    TwinContext,
    VirtualClock,
    datagram,
    icmp_notice,
    port_unreachable,
    prohibited,
)

HOST = "flexi.example.test"
NAME = HOST + "."
SERVERS = ["192.0.2.53", "2001:db8::53"]
PORT = 53
each_family = pytest.mark.parametrize("server", SERVERS)


def task(server: str, rdtype: str = "A", name: str = NAME) -> Task:
    return Task(
        id=f"dns.lookup/{HOST}/{rdtype}@{server}#{PORT}",
        probe="dns.lookup",
        host=HOST,
        role="address",
        params={"server": f"{server}#{PORT}", "name": name, "rdtype": rdtype},
        lane=server,
        gate="dns",
    )


def answer_to(query: bytes, *data: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    response = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    response.set_rcode(rcode)
    asked = response.question[0]
    if data:
        response.answer.append(dns.rrset.from_text(asked.name, 300, "IN", asked.rdtype, *data))
    return response


def says(server: str, *replies: Callable[[bytes], bytes], from_port: int = PORT) -> Network:
    """A server that answers every query with these, one after the other."""

    def network(payload: bytes, port: int, _: float) -> Iterable[Answer]:
        assert port == PORT
        return [(0.01 * number, datagram(server, from_port, reply(payload))) for number, reply in enumerate(replies)]

    return network


def good(query: bytes) -> bytes:
    return answer_to(query, "192.0.2.10").to_wire()


def truncated(query: bytes) -> bytes:
    response = answer_to(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def other_id(query: bytes) -> bytes:
    wire = good(query)
    return bytes([wire[0] ^ 1]) + wire[1:]


def other_question(query: bytes) -> bytes:
    other = dns.message.make_query("other.example.test.", "A", id=int.from_bytes(query[:2], "big"))
    return good(other.to_wire())


def garbage(query: bytes) -> bytes:
    return query[:2] + b"\x81\x80" + b"\xff" * 40


def forbidden(query: bytes) -> bytes:
    raise AssertionError("must not be asked")


async def ask(
    network: Network,
    server: str,
    *,
    link: TwinConnection | NotConnected | None = None,
    clock: VirtualClock | None = None,
) -> tuple[DnsReply, TwinContext]:
    ctx = TwinContext(network=network, link=link, clock=clock)
    fact = await probe.observe(ctx, task(server))
    assert all(port.closed for port in ctx.ports)
    return fact, ctx


# -- UDP --------------------------------------------------------------------------------------------------------


@each_family
async def test_an_answer(server: str):
    fact, ctx = await ask(says(server, good), server)
    assert (fact.outcome, fact.transport, fact.rcode, fact.tries, fact.discarded) == (
        "answer",
        "udp",
        "NOERROR",
        1,
        0,
    )
    assert fact.server == f"{server}#53"
    assert [(one.name, one.data) for one in fact.records] == [(NAME, "192.0.2.10")]
    assert len(ctx.ports[0].sent) == 1
    assert not ctx.connects


@each_family
async def test_the_question(server: str):
    _, ctx = await ask(says(server, good), server)
    query = dns.message.from_wire(ctx.ports[0].sent[0][2])
    assert dns.flags.to_text(query.flags) == "RD"
    assert (query.edns, query.payload, query.question[0].to_text()) == (0, 1232, f"{NAME} IN A")


@each_family
async def test_silence_is_two_tries_and_a_fact(server: str):
    fact, ctx = await ask(lambda *_: (), server)
    assert (fact.outcome, fact.tries, fact.discarded, fact.rcode) == ("timeout", 2, 0, None)
    assert fact.elapsed_ms == pytest.approx(sum(UDP_TRIES_S) * 1000, abs=100)
    assert sum(UDP_TRIES_S) + TCP_TIMEOUT_S < probe.DEADLINE_S
    assert len({payload for _, _, payload in ctx.ports[0].sent}) == 1


@each_family
async def test_a_closed_port_is_told_from_silence_at_once(server: str):
    fact, ctx = await ask(lambda *_: [(0.01, port_unreachable(server, PORT))], server)
    assert (fact.outcome, fact.tries) == ("port-closed", 1)
    assert fact.elapsed_ms < 100
    assert len(ctx.ports[0].sent) == 1


@each_family
async def test_other_icmp_errors_do_not_end_the_wait(server: str):
    def network(payload: bytes, port: int, _: float) -> Iterable[Answer]:
        return [
            (0.01, prohibited(server, PORT)),
            (0.02, icmp_notice(server, PORT + 1, (3, 3) if "." in server else (1, 4))),
            (0.03, datagram(server, PORT, good(payload))),
        ]

    fact, _ = await ask(network, server)
    assert (fact.outcome, fact.tries) == ("answer", 1)


@each_family
@pytest.mark.parametrize("noise", [other_id, other_question, garbage, lambda _: b"", lambda _: b"\x00"])
async def test_noise_before_the_answer_is_counted_and_does_not_hide_it(server: str, noise: Callable[[bytes], bytes]):
    fact, _ = await ask(says(server, noise, noise, good), server)
    assert (fact.outcome, fact.discarded, fact.tries) == ("answer", 2, 1)


@each_family
@pytest.mark.parametrize(
    ("noise", "outcome"),
    [(other_id, "timeout"), (other_question, "timeout"), (garbage, "malformed"), (lambda q: q, "malformed")],
)
async def test_noise_alone(server: str, noise: Callable[[bytes], bytes], outcome: str):
    fact, _ = await ask(says(server, noise), server)
    assert (fact.outcome, fact.discarded, fact.tries) == (outcome, 2, 2)


@each_family
async def test_a_stranger_is_not_heard(server: str):
    stranger = "198.51.100.1" if "." in server else "2001:db8:bad::1"

    def network(payload: bytes, port: int, _: float) -> Iterable[Answer]:
        return [(0.01, datagram(stranger, PORT, good(payload))), (0.02, datagram(server, 5353, good(payload)))]

    fact, _ = await ask(network, server)
    assert (fact.outcome, fact.discarded, fact.records) == ("timeout", 4, ())


async def test_the_sender_may_be_spelled_otherwise():
    fact, _ = await ask(says("2001:0db8:0000::0053", good), "2001:db8::53")
    assert fact.outcome == "answer"


@each_family
async def test_a_late_answer_to_the_first_try_counts(server: str):
    def network(payload: bytes, port: int, now_s: float) -> Iterable[Answer]:
        first = now_s < 1001.0
        return [(UDP_TRIES_S[0] + 0.5, datagram(server, PORT, good(payload)))] if first else []

    fact, _ = await ask(network, server)
    assert (fact.outcome, fact.tries) == ("answer", 2)


@each_family
async def test_a_flood_ends_the_question(server: str):
    def network(payload: bytes, port: int, _: float) -> Iterable[Answer]:
        return [(0.0, datagram(server, PORT, other_id(payload)))] * (3 * MAX_DISCARDED)

    fact, _ = await ask(network, server)
    assert (fact.outcome, fact.discarded, fact.tries) == ("timeout", MAX_DISCARDED, 1)


@each_family
@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP])
async def test_a_server_that_does_not_know_edns_is_asked_without(server: str, rcode: dns.rcode.Rcode):
    def old(query: bytes) -> bytes:
        plain = dns.message.from_wire(query).edns == -1
        return good(query) if plain else answer_to(query, rcode=rcode).to_wire()

    fact, _ = await ask(says(server, old), server)
    assert (fact.outcome, fact.rcode, fact.tries) == ("answer", "NOERROR", 2)


@each_family
async def test_a_server_that_says_formerr_to_everything(server: str):
    fact, _ = await ask(says(server, lambda q: answer_to(q, rcode=dns.rcode.FORMERR).to_wire()), server)
    assert (fact.outcome, fact.rcode, fact.tries) == ("answer", "FORMERR", 2)


@each_family
@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NXDOMAIN])
async def test_an_error_is_an_answer(server: str, rcode: dns.rcode.Rcode):
    fact, _ = await ask(says(server, lambda q: answer_to(q, rcode=rcode).to_wire()), server)
    assert (fact.outcome, fact.rcode, fact.records) == ("answer", dns.rcode.to_text(rcode), ())


async def test_a_name_that_dns_cannot_hold_is_no_fact():
    with pytest.raises(CannotLook) as caught:
        await probe.observe(TwinContext(), task(SERVERS[0], name="a..b."))
    assert caught.value.reason == "internal"


# -- TCP --------------------------------------------------------------------------------------------------------


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body


def stream(clock: VirtualClock, *parts: tuple[float, Received], build: Callable[[bytes], bytes] | None = None) -> Any:
    def talk(heard: bytes) -> Iterable[tuple[float, Received]]:
        if not heard:
            return []
        assert int.from_bytes(heard[:2], "big") == len(heard) - 2
        built = [] if build is None else [(0.01, Received("", build(heard[2:])))]
        return [*built, *parts]

    return TwinConnection(clock, talk)


async def ask_tcp(
    server: str, *parts: tuple[float, Received], build: Callable[[bytes], bytes] | None = None
) -> tuple[DnsReply, TwinConnection]:
    clock = VirtualClock()
    link = stream(clock, *parts, build=build)
    fact, ctx = await ask(says(server, truncated), server, link=link, clock=clock)
    assert [(address, port) for address, port, _, _ in ctx.connects] == [(server, PORT)]
    assert (fact.transport, fact.tries) == ("tcp", 2)
    assert link.closed
    return fact, link


@each_family
async def test_a_truncated_answer_is_asked_for_over_tcp(server: str):
    fact, _ = await ask_tcp(server, build=lambda q: framed(good(q)))
    assert (fact.outcome, [one.data for one in fact.records]) == ("answer", ["192.0.2.10"])
    assert "tc" not in fact.flags


@each_family
async def test_an_answer_in_pieces(server: str):
    def talk(heard: bytes) -> Iterable[tuple[float, Received]]:
        if not heard:
            return []
        return [(0.001, Received("", bytes([byte]))) for byte in framed(good(heard[2:]))]

    clock = VirtualClock()
    fact, _ = await ask(says(server, truncated), server, link=TwinConnection(clock, talk), clock=clock)
    assert fact.outcome == "answer"


@each_family
async def test_a_slow_drip_ends_at_the_limit(server: str):
    drip = [(0.5, Received("", b"\x00"))] * 100
    fact, _ = await ask_tcp(server, (0.0, Received("", b"\x10\x00")), *drip)
    assert fact.outcome == "timeout"
    assert fact.elapsed_ms == pytest.approx(TCP_TIMEOUT_S * 1000, rel=0.15)


@each_family
async def test_a_body_of_64_kb_is_not_even_read(server: str):
    fact, _ = await ask_tcp(server, (0.0, Received("", b"\xff\xff")))
    assert (fact.outcome, fact.records) == ("malformed", ())
    assert fact.elapsed_ms < 100


@each_family
async def test_the_largest_body_that_is_read(server: str):
    body = b"\x00" * MAX_MESSAGE_BYTES
    fact, _ = await ask_tcp(server, (0.0, Received("", framed(body))))
    assert fact.outcome == "malformed"


@each_family
@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ([(0.0, Received("closed"))], "closed"),
        ([(0.0, Received("reset"))], "closed"),
        ([(0.0, Received("", b"\x00")), (0.0, Received("closed"))], "closed"),
        ([(0.0, Received("", b"\x01\x00abc")), (0.0, Received("closed"))], "closed"),
        ([], "timeout"),
        ([(0.0, Received("", b"\x00\x00"))], "malformed"),
    ],
)
async def test_streams_that_end_badly(server: str, parts: list[tuple[float, Received]], outcome: str):
    fact, _ = await ask_tcp(server, *parts)
    assert (fact.outcome, fact.rcode) == (outcome, None)


@each_family
@pytest.mark.parametrize("reply", [truncated, other_id, other_question, garbage])
async def test_a_stream_with_something_else_in_it(server: str, reply: Callable[[bytes], bytes]):
    fact, _ = await ask_tcp(server, build=lambda q: framed(reply(q)))
    assert (fact.outcome, fact.discarded, fact.records) == ("malformed", 1, ())


@each_family
@pytest.mark.parametrize(("outcome", "seen"), [("reset", "port-closed"), ("silence", "timeout"), ("icmp", "timeout")])
async def test_truncated_without_tcp(server: str, outcome: Any, seen: str):
    refused = NotConnected(outcome=outcome, icmp=None, attempts=1, waited_s=1.0)
    fact, _ = await ask(says(server, truncated), server, link=refused)
    assert (fact.outcome, fact.transport, fact.records, fact.flags) == (seen, "tcp", (), ())


@each_family
@pytest.mark.parametrize(("ending", "seen"), [("closed", "closed"), ("reset", "closed"), ("timeout", "timeout")])
async def test_a_question_that_cannot_be_sent(server: str, ending: Any, seen: str):
    link = TwinConnection(VirtualClock(), lambda _: [], send_ending=ending)
    fact, _ = await ask(says(server, truncated), server, link=link)
    assert fact.outcome == seen
