"""Batches that end before the server: what is noted, and what each of them costs."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from flexiscan.model.facts import UdpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import canaries_came, ports_that_expired, router_that_held
from flexiscan.model.plan import Task
from flexiscan.sdk import NotConnected
from flexiscan_probes import udp_path
from tests.probes.twin import Network, TwinContext, datagram, icmp_notice

ADDRESS, ROUTER = "192.0.2.10", "203.0.113.6"
PORTS, CANARIES = [69, 5060, 33333], list(range(21000, 21024))
TASK = Task(
    id="udp.path",
    probe="udp.path",
    host="h",
    role="udp-path",
    address=ADDRESS,
    transport="udp",
    params={
        "guide_port": 443,
        "hop_limit": 3,
        "server_routers": 3,
        "before_hop_limit": None,
        "ports": PORTS,
        "canaries": CANARIES,
    },
    lane="path",
)
EXPIRED = NotConnected("icmp", IcmpError(family="ipv4", icmp_type=11, code=0, offender=ROUTER), 1, 0.01)
SILENT = NotConnected("silence", None, 1, 0.9)


async def walk(network: Network, *guides: NotConnected) -> tuple[UdpPath, TwinContext]:
    ctx = TwinContext(network=network)
    ctx.links = [*guides, *[EXPIRED] * 30]
    return await udp_path.observe(ctx, TASK), ctx


async def test_every_datagram_ends_before_the_server():
    fact, ctx = await walk(lambda *_: ())
    assert set(ctx.ports[0].hop_limits) == {3}
    assert Counter(ctx.ports[0].ports_asked()) == dict.fromkeys([*PORTS, *CANARIES[:4]], 4)
    assert [(trial.icmp, trial.guide.tries) for trial in fact.trials] == [((), 1)] * 4
    assert router_that_held([*fact.guides, *(trial.guide for trial in fact.trials)]) == ROUTER
    assert fact.confirming == ()


async def test_a_canary_comes_first_and_both_take_turns():
    _, ctx = await walk(lambda *_: ())
    first = [port in CANARIES for port in ctx.ports[0].ports_asked()[: len(PORTS) + 4]]
    assert first[:3] == [True, False, True]
    assert all(len(set(three)) == 2 for three in zip(first, first[1:], first[2:], strict=False))


async def test_a_port_that_comes_through_is_looked_at_again_beside_new_canaries():
    def network(_: bytes, port: int, __: float):
        return [(0.01, icmp_notice(ADDRESS, port, (11, 0), offender=ROUTER))] if port == 33333 else []

    fact, _ = await walk(network)
    assert {(tally.icmp.offender, tally.ports) for trial in fact.trials for tally in trial.icmp} == {(ROUTER, (33333,))}
    assert [ports_that_expired([trial]) for trial in fact.confirming] == [{33333}] * 5
    assert len({port for trial in fact.confirming for port in trial.canaries}) == 20


async def test_a_canary_that_comes_through_ends_it():
    def network(_: bytes, port: int, __: float):
        return [(0.01, icmp_notice(ADDRESS, port, (11, 0), offender=ROUTER))]

    fact, ctx = await walk(network)
    assert canaries_came(fact.trials)
    assert (len(fact.trials), fact.confirming) == (1, ())
    assert len(ctx.ports) == 1


async def test_a_router_that_falls_silent_is_told():
    fact, _ = await walk(lambda *_: (), EXPIRED, EXPIRED, SILENT, SILENT, SILENT)
    assert [guide.tries for guide in fact.guides] == [1, 3, 1, 1]
    assert router_that_held(fact.guides) is None
    assert router_that_held([trial.guide for trial in fact.trials]) == ROUTER


async def test_a_guide_that_is_answered_late_is_told():
    fact, _ = await walk(lambda *_: (), EXPIRED, SILENT, EXPIRED)
    assert [trial.guide.tries for trial in fact.trials] == [2, 1, 1, 1]


async def test_batches_leave_routers_their_allowance():
    _, ctx = await walk(lambda *_: ())
    times = sorted({round(at_s, 1) for at_s, _, _ in ctx.ports[0].sent})
    starts = [times[0]] + [now for last, now in pairwise(times) if now - last > 0.5]
    assert len(starts) == 4
    assert all(later - earlier > 1.7 for earlier, later in pairwise(starts))


async def test_datagrams_and_errors_about_other_packets_are_nothing():
    def network(_: bytes, port: int, __: float):
        return [
            (0.01, datagram(ADDRESS, port, b"hello")),
            (0.01, icmp_notice(ADDRESS, 1, (11, 0), offender=ROUTER)),
            (0.01, icmp_notice(ADDRESS, port, (11, 0), offender=ROUTER, quoted=b"other")),
        ]

    fact, _ = await walk(network)
    assert [trial.icmp for trial in fact.trials] == [()] * 4
