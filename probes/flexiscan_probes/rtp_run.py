"""The steps of one sweep over the media range, and how far they came.

Edges first, then ports outside the range for comparison, then everything in random order, and the silent ports again.
Where a router in front of the server speaks, the second pass and a third end there: what the filter lets through is
then seen although the server is silent, and no datagram reaches a call.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import PathTrial, SweepPort
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import has_expired_silently, reply_distance
from flexiscan.sdk import CannotLook, Context
from flexiscan_probes.path_trial import Yardstick, try_batch
from flexiscan_probes.rtp_sweep import FEW_SILENT, REFILL_S, RangeSweep, reordered

PASSES: Final = 2
EDGES: Final = 4
EDGE_WAIT_S: Final = 0.5
EXTENT_S: Final = 5.0
"""How long the sweep goes on once it is decided, to show how much is let through."""
NEAR_PORTS: Final = 16
NEAR_PASSES: Final = 2


@dataclass(slots=True)
class SweepRun:
    """Everything about one sweep of one address."""

    ctx: Context
    sweep: RangeSweep
    sample: tuple[int, ...]
    """The edges, then the rest."""
    canaries: tuple[int, ...]
    chance: random.Random
    yardstick: Yardstick | None
    passes: int = 0
    near_passes: int = 0
    before: tuple[SweepPort, ...] = ()
    after: tuple[SweepPort, ...] = ()
    near_range: list[PathTrial] = field(default_factory=list)
    near_canaries: list[PathTrial] = field(default_factory=list)
    decided_at_s: float | None = None

    async def carry_out(self) -> bool:
        """All steps. True when sending was refused half-way: what was seen until then stands.

        Raises CannotLook when it was refused before anything came back.
        """
        try:
            await self._steps()
        except CannotLook:
            if not self.sweep.icmp and not self.sweep.data:
                raise
            return True
        return False

    def is_over(self) -> bool:
        """Whether nothing more is to be sent: media has come, or it is decided and shown for long enough."""
        if self.sweep.media_seen:
            return True
        errors, self.sweep.fresh = self.sweep.fresh, []
        if self.decided_at_s is None:
            answered = any(self._is_the_server(port, icmp) for port, icmp in errors)
            came_through = bool(self.sweep.expired) and self._near_tells()
            if answered or came_through:
                self.decided_at_s = self.ctx.monotonic()
        return self.decided_at_s is not None and self.ctx.monotonic() - self.decided_at_s >= EXTENT_S

    @property
    def decided_after_s(self) -> float | None:
        """From the first datagram to the first answer of the server itself about a port of the range."""
        first_s = self.sweep.first_sent_s
        return None if self.decided_at_s is None or first_s is None else self.decided_at_s - first_s

    async def _steps(self) -> None:
        refill_s = REFILL_S[family_of(self.sweep.link.address)]
        await self.sweep.ask(self.sample[:EDGES], enough=self.is_over, wait_s=EDGE_WAIT_S)
        if self.is_over():
            return
        if self.sweep.icmp and self.decided_at_s is None:
            await self.sweep.listen(refill_s)
        answering = await self._compare(refill_s) if self.decided_at_s is None else []
        await self._try_near()
        await self._pass(self.sample[EDGES:])
        if self._near_tells():
            await self._near_passes()
        while self._worth_another_pass():
            await self._pass(reordered(self.sweep.silent(self.sample), self.chance))
        if answering and not self.is_over():
            self.after = await self.sweep.compare(answering)

    async def _compare(self, refill_s: float) -> list[int]:
        """Ask the ports outside the range; those that answered."""
        self.before = await self.sweep.compare(self.canaries)
        answering = [canary.port for canary in self.before if canary.reply != "silence"]
        if answering:
            await self.sweep.listen(refill_s)
        return answering

    async def _try_near(self) -> None:
        """Do datagrams come as far as the last router in front of the server? Ports outside the range first."""
        if self.yardstick is None or self.decided_at_s is not None or self.is_over():
            return
        inside = self.sample[:NEAR_PORTS]
        for ports, trials in ((self.canaries, self.near_canaries), (inside, self.near_range)):
            if not self.is_over():
                trials.append(await self._near_batch(ports, self.yardstick))

    async def _near_batch(self, ports: Sequence[int], yardstick: Yardstick) -> PathTrial:
        self.sweep.near.update(ports)
        self.sweep.datagrams += len(ports)
        return await try_batch(
            self.ctx,
            self.sweep.link,
            self.sweep.hear,
            payloads=dict.fromkeys(reordered(ports, self.chance), self.sweep.payload),
            hop_limit=yardstick.hop_limit,
            guide_port=yardstick.guide_port,
        )

    def _near_tells(self) -> bool:
        """Whether a filter stands before that router: its silence about other ports then means something."""
        return has_expired_silently(self.near_canaries)

    def _worth_another_pass(self) -> bool:
        silent = 0 if self.is_over() else len(self.sweep.silent(self.sample))
        if self.passes < PASSES:
            return silent > 0 and self.decided_at_s is None
        return self.passes == PASSES and 0 < silent <= FEW_SILENT * len(self.sample)

    async def _pass(self, ports: Sequence[int], *, hop_limit: int | None = None) -> None:
        if self.is_over():
            return
        self.passes += 1
        await self.sweep.ask(ports, hop_limit=hop_limit, enough=self.is_over)

    async def _near_passes(self) -> None:
        """Two, because a datagram or its answer may be lost; then the comparison again."""
        for _ in range(NEAR_PASSES):
            if self.yardstick is None or self.is_over():
                return
            quiet = [port for port in self.sweep.silent(self.sample) if port not in self.sweep.expired]
            await self._pass(reordered(quiet, self.chance), hop_limit=self.yardstick.hop_limit)
            self.near_passes += 1
        await self._try_near()

    def _is_the_server(self, port: int, icmp: IcmpError) -> bool:
        """Port unreachable in the target's name, unless its sender is nearer than the server is known to be."""
        if port in self.canaries or icmp.meaning != "port-unreachable":
            return False
        if ip_address(icmp.offender) != ip_address(self.sweep.link.address):
            return False
        own = None if self.yardstick is None else self.yardstick.server_routers
        distance = reply_distance(icmp.hop_limit)
        return own is None or distance is None or distance >= own
