"""What a running task gets to see of the network."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.facts_raw import IcmpCapture, SynProbe
from flexiscan.net import datagram, dial, knock_port, worker
from flexiscan.net.clock import Clock
from flexiscan.net.connected_ports import ConnectedPorts
from flexiscan.net.datagram import UdpPort
from flexiscan.net.dial import StreamConnection
from flexiscan.net.hop_limits import NO_LIMIT, Hops
from flexiscan.net.knock_port import KnockPort
from flexiscan.net.link import CannotLook, NotConnected
from flexiscan.net.pace import Pace
from flexiscan.net.raw.ask import ask_half_open
from flexiscan.net.raw.link import RawLink
from flexiscan.net.wall import ScopeWall


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The probe contract's Context over real sockets. Everything goes through the pace and the wall given here."""

    run_id: str
    user_agent: str
    random: random.Random
    clock: Clock
    pace: Pace
    wall: ScopeWall
    host: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    raw: RawLink | None = None
    """None: a run without raw sockets."""

    def monotonic(self) -> float:
        """Seconds on the run's clock."""
        return self.clock.monotonic()

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> StreamConnection | NotConnected:
        """A TCP connection to exactly this address. Raises CannotLook for everything local."""
        return await dial.connect(
            address,
            port,
            timeout_s=timeout_s,
            attempts=attempts,
            hops=hops,
            source=source,
            pace=self.pace,
            wall=self.wall,
        )

    def datagrams(self, address: str) -> UdpPort | ConnectedPorts:
        """A UDP socket that can reach this address and nothing else. Raises CannotLook."""
        return datagram.open_port(address, pace=self.pace, wall=self.wall, clock=self.clock)

    async def half_open(self, address: str, port: int) -> SynProbe:
        """SYNs to one port without a connection. Raises CannotLook, also in a run without raw sockets."""
        return await ask_half_open(self._raw(), address, port, pace=self.pace, wall=self.wall, clock=self.clock)

    async def icmp_errors(self, address: str) -> IcmpCapture:
        """Every ICMP error so far about packets to an address. Raises CannotLook, as `half_open` does."""
        return await self._raw().icmp_errors(address)

    def _raw(self) -> RawLink:
        if self.raw is None:
            raise CannotLook("no-privilege", "this run has no raw sockets (--raw)")
        return self.raw

    def knocks(self, address: str) -> KnockPort:
        """Single SYNs to ports of this address and nothing else. Raises CannotLook."""
        return knock_port.open_knocks(address, pace=self.pace, wall=self.wall, clock=self.clock)

    async def ask_worker(self, module: str, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Run `python -m module` behind the same wall. Raises CannotLook when no answer came."""
        return await worker.ask_worker(module, request, timeout_s=timeout_s, wall=self.wall)
