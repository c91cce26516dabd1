from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan.model.plan import Gate
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import DNS_QPS, HTTP_CONNECTIONS, Pace
from tests.net.test_pace_gate import most_in_one_second
from tests.virtual_clock import VirtualClock, run_virtually

HOST = "flexi.example"
ADDRESS = "2001:db8::1"


class Crowd:
    """Turns at a gate, and how they ran."""

    def __init__(self, rates: Rates) -> None:
        self.clock = VirtualClock()
        self.pace = Pace(rates, self.clock)
        self.started: list[float] = []
        self.running = 0
        self.most_running = 0

    async def turn(self, gate: Gate, *, host: str = HOST, address: str | None = ADDRESS, lasts_s: float = 0.0) -> None:
        async with self.pace.turn(gate, host=host, address=address):
            self.started.append(self.clock.monotonic())
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            await asyncio.sleep(lasts_s)
            self.running -= 1


async def _gathered(crowd: Crowd, count: int, gate: Gate, lasts_s: float) -> Crowd:
    await asyncio.gather(*(crowd.turn(gate, lasts_s=lasts_s) for _ in range(count)))
    return crowd


@pytest.mark.parametrize(
    ("gate", "most"),
    [("http", HTTP_CONNECTIONS), ("tls", 4), ("tcp", 50), ("udp", 50), ("none", 100), ("dns", 50)],
)
def test_only_so_many_turns_at_once(gate: Gate, most: int) -> None:
    crowd = run_virtually(_gathered(Crowd(Rates()), 100, gate, 10.0))
    assert crowd.most_running == most
    assert len(crowd.started) == 100


@settings(deadline=None, max_examples=40)
@given(rate=st.integers(1, 100), count=st.integers(1, 60), lasts_s=st.floats(0, 2))
def test_requests_keep_their_rate_wherever_in_the_turn_they_leave(rate: int, count: int, lasts_s: float) -> None:
    async def run() -> tuple[list[float], list[float]]:
        crowd = Crowd(Rates(http_rps=rate))
        ended: list[float] = []

        async def one() -> None:
            await crowd.turn("http", lasts_s=lasts_s)
            ended.append(crowd.clock.monotonic())

        await asyncio.gather(*(one() for _ in range(count)))
        return crowd.started, ended

    for moments in run_virtually(run()):
        assert most_in_one_second(moments) <= rate


def test_dns_questions_keep_their_rate() -> None:
    crowd = run_virtually(_gathered(Crowd(Rates()), 3 * DNS_QPS, "dns", 0.0))
    assert most_in_one_second(crowd.started) <= DNS_QPS
    assert crowd.started[-1] < 4


def test_names_and_addresses_have_budgets_of_their_own() -> None:
    async def run() -> Crowd:
        crowd = Crowd(Rates(http_rps=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(crowd.turn("http", host="a.example"))
            group.create_task(crowd.turn("http", host="b.example"))
            group.create_task(crowd.turn("http", host="A.EXAMPLE"))
        return crowd

    started = run_virtually(run()).started
    assert started[:2] == [0.0, 0.0]
    assert started[2] > 1.0


def test_http_and_tls_together_stay_within_the_handshakes() -> None:
    async def run() -> Crowd:
        crowd = Crowd(Rates(tls_concurrency=3))
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(crowd.turn("tls", lasts_s=1.0))
                group.create_task(crowd.turn("http", lasts_s=1.0))
        return crowd

    assert run_virtually(run()).most_running == 3


def test_datagrams_and_syns_share_the_cap_of_an_address() -> None:
    async def run() -> list[float]:
        clock = VirtualClock()
        pace = Pace(Rates(udp_pps=10), clock)
        moments: list[float] = []

        async def datagram() -> None:
            (await pace.datagram(ADDRESS)).spend()
            moments.append(clock.monotonic())

        async def silent_connect() -> None:
            async with pace.syn("2001:DB8:0::1"):
                for _ in range(5):  # the SYN and the kernel's repetitions, never early
                    moments.append(clock.monotonic())
                    await asyncio.sleep(1.003)

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(silent_connect())
            for _ in range(60):
                group.create_task(datagram())
        return moments

    moments = run_virtually(run())
    assert len(moments) == 100
    assert most_in_one_second(moments) <= 10


def test_the_first_packet_is_paid_before_the_turn_begins() -> None:
    async def run() -> tuple[float, float]:
        clock = VirtualClock()
        pace = Pace(Rates(udp_pps=1), clock)
        (await pace.datagram(ADDRESS)).spend()
        async with pace.turn("tcp", host=HOST, address=ADDRESS):
            begun = clock.monotonic()
            async with pace.syn(ADDRESS):
                return begun, clock.monotonic()

    begun, sent = run_virtually(run())
    assert begun > 1.0
    assert sent == begun


def test_a_first_packet_that_was_not_sent_goes_to_the_next() -> None:
    async def run() -> float:
        clock = VirtualClock()
        pace = Pace(Rates(udp_pps=1), clock)
        for _ in range(10):
            async with pace.turn("udp", host=HOST, address=ADDRESS):
                pass
        (await pace.datagram(ADDRESS)).spend()
        return clock.monotonic()

    assert run_virtually(run()) < 0.1


def test_a_turn_pays_for_its_own_address_only() -> None:
    async def run() -> float:
        clock = VirtualClock()
        pace = Pace(Rates(udp_pps=1), clock)
        async with pace.turn("udp", host=HOST, address=ADDRESS):
            (await pace.datagram("192.0.2.1")).spend()
            (await pace.datagram("192.0.2.1")).spend()
        return clock.monotonic()

    assert run_virtually(run()) > 1.0


@settings(deadline=None, max_examples=40)
@given(
    fates=st.lists(
        st.tuples(st.sampled_from(("http", "tls", "tcp", "udp", "dns")), st.one_of(st.none(), st.floats(0, 3))),
        min_size=1,
        max_size=40,
    )
)
def test_cancelled_turns_leave_nothing_occupied(fates: list[tuple[Gate, float | None]]) -> None:
    async def run() -> float:
        crowd = Crowd(Rates(udp_pps=4, http_rps=2, tls_concurrency=2))
        loop = asyncio.get_running_loop()
        turns = []
        for gate, fate in fates:
            turn = asyncio.create_task(crowd.turn(gate, lasts_s=0.5))
            turns.append(turn)
            if fate is not None:
                loop.call_later(fate, turn.cancel)
        await asyncio.wait(turns)
        assert all(
            turn.cancelled() == (fate is not None) or turn.done() for turn, (_, fate) in zip(turns, fates, strict=True)
        )
        await asyncio.sleep(2.0)
        before_s = crowd.clock.monotonic()
        for gate in ("http", "tls", "tcp", "udp", "dns"):
            await crowd.turn(gate)
        return crowd.clock.monotonic() - before_s

    assert run_virtually(run()) < 3.0


def test_closing_the_pace_cancels_who_waits() -> None:
    async def run() -> bool:
        pace = Pace(Rates(udp_pps=1), VirtualClock())
        (await pace.datagram(ADDRESS)).spend()
        waiting = asyncio.create_task(pace.datagram(ADDRESS))
        await asyncio.sleep(0.1)
        await pace.aclose()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert run_virtually(run())


async def test_the_real_clock_is_the_systems() -> None:
    clock = Clock()
    assert clock.now().utcoffset() is not None
    assert abs(clock.monotonic() - time.monotonic()) < 1
    await clock.sleep(0)
