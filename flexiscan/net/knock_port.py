"""Single SYNs to many ports of one address, side by side: what a sweep of all ports is made of.

A connect that is given up before the kernel's first repetition of the SYN, one second after it (RFC 6298 2.1), sends
exactly one packet. So its permit is spent when it leaves, and nothing is held while the answer is waited for. All
sockets wait in one epoll set, which is the only descriptor that the event loop watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
from collections import deque
from dataclasses import dataclass
from typing import Final

from flexiscan.net.byte_stream import abort
from flexiscan.net.clock import Clock
from flexiscan.net.descriptors import spare_descriptors
from flexiscan.net.error_queue import IS_AVAILABLE
from flexiscan.net.handshake import Accepted, Refused, fate_of, has_met_itself, open_stream
from flexiscan.net.link import CannotLook, Knock
from flexiscan.net.obstacle import obstacle_of
from flexiscan.net.pace import Pace
from flexiscan.net.reach import source_address
from flexiscan.net.wall import ScopeWall

ANSWER_WAIT_S: Final = 0.8
"""A fifth of a second before the kernel repeats the SYN: a busy event loop may close the socket late."""
REPEATED_AFTER_S: Final = 0.99
"""Whoever was closed later than this has sent a second SYN, which is paid for then (its timer never runs early)."""
SHARES: Final = 4
"""Of the spare descriptors one sweep takes a fourth: the addresses of a name are swept side by side."""
_FULL_WAIT_S: Final = 0.05
_ROOM_TRIES: Final = 40
"""Two seconds, in which everything that is under way ends."""
_EVENTS: Final = 1024
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN)


@dataclass(slots=True)
class _Pending:
    """One SYN under way."""

    sock: socket.socket
    port: int
    sent_s: float


class KnockPort:
    """Sends SYNs to one address only. Implements the probe contract's KnockPort.

    Make it with `open_knocks`, inside a running event loop.
    """

    def __init__(self, address: str, *, pace: Pace, wall: ScopeWall, clock: Clock, most_open: int) -> None:
        self.address = address
        self.syns = 0
        self._pace = pace
        self._wall = wall
        self._clock = clock
        self._most_open = most_open
        self._pending: dict[int, _Pending] = {}
        """By descriptor, the oldest first."""
        self._answers: list[Knock] = []
        self._failed: CannotLook | None = None
        self._debts: deque[None] = deque()
        self._changed = asyncio.Event()
        self._epoll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._take_events)

    @property
    def under_way(self) -> int:
        """SYNs that nobody has answered yet and that are not given up."""
        return len(self._pending)

    async def send(self, port: int) -> None:
        """Wait for the pace, then send one SYN. Raises CannotLook when the scope or this machine refuses."""
        while len(self._pending) >= self._most_open:
            await self._wait_for_change(_FULL_WAIT_S)
        while self._debts:
            self._debts.popleft()
            (await self._pace.datagram(self.address)).spend()
        self._raise_failure()
        permit = await self._pace.datagram(self.address)
        try:
            self._wall.check(self.address, port, "tcp")
            await self._connect(port)
        except OSError as error:
            raise obstacle_of(error, self.address) from error
        finally:
            permit.spend()
        self._give_up_old()

    async def _connect(self, port: int) -> None:
        for tries_left in reversed(range(_ROOM_TRIES)):
            try:
                sock = self._start(port)
            except OSError as error:
                if error.errno not in _NO_ROOM or not tries_left:
                    raise
                await self._wait_for_change(_FULL_WAIT_S)
            else:
                self.syns += 1
                self._pending[sock.fileno()] = _Pending(sock, port, self._clock.monotonic())
                self._epoll.register(sock.fileno(), select.EPOLLOUT | select.EPOLLIN)
                return

    def _start(self, port: int) -> socket.socket:
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(open_stream(self.address))
            with contextlib.suppress(BlockingIOError):
                sock.connect((self.address, port))
            undo.pop_all()
            return sock

    async def settle(self) -> None:
        """Wait until every SYN is answered or given up."""
        while self._pending:
            await self._wait_for_change(_FULL_WAIT_S)
        self._raise_failure()

    def take(self) -> list[Knock]:
        """What has become of SYNs since the last call. Raises CannotLook when this machine itself refused one."""
        self._take_events()
        self._give_up_old()
        self._raise_failure()
        taken, self._answers = self._answers, []
        return taken

    def close(self) -> None:
        """Drop everything that is under way; calling it again does nothing."""
        if self._epoll.closed:
            return
        self._loop.remove_reader(self._epoll.fileno())
        for pending in self._pending.values():
            pending.sock.close()
        self._pending.clear()
        self._epoll.close()

    def _take_events(self) -> None:
        if self._epoll.closed:
            return
        for descriptor, _ in self._epoll.poll(0, _EVENTS):
            pending = self._pending.get(descriptor)
            if pending is not None:
                self._look_at(pending)
        self._changed.set()

    def _look_at(self, pending: _Pending) -> None:
        try:
            fate = fate_of(pending.sock, self.address)
        except CannotLook as obstacle:
            self._fail(obstacle)
            fate = Refused("silence")
        except OSError as error:
            self._fail(obstacle_of(error, self.address))
            fate = Refused("silence")
        if isinstance(fate, Accepted):
            fate = Refused("reset") if has_met_itself(pending.sock) else fate
        if fate is not None:
            self._end(pending, fate)

    def _end(self, pending: _Pending, fate: Accepted | Refused) -> None:
        """Note the answer; an accepted connection is dropped at once, with a reset."""
        now_s = self._clock.monotonic()
        if now_s - pending.sent_s > REPEATED_AFTER_S:
            self._debts.append(None)
        del self._pending[pending.sock.fileno()]
        abort(pending.sock)
        if isinstance(fate, Accepted):
            self._answers.append(Knock(pending.port, "accepted", None, now_s - pending.sent_s))
        else:
            self._answers.append(Knock(pending.port, fate.outcome, fate.icmp, now_s - pending.sent_s))

    def _give_up_old(self) -> None:
        """Those that waited long enough are silent; what the system has told meanwhile counts first."""
        latest_s = self._clock.monotonic() - ANSWER_WAIT_S
        while self._pending:
            oldest = next(iter(self._pending.values()))
            if oldest.sent_s > latest_s:
                return
            self._look_at(oldest)
            if self._pending.get(oldest.sock.fileno()) is oldest:
                self._end(oldest, Refused("silence"))

    async def _wait_for_change(self, timeout_s: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        self._give_up_old()

    def _fail(self, obstacle: CannotLook) -> None:
        self._failed = self._failed or obstacle

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def __aenter__(self) -> KnockPort:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def open_knocks(address: str, *, pace: Pace, wall: ScopeWall, clock: Clock) -> KnockPort:
    """SYNs for one literal address. Raises CannotLook where there is no way to it, or not on this system."""
    if not IS_AVAILABLE:
        raise CannotLook("no-privilege", "sweeping TCP ports needs Linux: no other system tells resets from silence")
    if source_address(address) is None:
        raise CannotLook("no-route", f"no route or no source address towards {address}")
    most_open = max(1, spare_descriptors() // SHARES)
    return KnockPort(address, pace=pace, wall=wall, clock=clock, most_open=most_open)
