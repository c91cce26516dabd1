"""An in-memory twin of single SYNs and connects, for sweeps: a world that answers by port, number and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from flexiscan.model.endpoint import family_of
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import NO_LIMIT, Hops, Knock, KnockPort, NotConnected
from tests.probes.twin import TwinConnection, TwinContext, VirtualClock

Outcome = Literal["accepted", "reset", "icmp", "silence"]
World = Callable[[int, int, float], "Outcome | IcmpError"]
"""What a SYN meets: port, how many SYNs this port got before, and seconds since the beginning."""


class TwinKnockPort:
    """Answers at once; every SYN moves the clock by the pace."""

    def __init__(self, address: str, context: SweepContext) -> None:
        self.address = address
        self.syns = 0
        self._context = context
        self._answers: list[Knock] = []

    async def send(self, port: int) -> None:
        self.syns += 1
        met = self._context.meet(port)
        icmp = met if isinstance(met, IcmpError) else None
        self._answers.append(Knock(port, "icmp" if isinstance(met, IcmpError) else met, icmp, 0.0))

    def take(self) -> list[Knock]:
        taken, self._answers = self._answers, []
        return taken

    async def settle(self) -> None:
        return None

    def close(self) -> None:
        return None

    async def __aenter__(self) -> TwinKnockPort:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class SweepContext(TwinContext):
    """A context whose SYNs all meet the same world."""

    def __init__(self, world: World, *, pps: float = 2000.0) -> None:
        super().__init__(clock=VirtualClock())
        self.world = world
        self.met: Counter[int] = Counter()
        self._began_s = self.clock.now_s
        self._pause_s = 1 / pps

    def meet(self, port: int) -> Outcome | IcmpError:
        self.clock.now_s += self._pause_s
        number, self.met[port] = self.met[port], self.met[port] + 1
        return self.world(port, number, self.clock.now_s - self._began_s)

    def knocks(self, address: str) -> KnockPort:
        return TwinKnockPort(address, self)

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> TwinConnection | NotConnected:
        """A connect repeats its SYN every second, as the kernel does."""
        for _ in range(int(timeout_s) + 1):
            met = self.meet(port)
            if met == "accepted":
                return TwinConnection(self.clock, lambda _: [])
            if met != "silence":
                icmp = met if isinstance(met, IcmpError) else None
                return NotConnected("icmp" if icmp else "reset", icmp, 1, 0.0)
        return NotConnected("silence", None, 1, timeout_s)


def prohibited(address: str) -> IcmpError:
    numbers = (3, 13) if family_of(address) == "ipv4" else (1, 1)
    return IcmpError(family=family_of(address), icmp_type=numbers[0], code=numbers[1], offender="198.51.100.1")


def host_unreachable(address: str) -> IcmpError:
    numbers = (3, 1) if family_of(address) == "ipv4" else (1, 3)
    return IcmpError(family=family_of(address), icmp_type=numbers[0], code=numbers[1], offender="198.51.100.1")
