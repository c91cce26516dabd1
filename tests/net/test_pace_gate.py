from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan.net.pace_gate import Gate, Permit, burst_size, floor_s
from tests.virtual_clock import VirtualClock, run_virtually

unhurried = settings(deadline=None, max_examples=60)
"""The machine may be busy; only virtual time is judged."""


def most_in_one_second(times: list[float]) -> int:
    """Most moments in any closed window of one second."""
    ordered = sorted(times)
    return max((sum(1 for other in ordered if start <= other <= start + 1.0) for start in ordered), default=0)


async def _stamp(gate: Gate, clock: VirtualClock, times: list[float], delay_s: float = 0.0) -> None:
    permit = await gate.take()
    if delay_s:
        await asyncio.sleep(delay_s)
    times.append(clock.monotonic())
    permit.spend()


@unhurried
@given(rate=st.integers(1, 2000), count=st.integers(1, 300))
def test_no_second_holds_more_than_the_cap(rate: int, count: int) -> None:
    async def run() -> list[float]:
        clock = VirtualClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        await asyncio.gather(*(_stamp(gate, clock, times) for _ in range(count)))
        return times

    times = run_virtually(run())
    assert len(times) == count
    assert most_in_one_second(times) <= rate


@unhurried
@given(
    rate=st.integers(1, 60),
    arrivals=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1.5)), min_size=1, max_size=120),
)
def test_the_cap_holds_for_late_arrivals_and_late_senders(rate: int, arrivals: list[tuple[float, float]]) -> None:
    async def one(gate: Gate, clock: VirtualClock, times: list[float], arrival: tuple[float, float]) -> None:
        await asyncio.sleep(arrival[0])
        await _stamp(gate, clock, times, arrival[1])

    async def run() -> list[float]:
        clock = VirtualClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        await asyncio.gather(*(one(gate, clock, times, arrival) for arrival in arrivals))
        return times

    times = run_virtually(run())
    assert len(times) == len(arrivals)
    assert most_in_one_second(times) <= rate


@unhurried
@given(rate=st.integers(1, 2000), count=st.integers(1, 200))
def test_first_come_first_served(rate: int, count: int) -> None:
    async def one(gate: Gate, order: list[int], number: int) -> None:
        (await gate.take()).spend()
        order.append(number)

    async def run() -> list[int]:
        gate = Gate(rate, VirtualClock())
        order: list[int] = []
        await asyncio.gather(*(one(gate, order, number) for number in range(count)))
        return order

    assert run_virtually(run()) == list(range(count))


@unhurried
@given(
    rate=st.integers(1, 100),
    fates=st.lists(st.one_of(st.none(), st.floats(0, 4)), min_size=1, max_size=100),
)
def test_a_cancelled_waiter_costs_the_others_nothing(rate: int, fates: list[float | None]) -> None:
    """A fate is the moment of cancellation; None stays."""

    async def run() -> tuple[int, float]:
        clock = VirtualClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        waiters = [asyncio.create_task(_stamp(gate, clock, times)) for _ in fates]
        loop = asyncio.get_running_loop()
        for waiter, fate in zip(waiters, fates, strict=True):
            if fate is not None:
                loop.call_later(fate, waiter.cancel)
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)
        stayed = [outcome for outcome, fate in zip(outcomes, fates, strict=True) if fate is None]
        assert stayed == [None] * len(stayed)
        assert most_in_one_second(times) <= rate
        before = clock.monotonic()
        await _stamp(gate, clock, times)
        return len(times), clock.monotonic() - before

    count, wait_s = run_virtually(run())
    assert count >= 1
    assert wait_s <= 1.1  # no permit got lost on the way


def test_a_waiter_cancelled_in_the_very_step_of_its_call_lets_the_next_go() -> None:
    async def run() -> tuple[bool, float]:
        clock = VirtualClock()
        gate = Gate(1, clock)
        (await gate.take()).spend()
        first, second, third = [asyncio.create_task(gate.take()) for _ in range(3)]
        await asyncio.sleep(0)  # the first waits at the front, the others in line
        first.cancel()
        await asyncio.sleep(0)  # the first has called the second, which has not run yet
        second.cancel()
        (await third).spend()
        return second.cancelled(), clock.monotonic()

    was_cancelled, waited_s = run_virtually(run())
    assert was_cancelled
    assert waited_s == pytest.approx(1.025, abs=0.01)


def test_a_permit_given_back_is_had_at_once() -> None:
    async def run() -> float:
        clock = VirtualClock()
        gate = Gate(1, clock)
        kept = await gate.take()
        waiting = asyncio.create_task(gate.take())
        await asyncio.sleep(0.5)
        kept.give_back()
        await waiting
        return clock.monotonic()

    assert run_virtually(run()) == 0.5


def test_permits_that_are_there_are_had_without_a_turn_of_the_event_loop() -> None:
    async def run() -> int:
        gate = Gate(2000, VirtualClock())
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1

        asyncio.get_running_loop().call_soon(count)
        for _ in range(burst_size(2000)):
            (await gate.take()).spend()
        return turns

    assert run_virtually(run()) == 0


def test_the_cap_holds_however_long_a_packet_takes_to_leave() -> None:
    """Each packet leaves at some moment between its permit and the spending of it."""

    async def run() -> list[float]:
        clock = VirtualClock()
        gate = Gate(20, clock)
        left: list[float] = []
        chance = random.Random(5)

        async def one(leaves_s: float, tells_s: float) -> None:
            permit = await gate.take()
            await asyncio.sleep(leaves_s)
            left.append(clock.monotonic())
            await asyncio.sleep(tells_s)
            permit.spend()

        await asyncio.gather(*(one(chance.random(), chance.random()) for _ in range(200)))
        return left

    assert most_in_one_second(run_virtually(run())) <= 20


def test_a_permit_that_is_kept_weighs_as_a_packet_a_second() -> None:
    async def run() -> list[float]:
        clock = VirtualClock()
        gate = Gate(3, clock)
        kept = [await gate.take() for _ in range(2)]
        times: list[float] = []
        for _ in range(4):
            await _stamp(gate, clock, times)
        for permit in kept:
            permit.spend()
        return times

    times = run_virtually(run())
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == pytest.approx([1.025] * 3, abs=0.02)


def test_a_permit_settles_once() -> None:
    async def run() -> None:
        gate = Gate(1, VirtualClock())
        permit: Permit = await gate.take()
        permit.give_back()
        permit.spend()
        permit.give_back()
        (await gate.take()).spend()

    run_virtually(run())


def test_closing_cancels_the_queue() -> None:
    async def run() -> list[bool]:
        gate = Gate(1, VirtualClock())
        (await gate.take()).spend()
        waiters = [asyncio.create_task(gate.take()) for _ in range(3)]
        await asyncio.sleep(0)
        await gate.aclose()
        await asyncio.wait(waiters)
        return [waiter.cancelled() for waiter in waiters]

    assert run_virtually(run()) == [True] * 3


@unhurried
@given(rate=st.integers(1, 2000), count=st.integers(1, 400))
def test_the_floor_is_a_floor_and_close(rate: int, count: int) -> None:
    async def run() -> float:
        clock = VirtualClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        await asyncio.gather(*(_stamp(gate, clock, times) for _ in range(count)))
        return times[-1]

    took_s = run_virtually(run())
    assert floor_s(count, rate) - 1e-6 <= took_s
    assert took_s <= floor_s(count, rate) * 1.12 + 0.05


@unhurried
@given(rate=st.integers(1, 2000))
def test_a_burst_is_a_small_part_of_a_second(rate: int) -> None:
    async def run() -> list[float]:
        clock = VirtualClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        await asyncio.gather(*(_stamp(gate, clock, times) for _ in range(rate)))
        return times

    times = run_virtually(run())
    assert max(Counter(times).values()) <= max(1, rate / 20)


def test_nothing_takes_no_time() -> None:
    assert floor_s(0, 10) == 0.0
    assert floor_s(1, 10) == 0.0
