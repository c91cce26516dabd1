"""Datagrams refused by nobody knows whom: what the probes keep of it."""

from __future__ import annotations

from flexiscan_probes.udp_questions import waits_of
from tests.probes.test_rtp_probe import ADDRESSES, in_range, sweep
from tests.probes.test_udp_probe import ask, task
from tests.probes.twin import datagram, refusal

ADDRESS = ADDRESSES[0]


async def test_a_refused_port_ends_the_asking():
    fact, ctx = await ask(lambda _, port, __: [(0.02, refusal(port))], task(ADDRESS))
    assert (fact.reply, fact.icmp) == ("refused", None)
    assert len(ctx.ports[0].sent) == 1


async def test_another_error_is_told_and_asked_again():
    fact, ctx = await ask(lambda _, port, __: [(0.02, refusal(port, is_port=False))], task(ADDRESS))
    assert (fact.reply, fact.icmp) == ("icmp", None)
    assert len(ctx.ports[0].sent) == len(waits_of("sip"))


async def test_a_port_that_refuses_after_another_error_is_refused():
    fact, _ = await ask(
        lambda _, port, __: [(0.02, refusal(port, is_port=False)), (0.03, refusal(port))], task(ADDRESS)
    )
    assert fact.reply == "refused"


async def test_a_refusal_of_another_port_is_nothing():
    fact, _ = await ask(lambda _, port, __: [(0.02, refusal(port + 1))], task(ADDRESS))
    assert fact.reply == "silence"


async def test_an_answer_counts_more_than_a_refusal():
    fact, _ = await ask(
        lambda _, port, __: [(0.01, datagram(ADDRESS, port, b"SIP/2.0 200 OK")), (0.02, refusal(port))], task(ADDRESS)
    )
    assert fact.reply == "data"


async def test_refused_media_ports_are_named_and_not_silent():
    fact, _ = await sweep(lambda _, port, __: [(0.01, refusal(port))] if port % 2 else ())
    assert fact.refused_ports
    assert all(port % 2 and in_range(port) for port in fact.refused_ports)
    assert fact.silent + len(fact.refused_ports) == fact.ports_asked == 500
    assert fact.icmp == ()
    assert {canary.reply for canary in fact.canaries if canary.port % 2} <= {"refused"}


async def test_a_range_that_refuses_everything_is_asked_to_its_end():
    """Nothing is decided by it, so the sweep stops for nothing but media."""
    fact, _ = await sweep(lambda _, port, __: [(0.01, refusal(port))])
    assert (fact.silent, len(fact.refused_ports), fact.stopped) == (0, 500, "")
