"""The part of a sweep that ends at the last router in front of the server: what does the filter let through?

Seen although the server is silent, and no datagram reaches a call. What seems to come through is looked at again,
several times and beside ports that nobody uses, before the sweep goes by it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flexiscan.model.facts import PathGuide, PathTrial
from flexiscan.model.path_reading import canaries_came, ports_that_expired, router_that_held
from flexiscan.sdk import Context
from flexiscan_probes.path_trial import SUSPECTS, TrialRun, Yardstick, reach_router_before
from flexiscan_probes.rtp_sweep import PASS_WAIT_S, RangeSweep, reordered

NEAR_PORTS: Final = 16
NEAR_CANARIES: Final = 8
NEAR_PASSES: Final = 2
"""A datagram or its answer may be lost."""
MOST_NEAR_PASSES: Final = 3
"""Where a guide was not answered at once: packets are lost, or something else uses the router's allowance."""
NEAR_TRIALS: Final = 2
MOST_NEAR_TRIALS: Final = 6
GUIDE_EVERY_S: Final = 5.0
EXTENT_S: Final = 5.0
"""How long a sweep goes on once something has come through, to show how much does."""


@dataclass(slots=True)
class NearSearch:
    """Datagrams to one range that end before the server, and what is known by them."""

    ctx: Context
    sweep: RangeSweep
    sample: tuple[int, ...]
    canaries: tuple[int, ...]
    chance: random.Random
    yardstick: Yardstick
    passes: int = 0
    trials: list[PathTrial] = field(default_factory=list)
    confirming: list[PathTrial] = field(default_factory=list)
    guides: list[PathGuide] = field(default_factory=list)
    way_before: tuple[PathTrial, ...] = ()
    way_after: tuple[PathTrial, ...] = ()
    came_through: bool = False
    """Whether the difference between the range and the canaries showed again and again."""
    _suspected_at_s: float | None = None

    async def compare(self) -> None:
        """Some ports of the range and some canaries, until a guide was answered at once; then look again if need be."""
        wanted = NEAR_TRIALS if self.passes else 1
        while self._prompt_trials() < wanted and len(self.trials) < MOST_NEAR_TRIALS and not self.sweep.media_seen:
            ports, canaries = self.sample[:NEAR_PORTS], self.canaries[:NEAR_CANARIES]
            self.sweep.near.update(ports, canaries)
            self.trials.append(await self._batches().batch(ports, canaries))
            self.sweep.datagrams += len(ports) + len(canaries)
            if not self.tells or self.suspects:
                break
        await self._confirm()

    async def search(self, is_over: Callable[[], bool]) -> None:
        """Every silent port, twice or three times, with a guide every few seconds; then the comparison again."""
        if self.tells and not self.confirming:
            self.way_before = await self._walk()
        while self.tells and not self.confirming and self.passes < self._passes_wanted():
            if not await self._pass(is_over):
                break
            self.passes += 1
        await self._confirm()
        if self.tells and not self.confirming and not is_over():
            self.way_after = await self._walk()
            await self.compare()

    async def show_extent(self, is_over: Callable[[], bool]) -> None:
        """Go on until that is shown which comes through."""
        await self.sweep.ask(self._quiet(), hop_limit=self.yardstick.hop_limit, enough=is_over)

    @property
    def suspects(self) -> set[int]:
        """Ports of the range that seem to come as far as the router."""
        return self.sweep.expired.keys() & set(self.sample)

    @property
    def tells(self) -> bool:
        """Whether a filter may stand before that router: its silence about other ports then means something."""
        trials = [*self.trials, *self.confirming]
        outside = self.sweep.expired.keys() & set(self.canaries)
        held = router_that_held([trial.guide for trial in trials]) is not None
        return held and not canaries_came(trials) and not outside

    async def _confirm(self) -> None:
        """Look again at what came through while no canary did."""
        if not self.tells or not self.suspects or self.confirming or self.sweep.media_seen:
            return
        self.sweep.near.update(self.canaries)
        self.confirming = await self._batches().confirm(self.suspects, self.canaries)
        self.sweep.datagrams += sum(len(trial.ports) + len(trial.canaries) for trial in self.confirming)
        answered = sum(bool(ports_that_expired([trial])) for trial in self.confirming)
        self.came_through = self.tells and answered >= len(self.confirming) - 1

    async def _pass(self, is_over: Callable[[], bool]) -> bool:
        """One datagram to each port that nothing came back from; whether the pass came to its end."""
        self.guides.append(await self._batches().guide())
        began_s = self.ctx.monotonic()
        for port in self._quiet():
            if is_over() or self._extent_is_shown():
                return False
            await self.sweep.ask_one(port, self.yardstick.hop_limit)
            if self.ctx.monotonic() - began_s >= GUIDE_EVERY_S:
                self.guides.append(await self._batches().guide())
                began_s = self.ctx.monotonic()
        self.guides.append(await self._batches().guide())
        await self.sweep.listen(PASS_WAIT_S)
        return not is_over()

    async def _walk(self) -> tuple[PathTrial, ...]:
        """Some ports of the range to the router before the last one."""
        ports = self.chance.sample(self.sample, min(SUSPECTS, len(self.sample)))
        trials = await reach_router_before(self.ctx, self.sweep.link.address, ports, self.yardstick, self.sweep.payload)
        self.sweep.datagrams += sum(len(trial.ports) for trial in trials)
        return trials

    def _extent_is_shown(self) -> bool:
        if self.suspects and self._suspected_at_s is None:
            self._suspected_at_s = self.ctx.monotonic()
        return self._suspected_at_s is not None and self.ctx.monotonic() - self._suspected_at_s >= EXTENT_S

    def _quiet(self) -> list[int]:
        quiet = [port for port in self.sweep.silent(self.sample) if port not in self.sweep.expired]
        return reordered(quiet, self.chance)

    def _prompt_trials(self) -> int:
        return sum(trial.guide.tries == 1 for trial in self.trials)

    def _passes_wanted(self) -> int:
        prompt = all(guide.tries == 1 for guide in (*self.guides, *(trial.guide for trial in self.trials)))
        return NEAR_PASSES if prompt else MOST_NEAR_PASSES

    def _batches(self) -> TrialRun:
        return TrialRun(
            self.ctx,
            self.sweep.link,
            self.sweep.hear,
            self.sweep.payload,
            self.yardstick.hop_limit,
            self.yardstick.guide_port,
            self.chance,
            lambda: self.sweep.media_seen,
        )
