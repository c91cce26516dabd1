"""Positive controls: connects that must be answered, before, during and after everything else at an address.

Silence proves nothing unless the same address answered before and after it. A control is a plain TCP connect that
is dropped at once; a reset counts as an answer, because somebody at that address spoke.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from flexiscan.engine.boundary import run_task
from flexiscan.engine.runtime import Runtime
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.facts import TcpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.net.link import NotConnected
from flexiscan.sdk import Context

HEARTBEAT_S = 5.0
"""Longest pause between two controls (a firewall that blocks in mid-scan looks like a drop rule)."""
CONNECT_TIMEOUT_S = 4.5
"""Covers the kernel's SYN retransmissions at 1, 2, 3 and 4 s (tcp_syn_linear_timeouts, Linux 6.5)."""


async def connect_control(context: Context, task: Task) -> TcpExchange:
    """One connect to the control port."""
    if task.address is None or task.port is None:
        raise ValueError(f"control task {task.id} has no endpoint")
    began = context.monotonic()
    link = await context.connect(task.address, task.port, timeout_s=CONNECT_TIMEOUT_S)
    if isinstance(link, NotConnected):
        return TcpExchange(connect=link.outcome, icmp=link.icmp, attempts=link.attempts, waited_s=link.waited_s)
    link.close()
    return TcpExchange(connect="accepted", attempts=link.attempts, waited_s=context.monotonic() - began)


@dataclass(slots=True)
class Controls:
    """The controls of all addresses of one host during one run."""

    runtime: Runtime
    target: Target
    addresses: tuple[TargetAddress, ...]
    ports: dict[str, int] = field(default_factory=dict)
    """The control port of each address: the first that answered."""
    count: dict[str, int] = field(default_factory=dict)
    under_way: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while heartbeats are under way."""

    async def before(self) -> None:
        """Find a port that answers at every address; nothing else may be sent to an address before this."""
        async with asyncio.TaskGroup() as group:
            for address in self.addresses:
                group.create_task(self._first(address.address))

    async def _first(self, address: str) -> None:
        for port in self._web_ports(address):
            observation = await self._beat(address, port)
            if answered(observation):
                # A port that accepts is the better control: a firewall that blocks can reset, but not accept.
                self.ports.setdefault(address, port)
            if accepted(observation):
                self.ports[address] = port
                return

    def _web_ports(self, address: str) -> Iterable[int]:
        """The ports to try, in order; none that the scope excludes."""
        ports = dict.fromkeys((self.target.https_port, self.target.http_port))
        return [port for port in ports if self.runtime.wall.permits(address, port, "tcp")]

    async def once(self) -> None:
        """One control at every address, side by side."""
        async with asyncio.TaskGroup() as group:
            for address in self.addresses:
                ports = [self.ports.get(address.address), *self._web_ports(address.address)]
                port = next((port for port in ports if port is not None), None)
                if port is not None:
                    group.create_task(self._beat(address.address, port))

    async def keep_beating(self) -> None:
        """Controls at all addresses that have a control port, until cancelled."""
        while True:
            await self.runtime.clock.sleep(HEARTBEAT_S)
            async with self.under_way, asyncio.TaskGroup() as group:
                for address, port in self.ports.items():
                    group.create_task(self._beat(address, port))

    async def stop_beating(self, beating: asyncio.Task[None]) -> None:
        """End `keep_beating`, but never in the middle of a control: one without an outcome counts as lost."""
        async with self.under_way:
            beating.cancel()

    async def _beat(self, address: str, port: int) -> Observation:
        number = self.count[address] = self.count.get(address, 0) + 1
        name = f"control/{self.target.host}/{address}/tcp/{port}/{number}"
        task = Task(
            id=name,
            probe="control",
            host=self.target.host,
            role="control",
            address=address,
            transport="tcp",
            port=port,
            lane=name,
            gate="control",
            deadline_s=CONNECT_TIMEOUT_S + 1,
        )
        self.runtime.journal.added(self.target.host, (task,))
        observation = await run_task(self.runtime, task, connect_control)
        self.runtime.journal.observed(self.target.host, observation)
        return observation


def answered(observation: Observation) -> bool:
    """Whether somebody at the address spoke."""
    outcome = observation.outcome
    return outcome.kind == "tcp" and outcome.connect in ("accepted", "reset")


def accepted(observation: Observation) -> bool:
    """Whether the connection was accepted."""
    outcome = observation.outcome
    return outcome.kind == "tcp" and outcome.connect == "accepted"
