"""One gate: permits at a capped rate, first come, first served.

`asyncio_throttle.Throttler` used plainly lets a whole second's budget out within milliseconds, overtakes, and polls
once per waiter. Here one dispatcher is its only customer, over short periods, and callers wait in a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque

from asyncio_throttle.throttler import Throttler

from flexiscan.net.clock import Clock

WINDOW_S = 1.025
"""The second in which the cap holds, made 2.5 % longer: what a busy event loop or the kernel delays by up to 25 ms
must not bring more packets than the cap into any one second of a packet capture."""
PERIODS_PER_SECOND = 20
"""A burst is a twentieth of a second's budget: routers drop, and targets stop answering, on larger ones."""
POLLS_PER_PERIOD = 16
MAX_POLL_S = 0.01
MIN_WAIT_S = 0.001
"""Shorter waits could round to none at all."""


def burst_size(rate: int) -> int:
    """How many permits may be given at once."""
    return max(1, rate // PERIODS_PER_SECOND)


def period_s(rate: int) -> float:
    """How far apart two bursts are: so that whole bursts within one second never add up to more than the rate."""
    return WINDOW_S / (rate // burst_size(rate))


def floor_s(count: int, rate: int) -> float:
    """The shortest time in which `count` permits can be had at `rate` per second."""
    if count <= 0:
        return 0.0
    return (math.ceil(count / burst_size(rate)) - 1) * period_s(rate)


class Permit:
    """The right to send one packet, or one packet a second for as long as it is kept.

    Spend it when the packet leaves. Kept unspent it weighs as a packet that is about to leave: that is how the
    retransmissions of a SYN are paid for: the kernel repeats it no sooner than after a second (RFC 6298 2.1; its
    timers never run early, measured 1.004 to 1.039 s).
    """

    __slots__ = ("_gate", "_state")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._state = "held"

    def spend(self) -> None:
        """The packet leaves now. Later calls do nothing."""
        if self._state == "held":
            self._state = "spent"
            self._gate._settle(spent=True)

    def give_back(self) -> None:
        """No packet leaves: the next in the queue may have it. Later calls do nothing."""
        if self._state == "held":
            self._state = "returned"
            self._gate._settle(spent=False)


class Gate:
    """At most `rate` permits in any one second. Needs no closing while nobody waits."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        period = period_s(rate)
        poll_s = min(MAX_POLL_S, period / POLLS_PER_PERIOD)
        self._throttler = Throttler(rate_limit=burst_size(rate), period=period, retry_interval=poll_s)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._spent_at: deque[float] = deque()
        self._held = 0
        self._spare = 0
        self._changed = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None

    async def take(self) -> Permit:
        """Wait in the queue for a permit. A caller that is cancelled costs the others nothing."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._settle(spent=False)
            raise
        return Permit(self)

    async def aclose(self) -> None:
        """Cancel whoever still waits and end the dispatcher."""
        for turn in self._waiting:
            turn.cancel()
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            await asyncio.wait({self._dispatcher})

    def _settle(self, *, spent: bool) -> None:
        if not spent and self._forget_cancelled():
            self._waiting.popleft().set_result(None)
            return
        self._held -= 1
        if spent:
            self._spent_at.append(self._clock.monotonic())
        else:
            self._spare += 1
        self._changed.set()

    def _forget_cancelled(self) -> bool:
        """Whether somebody still waits."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return bool(self._waiting)

    async def _dispatch(self) -> None:
        while self._forget_cancelled():
            if self._spare:
                self._spare -= 1
            else:
                await self._throttler.acquire()  # type: ignore[no-untyped-call]
            await self._room()
            if not self._forget_cancelled():
                self._spare += 1
                break
            self._held += 1
            self._waiting.popleft().set_result(None)

    async def _room(self) -> None:
        """Wait until one more packet keeps the last second, with all permits that are held, within the cap."""
        while True:
            self._changed.clear()
            now = self._clock.monotonic()
            while self._spent_at and now - self._spent_at[0] > WINDOW_S:
                self._spent_at.popleft()
            if len(self._spent_at) + self._held < self.rate:
                return
            delay_s = max(MIN_WAIT_S, self._spent_at[0] + WINDOW_S - now) if self._spent_at else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._changed.wait()
