"""One gate: permits at a capped rate, first come, first served.

`asyncio_throttle.Throttler` used plainly lets a whole second's budget out within milliseconds, overtakes, and polls
once per waiter. Here it only spaces bursts; callers stand in a line, and only the first of them asks it. A permit
that can be had at once is had without a turn of the event loop. What holds the cap is the count of the last second.
"""

from __future__ import annotations

import asyncio
from collections import deque

from asyncio_throttle.throttler import Throttler

from flexiscan.net.clock import Clock

WINDOW_S = 1.025
"""The second in which the cap holds, made 2.5 % longer: what the kernel delays by up to 25 ms must not bring more
packets than the cap into any one second of a packet capture."""
BURSTS_PER_SECOND = 20
"""A burst is a twentieth of a second's budget: routers drop, and targets stop answering, on larger ones."""
_SPACING_S = 0.95
"""In which time a second's bursts may follow each other: a timer that strikes late is made up for, and no more."""
_RETRY_S = 0.001
_MIN_WAIT_S = 0.002
"""Room for several permits comes back in that time; waking for each of them would cost more than it gains."""


def burst_size(rate: int) -> int:
    """How many permits may be given at once."""
    return max(1, rate // BURSTS_PER_SECOND)


def period_s(rate: int) -> float:
    """How far apart two bursts are at least."""
    return _SPACING_S / (rate // burst_size(rate))


def floor_s(count: int, rate: int) -> float:
    """The shortest time in which `count` permits can be had at `rate` per second."""
    if count <= 0:
        return 0.0
    windows, rest = divmod(count - 1, rate)
    return windows * WINDOW_S + rest // burst_size(rate) * period_s(rate)


class Permit:
    """The right to send one packet, or one packet a second for as long as it is kept.

    Spend it when the packet has left, not before: then the cap holds however long that took. Kept unspent it weighs as
    a packet that is about to leave: that is how the retransmissions of a SYN are paid for: the kernel repeats it no
    sooner than after a second (RFC 6298 2.1; its timers never run early, measured 1.004 to 1.039 s).
    """

    __slots__ = ("_gate", "_state")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._state = "held"

    def spend(self) -> None:
        """The packet has left. Later calls do nothing."""
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
        self._period_s = period_s(rate)
        size = burst_size(rate)
        self._throttler = Throttler(rate_limit=size, period=self._period_s, retry_interval=_RETRY_S)
        self._burst: deque[float] = deque(maxlen=size)
        """When the throttler gave its last permits."""
        self._spent_at: deque[float] = deque()
        self._held = 0
        self._spare = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._is_asked = False
        """Whether somebody stands at the front of the line."""
        self._pause: asyncio.Future[None] | None = None

    async def take(self) -> Permit:
        """Wait in line for a permit. A caller that is cancelled costs the others nothing."""
        if self._is_asked:
            await self._come_to_the_front()
        self._is_asked = True
        try:
            await self._next_of_burst()
            try:
                await self._room()
            except asyncio.CancelledError:
                self._spare += 1
                raise
            self._held += 1
        finally:
            self._call_next()
        return Permit(self)

    async def aclose(self) -> None:
        """Cancel whoever still waits."""
        for turn in self._line:
            turn.cancel()
        if self._pause is not None:
            self._pause.cancel()
        await asyncio.sleep(0)

    def _settle(self, *, spent: bool) -> None:
        self._held -= 1
        if spent:
            self._spent_at.append(self._clock.monotonic())
        else:
            self._spare += 1
        if self._pause is not None:
            _end(self._pause)

    async def _come_to_the_front(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._call_next()
            raise

    def _call_next(self) -> None:
        """Whoever is called keeps the front: nobody overtakes before it runs."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_asked = False

    async def _next_of_burst(self) -> None:
        """A permit that was given back, or the throttler's next."""
        while not self._spare:
            burst = self._burst
            is_full = len(burst) == burst.maxlen
            wait_s = burst[0] + self._period_s - self._clock.monotonic() if is_full else 0.0
            if wait_s > 0.0:
                await self._wait(wait_s)
            else:
                await self._throttler.acquire()  # type: ignore[no-untyped-call]
                burst.append(self._clock.monotonic())
                return
        self._spare -= 1

    async def _room(self) -> None:
        """Wait until one more packet keeps the last second, with all permits that are held, within the cap."""
        spent_at = self._spent_at
        while True:
            now = self._clock.monotonic()
            while spent_at and now - spent_at[0] > WINDOW_S:
                spent_at.popleft()
            if len(spent_at) + self._held < self.rate:
                return
            await self._wait(spent_at[0] + WINDOW_S - now if spent_at else None)

    async def _wait(self, wait_s: float | None) -> None:
        """Until the time has passed, or a permit was settled."""
        loop = asyncio.get_running_loop()
        self._pause = pause = loop.create_future()
        timer = None if wait_s is None else loop.call_later(max(_MIN_WAIT_S, wait_s), _end, pause)
        try:
            await pause
        finally:
            self._pause = None
            if timer is not None:
                timer.cancel()


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
