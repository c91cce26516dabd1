"""The pace of a run: nobody is asked more often than was agreed, whatever the order of the questions."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator
from functools import lru_cache

from flexiscan.model.plan import Gate as GateName
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace_gate import Gate, Permit, floor_s
from flexiscan.net.wall_address import read_literal

__all__ = ["DNS_QPS", "HTTP_CONNECTIONS", "Pace", "floor_s"]

HTTP_CONNECTIONS = 2
"""Connections with HTTP requests to one name at once (DESIGN, manners; IIS dynamic restrictions act on five)."""
DNS_QPS = 50
"""Questions a second to one DNS server; response rate limiting commonly starts at a few hundred."""
EXCHANGE_SHARE = 4
"""At most a quarter of an address's packet budget may be under way in exchanges that wait for an answer: silent
connects keep their permits, and a sweep must go on beside them."""


class _Prepaid:
    """The permit for the first packet of a turn, taken before the task's deadline begins to count."""

    def __init__(self, address: str, permit: Permit) -> None:
        self._address = address
        self._permit: Permit | None = permit

    def take(self, address: str) -> Permit | None:
        """The permit, once, when the packet goes to that address."""
        if address != self._address:
            return None
        permit, self._permit = self._permit, None
        return permit


_prepaid: contextvars.ContextVar[_Prepaid | None] = contextvars.ContextVar("flexiscan_prepaid", default=None)


class Pace:
    """Gates and slots for all hosts of a run.

    - packets (datagrams and SYNs): `udp_pps` for each address, retransmitted SYNs included;
    - HTTP: `http_rps` requests for each name, two connections at once;
    - TLS: `tls_concurrency` handshakes for each name at once. A turn at the HTTP gate may make a handshake too, so
      it takes one of these slots as well;
    - DNS: 50 questions a second for each server.
    """

    def __init__(self, rates: Rates, clock: Clock) -> None:
        self.rates = rates
        self._clock = clock
        self._gates: dict[tuple[str, str], Gate] = {}
        self._slots: dict[tuple[str, str], asyncio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def turn(self, gate: GateName, *, host: str, address: str | None = None) -> AsyncIterator[None]:
        """Wait until a task may begin, and hold its slots while it runs.

        `host` and `address` say whose budget it draws on. The first packet to `address` is paid for here.
        """
        async with contextlib.AsyncExitStack() as held:
            for name, key, size in self._slots_of(gate, host.lower(), address):
                await held.enter_async_context(self._slot(name, key, size))
            budget = self._budget_of(gate, host.lower(), address)
            if budget is not None:
                # Spent at the end: the question leaves at some moment of the turn, and the cap holds at each.
                held.callback((await budget.take()).spend)
            if gate != "none" and address is not None:
                await held.enter_async_context(self._prepay(_key(address)))
            yield

    def _slots_of(self, gate: GateName, host: str, address: str | None) -> list[tuple[str, str, int]]:
        """Name, owner and number of the slots, always in this order, so that no two turns wait for each other."""
        slots = []
        if gate == "http":
            slots.append(("http", host, HTTP_CONNECTIONS))
        if gate in ("http", "tls"):
            slots.append(("tls", host, self.rates.tls_concurrency))
        if gate in ("tcp", "udp"):
            slots.append((gate, _key(address or host), max(1, self.rates.udp_pps // EXCHANGE_SHARE)))
        return slots

    def _budget_of(self, gate: GateName, host: str, address: str | None) -> Gate | None:
        if gate == "http":
            return self._gate("http", host, self.rates.http_rps)
        return self._gate("dns", _key(address or host), DNS_QPS) if gate == "dns" else None

    @contextlib.asynccontextmanager
    async def _prepay(self, address: str) -> AsyncIterator[None]:
        prepaid = _Prepaid(address, await self._packet_gate(address).take())
        token = _prepaid.set(prepaid)
        try:
            yield
        finally:
            _prepaid.reset(token)
            unused = prepaid.take(address)
            if unused is not None:
                unused.give_back()

    async def datagram(self, address: str) -> Permit:
        """Wait until one datagram may go to the address; spend the permit when it has left."""
        return await self._packet(_key(address))

    @contextlib.asynccontextmanager
    async def syn(self, address: str) -> AsyncIterator[None]:
        """Wait until a SYN may go to the address; the body lasts as long as the kernel may repeat it."""
        permit = await self._packet(_key(address))
        try:
            yield
        finally:
            permit.spend()

    async def aclose(self) -> None:
        """Cancel whoever still waits."""
        for gate in self._gates.values():
            await gate.aclose()

    async def _packet(self, address: str) -> Permit:
        prepaid = _prepaid.get()
        permit = None if prepaid is None else prepaid.take(address)
        return permit or await self._packet_gate(address).take()

    def _packet_gate(self, address: str) -> Gate:
        return self._gate("packet", address, self.rates.udp_pps)

    def _gate(self, name: str, key: str, rate: int) -> Gate:
        if (name, key) not in self._gates:
            self._gates[name, key] = Gate(rate, self._clock)
        return self._gates[name, key]

    def _slot(self, name: str, key: str, size: int) -> asyncio.Semaphore:
        if (name, key) not in self._slots:
            self._slots[name, key] = asyncio.Semaphore(size)
        return self._slots[name, key]


@lru_cache(maxsize=4096)
def _key(address: str) -> str:
    """One key for all spellings of an address; names stay names."""
    literal = read_literal(address)
    return address.lower() if literal is None else str(literal)
