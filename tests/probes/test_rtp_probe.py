"""The media sweep against scripted networks: drop, reject, open, limits, media, echo, lost canaries."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from flexiscan.model.facts import RtpSweep
from flexiscan.model.icmp import IcmpError
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook, NotConnected
from flexiscan_probes import rtp
from tests.probes.twin import Network, TwinContext, datagram, icmp_notice, port_unreachable, prohibited

ADDRESSES = ["192.0.2.10", "2001:db8:2::10"]
FIREWALL = "198.51.100.1"
FIRST, LAST = 40000, 50000


def task(address: str, seed: int = 11) -> Task:
    return Task(
        id=f"rtp/{address}",
        probe="rtp",
        host="flexi.example.test",
        role="rtp-sweep",
        address=address,
        transport="udp",
        params={
            "first_port": FIRST,
            "last_port": LAST,
            "excluded": [40010],
            "taken": [5060, 50797],
            "sample": 500,
            "seed": seed,
        },
        lane="udp",
    )


async def sweep(
    network: Network, address: str = ADDRESSES[0], seed: int = 11, sample: int = 500
) -> tuple[RtpSweep, TwinContext]:
    ctx = TwinContext(network=network)
    wanted = task(address, seed)
    fact = await rtp.observe(ctx, wanted.model_copy(update={"params": {**wanted.params, "sample": sample}}))
    assert ctx.ports[0].closed
    return fact, ctx


def in_range(port: int) -> bool:
    return FIRST <= port <= LAST


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_drop_rule_is_two_passes_of_silence(address: str):
    fact, ctx = await sweep(lambda *_: (), address)
    assert (fact.ports_asked, fact.silent, fact.passes) == (500, 500, 2)
    assert fact.datagrams == 2 * 500 + 2 * 8 == len(ctx.ports[0].sent)
    assert [canary.reply for canary in fact.canaries] == ["silence"] * 8
    assert fact.canaries_after == ()
    assert (fact.icmp, fact.data_ports, fact.media, fact.stopped) == ((), (), (), "")


async def test_edges_come_first_and_every_datagram_is_the_same_receiver_report():
    fact, ctx = await sweep(lambda *_: ())
    asked = ctx.ports[0].ports_asked()
    sampled = [port for port in asked if in_range(port)]
    assert sampled[:4] == [FIRST, FIRST + 1, LAST - 1, LAST]
    assert {payload.hex() for _, _, payload in ctx.ports[0].sent} == {fact.payload_hex}
    assert fact.payload_hex.startswith("80c90001")
    assert len(fact.payload_hex) == 16
    assert set(Counter(sampled).values()) == {2}
    canaries = {canary.port for canary in fact.canaries}
    assert {FIRST - 1, LAST + 1} <= canaries
    assert not canaries & {5060, 50797}
    assert not any(in_range(port) for port in canaries)


async def test_the_same_seed_asks_the_same_ports_in_the_same_order():
    _, one = await sweep(lambda *_: (), seed=5)
    _, two = await sweep(lambda *_: (), seed=5)
    _, other = await sweep(lambda *_: (), seed=6)
    assert one.ports[0].sent == two.ports[0].sent
    assert one.ports[0].ports_asked() != other.ports[0].ports_asked()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_unprotected_host_answers_for_itself(address: str):
    fact, _ = await sweep(lambda _, port, __: [(0.01, port_unreachable(address, port))], address)
    assert fact.silent == 0
    assert fact.passes == 1
    assert [(tally.icmp.offender, len(tally.ports)) for tally in fact.icmp] == [(address, 500)]
    assert fact.canaries == ()
    assert fact.stopped == "decided"
    assert fact.decided_after_s == pytest.approx(0.02, abs=0.02)


async def test_an_icmp_limit_shows_as_a_few_answers_and_much_silence():
    """Linux on IPv4: six at once, then one a second."""
    tokens, last_s = 6.0, 1000.0

    def network(_: bytes, port: int, now_s: float):
        nonlocal tokens, last_s
        tokens, last_s = min(6.0, tokens + now_s - last_s), now_s
        if tokens < 1:
            return []
        tokens -= 1
        return [(0.01, port_unreachable(ADDRESSES[0], port))]

    fact, _ = await sweep(network)
    assert 6 <= 500 - fact.silent <= 20
    assert fact.passes == 1
    assert {FIRST, FIRST + 1, LAST - 1, LAST} <= set(fact.icmp[0].ports)
    assert sum(fact.sent_by_second) == fact.datagrams
    assert max(fact.errors_by_second[1:]) <= 2


async def test_a_reject_rule_with_one_silent_hole_asks_the_hole_again_and_again():
    def network(_: bytes, port: int, __: float):
        return [] if port == LAST else [(0.01, prohibited(ADDRESSES[0], port, offender=FIREWALL))]

    fact, ctx = await sweep(network)
    assert (fact.silent, fact.passes) == (1, 8)
    assert ctx.ports[0].ports_asked().count(LAST) == 8
    assert {canary.reply for canary in fact.canaries_after} == {"icmp"}


async def test_canaries_that_fall_silent_after_a_block_are_told():
    seen = 0

    def network(_: bytes, port: int, __: float):
        nonlocal seen
        seen += 1
        return [] if seen > 100 else [(0.01, prohibited(ADDRESSES[0], port, offender=FIREWALL))]

    fact, _ = await sweep(network)
    assert {canary.reply for canary in fact.canaries} == {"icmp"}
    assert {canary.reply for canary in fact.canaries_after} == {"silence"}
    assert fact.silent > 300


async def test_the_first_media_packet_stops_everything_and_its_content_is_not_kept():
    voice = bytes.fromhex("8008000700000050cafebabe") + b"voice of a person"

    def network(_: bytes, port: int, __: float):
        return [(0.001 * n, datagram(ADDRESSES[0], port, voice)) for n in range(5)] if port == FIRST + 1 else []

    fact, ctx = await sweep(network)
    assert fact.stopped == "media-seen"
    assert ctx.ports[0].ports_asked()[-1] == FIRST + 1
    assert [(seen.port, seen.payload_type, seen.ssrc) for seen in fact.media] == [(FIRST + 1, 8, 0xCAFEBABE)]
    assert fact.media[0].packets >= 1
    assert b"voice".hex() not in fact.model_dump_json()
    assert fact.data_ports == ()


async def test_media_from_a_canary_stops_the_sweep_too():
    voice = bytes.fromhex("8000000700000050cafebabe") + bytes(160)

    def network(_: bytes, port: int, __: float):
        return [] if in_range(port) else [(0.01, datagram(ADDRESSES[0], port, voice))]

    fact, ctx = await sweep(network)
    assert fact.stopped == "media-seen"
    assert len(ctx.ports[0].sent) == 4 + 1
    assert fact.ports_asked == 4


async def test_an_unprotected_host_is_not_swept_whole():
    fact, ctx = await sweep(lambda _, port, __: [(0.01, port_unreachable(ADDRESSES[0], port))], sample=10001)
    assert fact.stopped == "decided"
    assert fact.decided_after_s is not None
    assert fact.decided_after_s < 3
    assert 500 < len(ctx.ports[0].sent) < 1500


ROUTER = "203.0.113.6"
PATH = {"guide_port": 443, "hop_limit": 3, "server_routers": 3, "before_hop_limit": None}
SILENCE = NotConnected("silence", None, 1, 0.9)


def guide() -> NotConnected:
    icmp = IcmpError(family="ipv4", icmp_type=11, code=0, offender=ROUTER)
    return NotConnected("icmp", icmp, 1, 0.01)


async def walk(
    network: Network, *answers: NotConnected, sample: int = 500, near_only: bool = True
) -> tuple[RtpSweep, TwinContext]:
    """With `near_only` the network sees only what may not travel the whole way."""

    def near(payload: bytes, port: int, at_s: float):
        seen = not near_only or ctx.ports[-1].hop_limits[-1] is not None
        return network(payload, port, at_s) if seen else []

    ctx = TwinContext(network=near)
    ctx.links = [*answers, *[guide() for _ in range(60)]]
    wanted = task(ADDRESSES[0])
    params = {**wanted.params, "path": PATH, "sample": sample}
    fact = await rtp.observe(ctx, wanted.model_copy(update={"params": params}))
    return fact, ctx


def expiring(*ports: int) -> Network:
    def network(_: bytes, port: int, __: float):
        return [(0.01, icmp_notice(ADDRESSES[0], port, (11, 0), offender=ROUTER))] if port in ports else []

    return network


async def test_behind_a_drop_rule_two_passes_end_at_the_last_router():
    fact, ctx = await walk(lambda *_: ())
    assert (fact.passes, fact.near_passes, fact.near_asked) == (3, 2, 500)
    assert (fact.near_expired, fact.near_confirming, len(fact.near_trials)) == ((), (), 2)
    limits = Counter(ctx.ports[0].hop_limits)
    assert limits[3] == 2 * 500 + 2 * (8 + 16)
    assert limits[None] == 500 + 2 * 8
    assert fact.datagrams == len(ctx.ports[0].sent)


async def test_a_guide_every_few_seconds_and_at_both_ends_of_a_pass():
    fact, _ = await walk(lambda *_: (), sample=10001)
    assert len(fact.near_guides) == 2 * (2 + 10)
    assert {guide.tries for guide in fact.near_guides} == {1}


async def test_a_guide_that_is_answered_late_costs_a_third_pass():
    fact, _ = await walk(lambda *_: (), guide(), SILENCE)
    assert [guide.tries for guide in fact.near_guides] == [2, 1, 1, 1, 1, 1]
    assert fact.near_passes == 3


async def test_a_port_that_comes_as_far_as_the_router_is_looked_at_again():
    fact, _ = await walk(expiring(FIRST))
    assert {port for tally in fact.near_expired for port in tally.ports} == {FIRST}
    assert [trial.ports for trial in fact.near_confirming] == [(FIRST,)] * 5
    assert {len(trial.canaries) for trial in fact.near_confirming} == {4}
    assert fact.stopped == "decided"
    assert fact.near_passes == 0


async def test_a_hole_that_only_a_pass_finds_ends_it_and_is_looked_at_again():
    quiet, _ = await walk(lambda *_: ())
    assert quiet.near_expired == ()
    fact, ctx = await walk(expiring(*range(41000, 41400)))
    assert fact.stopped == "decided"
    assert len(fact.near_confirming) == 5
    assert {len(trial.ports) for trial in fact.near_confirming} <= {1, 2, 3, 4}
    assert fact.datagrams == len(ctx.ports[0].sent)


async def test_a_router_that_answers_for_canaries_too_is_left_alone():
    fact, ctx = await walk(expiring(*range(1, 65536)))
    assert len(fact.near_trials) == 1
    assert (fact.near_passes, fact.near_confirming, fact.passes, fact.stopped) == (0, (), 2, "")
    assert Counter(ctx.ports[0].hop_limits)[3] == 8 + 16


async def test_canaries_that_come_through_at_the_second_look_end_the_search():
    calls = 0

    def network(_: bytes, port: int, __: float):
        nonlocal calls
        calls += 1
        silent = calls < 30 and not in_range(port)
        return [] if silent else expiring(*range(1, 65536))(b"", port, 0.0)

    fact, _ = await walk(network)
    assert len(fact.near_confirming) == 1
    assert (fact.stopped, fact.near_passes, fact.passes) == ("", 0, 2)


async def test_media_ends_the_batches_too():
    voice = bytes.fromhex("8000000700000050cafebabe") + bytes(160)

    def network(_: bytes, port: int, __: float):
        return [(0.3, datagram(ADDRESSES[0], port, voice))] if port == FIRST else []

    fact, ctx = await walk(network)
    assert fact.stopped == "media-seen"
    assert len(ctx.ports[0].sent) == 4 + 2 * 8 + 24


async def test_an_edge_device_that_is_nearer_than_the_server_does_not_decide():
    def network(_: bytes, port: int, __: float):
        notice = port_unreachable(ADDRESSES[0], port)
        return [(0.01, replace(notice, icmp=notice.icmp.model_copy(update={"hop_limit": 63})))]

    fact, _ = await walk(network, near_only=False)
    assert (fact.stopped, fact.ports_asked, fact.silent) == ("", 500, 0)


async def test_an_echo_of_our_report_is_data_and_no_media():
    def network(payload: bytes, port: int, _: float):
        return [(0.01, datagram(ADDRESSES[0], port, payload))] if port == LAST else []

    fact, _ = await sweep(network)
    assert fact.data_ports == (LAST,)
    assert (fact.media, fact.stopped) == ((), "")


async def test_strangers_and_forged_errors_say_nothing():
    def network(_: bytes, port: int, __: float):
        return [
            (0.01, datagram("203.0.113.9", port, b"\x80\x00hello")),
            (0.01, port_unreachable(ADDRESSES[0], port, quoted=b"\x00other")),
            (0.01, port_unreachable(ADDRESSES[0], 1)),
        ]

    fact, _ = await sweep(network)
    assert (fact.silent, fact.icmp, fact.media) == (500, (), ())


async def test_refused_half_way_keeps_what_was_seen():
    sent = 0

    def network(_: bytes, port: int, __: float):
        nonlocal sent
        sent += 1
        if sent > 60:
            raise CannotLook("no-privilege", "operation not permitted")
        return [(0.001, port_unreachable(ADDRESSES[0], port))]

    fact, _ = await sweep(network)
    assert fact.stopped == "send-refused"
    assert fact.icmp[0].icmp.offender == ADDRESSES[0]


async def test_refused_before_anything_came_back_is_no_fact():
    sent = 0

    def network(*_: object):
        nonlocal sent
        sent += 1
        if sent > 60:
            raise CannotLook("no-route", "network is unreachable")
        return ()

    with pytest.raises(CannotLook):
        await sweep(network)


async def test_losses_on_a_rejecting_way_make_no_hole():
    chance = Random(3)

    def network(_: bytes, port: int, __: float):
        return [] if chance.random() < 0.2 else [(0.01, prohibited(ADDRESSES[0], port, offender=FIREWALL))]

    fact, _ = await sweep(network, sample=3000)
    assert fact.silent == 0


async def test_a_sweep_that_runs_out_of_time_keeps_what_it_saw():
    ctx = TwinContext(network=lambda _, port, __: [(0.01, prohibited(ADDRESSES[0], port, offender=FIREWALL))])
    wanted = task(ADDRESSES[0])
    params = {**wanted.params, "sample": 10001, "budget_s": 20.0}
    fact = await rtp.observe(ctx, wanted.model_copy(update={"params": params}))
    assert fact.stopped == "out-of-time"
    assert 500 < fact.ports_asked < 4000
    assert fact.waited_s < 25
