"""The trial on an agreed test call against scripted media servers."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import BleedTrial, MediaSeen
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import AgreedCall, Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import CannotLook, PlanView
from flexiscan_probes import rtp_bleed
from flexiscan_probes.wire import rtp
from tests.policy.port_world import silent_sweep
from tests.probes.twin import Network, TwinContext, datagram, port_unreachable

ADDRESS, OTHER = "192.0.2.10", "2001:db8:2::10"
PORT = 40100
STARTED = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
CALL = AgreedCall(addresses=(ADDRESS,), ports=(PORT, 40102), agreed_by="B. Berg", until=STARTED + dt.timedelta(hours=1))
CONTENT = b"words of a person"


def voice(number: int, *, payload_type: int = 8, ssrc: int = 0xBEEF) -> bytes:
    packet = rtp.build_silence(number, first_sequence=65530, first_timestamp=0, ssrc=ssrc)
    return packet[:1] + bytes([payload_type]) + packet[2:12] + CONTENT


async def tried(network: Network, until_s: float = 1e9) -> tuple[BleedTrial, TwinContext]:
    ctx = TwinContext(network=network)
    task = Task(
        id="t",
        probe="rtp.bleed",
        host="h",
        role="rtp-bleed",
        address=ADDRESS,
        transport="udp",
        port=PORT,
        params={"until_s": until_s},
        lane="l",
    )
    fact = await rtp_bleed.observe(ctx, task)
    assert ctx.ports[0].closed
    return fact, ctx


def media_server(packets: int, after: int = 1) -> Network:
    """Sends a call's voice to whoever has sent it `after` packets."""
    heard = 0

    def network(_: bytes, port: int, __: float):
        nonlocal heard
        heard += 1
        if heard != after:
            return []
        return [(0.005 + 0.02 * n, datagram(ADDRESS, port, voice(n))) for n in range(packets)]

    return network


async def test_silence_is_five_packets_twenty_ms_apart_and_two_seconds_of_listening():
    fact, ctx = await tried(lambda *_: ())
    sent = ctx.ports[0].sent
    assert {port for _, port, _ in sent} == {PORT}
    assert [len(payload) for _, _, payload in sent] == [172] * 5
    gaps = [after[0] - before[0] for before, after in pairwise(sent)]
    assert all(0.019 < gap < 0.031 for gap in gaps)
    assert (fact.sent, fact.streams, fact.icmp, fact.stopped) == (5, (), None, "")
    assert 2.0 <= fact.waited_s < 2.3


async def test_the_first_voice_ends_the_sending_and_half_a_second_the_listening():
    fact, ctx = await tried(media_server(100))
    assert fact.sent == len(ctx.ports[0].sent) == 1
    (stream,) = fact.streams
    assert (stream.packets, stream.rising, stream.payload_type, stream.ssrc) == (25, 24, 8, 0xBEEF)
    assert stream.mean_gap_ms == pytest.approx(20.0, abs=0.5)
    assert fact.stopped == "enough-heard"
    assert fact.waited_s < 0.6
    assert CONTENT.hex() not in fact.model_dump_json()


async def test_a_server_that_wants_four_in_a_row_gets_them():
    fact, _ = await tried(media_server(10, after=4))
    assert fact.sent == 4
    assert fact.streams[0].packets == 10


async def test_an_echo_reports_and_strangers_are_no_voice():
    def network(payload: bytes, port: int, _: float):
        report = bytes.fromhex("80c80006") + bytes(24)
        return [
            (0.001, datagram(ADDRESS, port, payload)),
            (0.002, datagram(ADDRESS, port, report)),
            (0.003, datagram("203.0.113.9", port, voice(0))),
            (0.004, datagram(ADDRESS, port + 1, voice(0))),
            (0.005, datagram(ADDRESS, port, b"")),
        ]

    fact, _ = await tried(network)
    assert (fact.streams, fact.rtcp_packets, fact.other_packets) == ((), 5, 10)


async def test_a_closed_port_ends_it():
    fact, ctx = await tried(lambda _, port, __: [(0.001, port_unreachable(ADDRESS, port))])
    assert len(ctx.ports[0].sent) == 1
    assert fact.icmp is not None


async def test_many_streams_do_not_fill_the_record():
    def network(_: bytes, port: int, __: float):
        return [(0.001 * n, datagram(ADDRESS, port, voice(n, ssrc=n))) for n in range(1, 60)]

    fact, _ = await tried(network)
    assert len(fact.streams) == 8


async def test_nothing_is_sent_once_the_agreed_time_is_over():
    with pytest.raises(CannotLook) as caught:
        await tried(lambda *_: (), until_s=0.0)
    assert caught.value.reason == "outside-window"


async def test_the_agreed_time_may_end_in_the_middle():
    ctx_start_s = 1000.0
    fact, ctx = await tried(lambda *_: (), until_s=ctx_start_s + 0.03)
    assert fact.sent == len(ctx.ports[0].sent) == 2


def view(
    round_number: int = 3, *, intrusive: tuple[str, ...] = ("rtp-bleed",), call: AgreedCall | None = CALL
) -> PlanView:
    return PlanView(
        round=round_number,
        target=Target(host="flexi.example.test", test_call=call),
        addresses=tuple(TargetAddress(address=a, family=family_of(a)) for a in (ADDRESS, OTHER)),
        profile=load_profile(),
        depth="standard",
        seed=7,
        tasks={},
        seen={},
        options={"intrusive": intrusive, "run_clock": (STARTED, 500.0)},
    )


def test_only_what_was_agreed_on_is_planned():
    drafts = list(rtp_bleed.plan(view()))
    assert [(draft.address, draft.port) for draft in drafts] == [(ADDRESS, PORT), (ADDRESS, 40102)]
    assert len({draft.lane for draft in drafts}) == 1
    assert {draft.params["until_s"] for draft in drafts} == {500.0 + 3600}
    assert {draft.datagrams for draft in drafts} == {5}


@pytest.mark.parametrize(
    "other", [view(1), view(2), view(intrusive=()), view(call=None)], ids=["round-1", "round-2", "not-asked", "no-call"]
)
def test_otherwise_nothing_is_planned(other: PlanView):
    assert list(rtp_bleed.plan(other)) == []


def test_media_that_came_by_itself_makes_it_needless():
    sweep = Task(id="s", probe="rtp.sweep", host="h", role="rtp-sweep", address=ADDRESS, transport="udp", lane="l")
    fact = silent_sweep(media=(MediaSeen(port=PORT, packets=1),), stopped="media-seen")
    seen = Observation(id="s", started=STARTED, ended=STARTED, outcome=fact)
    asked = view()
    after = PlanView(
        round=3,
        target=asked.target,
        addresses=asked.addresses,
        profile=asked.profile,
        depth="standard",
        seed=7,
        tasks={"s": sweep},
        seen={"s": seen},
        options=asked.options,
    )
    assert list(rtp_bleed.plan(after)) == []
