"""Batches that end before the server: what is noted, and what each of them costs."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from flexiscan.model.facts import UdpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import guides_held, has_expired_silently
from flexiscan.model.plan import Task
from flexiscan.sdk import NotConnected
from flexiscan_probes import udp_path
from tests.probes.twin import Network, TwinContext, datagram, icmp_notice

ADDRESS, ROUTER = "192.0.2.10", "203.0.113.6"
PORTS, CANARIES = [69, 5060, 33333], [21000, 22000]
TASK = Task(
    id="udp.path",
    probe="udp.path",
    host="h",
    role="udp-path",
    address=ADDRESS,
    transport="udp",
    params={"guide_port": 443, "hop_limit": 3, "server_routers": 3, "ports": PORTS, "canaries": CANARIES},
    lane="path",
)
EXPIRED = NotConnected("icmp", IcmpError(family="ipv4", icmp_type=11, code=0, offender=ROUTER), 1, 0.01)


async def walk(network: Network, *guides: NotConnected) -> tuple[UdpPath, TwinContext]:
    ctx = TwinContext(network=network)
    ctx.links = list(guides or [EXPIRED] * 6)
    return await udp_path.observe(ctx, TASK), ctx


async def test_every_datagram_ends_before_the_server():
    fact, ctx = await walk(lambda *_: ())
    assert set(ctx.ports[0].hop_limits) == {3}
    assert Counter(ctx.ports[0].ports_asked()) == dict.fromkeys([*PORTS, *CANARIES], 3)
    assert has_expired_silently(fact.ports)
    assert has_expired_silently(fact.canaries)


async def test_a_port_that_comes_through_is_noted_with_its_router():
    def network(_: bytes, port: int, __: float):
        return [(0.01, icmp_notice(ADDRESS, port, (11, 0), offender=ROUTER))] if port == 33333 else []

    fact, _ = await walk(network)
    came = [tally for trial in fact.ports for tally in trial.icmp]
    assert {(tally.icmp.offender, tally.ports) for tally in came} == {(ROUTER, (33333,))}
    assert has_expired_silently(fact.canaries)


async def test_a_router_that_falls_silent_is_told():
    silent = NotConnected("silence", None, 1, 2.4)
    fact, _ = await walk(lambda *_: (), EXPIRED, EXPIRED, silent, EXPIRED, EXPIRED, EXPIRED)
    assert not guides_held(fact.canaries)
    assert guides_held(fact.ports)


async def test_batches_leave_routers_their_allowance():
    _, ctx = await walk(lambda *_: ())
    times = sorted({round(at_s, 1) for at_s, _, _ in ctx.ports[0].sent})
    starts = [times[0]] + [now for last, now in pairwise(times) if now - last > 0.5]
    assert len(starts) == 6
    assert all(later - earlier > 2.0 for earlier, later in pairwise(starts))


async def test_datagrams_and_errors_about_other_ports_are_nothing():
    def network(_: bytes, port: int, __: float):
        return [
            (0.01, datagram(ADDRESS, port, b"hello")),
            (0.01, icmp_notice(ADDRESS, 1, (11, 0), offender=ROUTER)),
        ]

    fact, _ = await walk(network)
    assert has_expired_silently(fact.ports)
