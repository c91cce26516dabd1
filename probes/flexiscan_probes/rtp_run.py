"""The steps of one sweep over the media range, and how far they came.

Edges first, then ports outside the range for comparison, then everything in random order, and the silent ports again.
Where a router in front of the server speaks, the second pass and a third end there: what the filter lets through is
then seen although the server is silent, and no datagram reaches a call.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from typing import Final

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import SweepPort
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import reply_distance
from flexiscan.sdk import CannotLook, Context
from flexiscan_probes.near_search import EXTENT_S, NearSearch
from flexiscan_probes.path_trial import REFILL_S
from flexiscan_probes.rtp_sweep import FEW_SILENT, RangeSweep, reordered

PASSES: Final = 2
EXACT_PASSES: Final = 3
"""Where no ICMP limit bites: a port that was silent three times is a hole."""
MOST_PASSES: Final = 8
"""For the few that are silent among answering ones: losses must not make holes of them."""
EDGES: Final = 4
EDGE_WAIT_S: Final = 0.5
ASKED_AGAIN: Final = 64
"""Ports that have answered, asked again among those that have not, when silence is to mean something: were they
silent as often, it would mean loss or a limit."""


@dataclass(slots=True)
class SweepRun:
    """Everything about one sweep of one address."""

    ctx: Context
    sweep: RangeSweep
    sample: tuple[int, ...]
    """The edges, then the rest."""
    canaries: tuple[int, ...]
    chance: random.Random
    near: NearSearch | None = None
    """None where no router before the server speaks."""
    ends_s: float = inf
    """When to stop, on the run's clock, so that what was seen until then can be told."""
    passes: int = 0
    """At full length."""
    before: tuple[SweepPort, ...] = ()
    after: tuple[SweepPort, ...] = ()
    decided_at_s: float | None = None

    async def carry_out(self) -> bool:
        """All steps. True when sending was refused half-way: what was seen until then stands.

        Raises CannotLook when it was refused before anything came back.
        """
        try:
            await self._steps()
        except CannotLook:
            if not self.sweep.icmp and not self.sweep.data and not self.sweep.expired:
                raise
            return True
        return False

    def is_over(self) -> bool:
        """Whether nothing more is to be sent: media has come, time is up, or it is decided and shown long enough."""
        if self.sweep.media_seen or self.out_of_time:
            return True
        errors, self.sweep.fresh = self.sweep.fresh, []
        if self.decided_at_s is None:
            answered = any(self._is_the_server(port, icmp) for port, icmp in errors)
            if answered or (self.near is not None and self.near.came_through):
                self.decided_at_s = self.ctx.monotonic()
        if self.decided_at_s is None or self.is_exact:
            return False
        return self.ctx.monotonic() - self.decided_at_s >= EXTENT_S

    @property
    def is_exact(self) -> bool:
        """Whether no ICMP limit bites, so that every port can be told."""
        return self.sweep.sources is not None and self.sweep.sources.in_use

    @property
    def out_of_time(self) -> bool:
        """Whether the time for the sweep is used up."""
        return self.ctx.monotonic() >= self.ends_s

    @property
    def all_passes(self) -> int:
        """At full length and to the last router."""
        return self.passes + (0 if self.near is None else self.near.passes)

    @property
    def decided_after_s(self) -> float | None:
        """From the first datagram to the sign that decided."""
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
        if self.near is not None and self.decided_at_s is None and not self.is_over():
            await self.near.compare()
        await self._sweep_all()
        if answering and not self.is_over():
            self.after = await self.sweep.compare(answering)
        if self.sweep.sources is not None and not self.sweep.media_seen:
            await self.sweep.sources.end()

    async def _sweep_all(self) -> None:
        """Everything once, as far as the last router where that tells anything, and the silent ports again."""
        near = self.near
        if near is None or not near.came_through:
            await self._pass(self.sample[EDGES:])
        if near is not None and not self.is_over():
            await near.search(self.is_over)
        if near is not None and near.came_through:
            await near.show_extent(self.is_over)
        while self._worth_another_pass():
            await self._pass(reordered(self.sweep.silent(self.sample), self.chance))

    async def _compare(self, refill_s: float) -> list[int]:
        """Ask the ports outside the range; those that answered."""
        self.before = await self.sweep.compare(self.canaries)
        answering = [canary.port for canary in self.before if canary.reply != "silence"]
        if answering:
            await self.sweep.listen(refill_s)
        return answering

    def _worth_another_pass(self) -> bool:
        silent = 0 if self.is_over() else len(self.sweep.silent(self.sample))
        if self.is_exact:
            return silent > 0 and self.passes < EXACT_PASSES
        if self.all_passes < PASSES:
            return silent > 0 and self.decided_at_s is None
        return self.all_passes < MOST_PASSES and 0 < silent <= FEW_SILENT * len(self.sample)

    async def _pass(self, ports: Sequence[int]) -> None:
        if self.is_over():
            return
        self.passes += 1
        await self._take_own_sources()
        again = self._to_ask_again()
        await self.sweep.ask(reordered([*ports, *again], self.chance) if again else ports, enough=self.is_over)
        if self.sweep.sources is not None and self.is_exact:
            self.sweep.sources.passes += 1
            self.sweep.sources.count_again(len(again), len(self.sweep.recent.intersection(again)))

    async def _take_own_sources(self) -> None:
        """Once somebody has answered with ICMP, limits may bite. What has answered must answer to the prefix too."""
        sources = self.sweep.sources
        if sources is None or not self.sweep.icmp or sources.state != "not-needed":
            return
        await sources.begin()
        if sources.in_use:
            known = sorted(self.sweep.icmp)[: len(self.canaries)]
            answered = [port for port in await self.sweep.compare(known) if port.reply != "silence"]
            sources.count_again(len(known), len(answered))

    def _to_ask_again(self) -> list[int]:
        """Ports of the range that have answered; a first pass needs none."""
        known = [port for port in self.sample if port in self.sweep.icmp]
        if not self.is_exact or self.passes < PASSES:
            return []
        self.sweep.recent.clear()
        return self.chance.sample(known, min(ASKED_AGAIN, len(known)))

    def _is_the_server(self, port: int, icmp: IcmpError) -> bool:
        """Port unreachable in the target's name, unless its sender is nearer than the server is known to be."""
        if port in self.canaries or icmp.meaning != "port-unreachable":
            return False
        if ip_address(icmp.offender) != ip_address(self.sweep.link.address):
            return False
        own = None if self.near is None else self.near.yardstick.server_routers
        distance = reply_distance(icmp.hop_limit)
        return own is None or distance is None or distance >= own
