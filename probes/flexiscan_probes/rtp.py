"""The media range: is a sample of its UDP ports reachable? Receiver reports only, counts only, never content."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import RtpSweep, SweepPort
from flexiscan.model.plan import Task
from flexiscan.model.profile import PortRow
from flexiscan.sdk import CannotLook, Context, Draft, PlanView, ProbeSpec
from flexiscan_probes import udp
from flexiscan_probes.rtp_sweep import (
    CANARY_PAUSE_S,
    CANARY_TRIES,
    CANARY_WAIT_S,
    FEW_SILENT,
    PASS_WAIT_S,
    REFILL_S,
    RangeSweep,
    reordered,
)
from flexiscan_probes.sweep_order import comparison_ports, sample_ports
from flexiscan_probes.wire import rtcp

SAMPLE_PORTS: Final = 500
"""Of 10,001: none found exposed bounds the exposed ones to 58 with 95 % (hypergeometric)."""
PASSES: Final = 2
_CANARIES: Final = 8
_DEFAULT_PPS: Final = 200
_SPARE_S: Final = 60.0


def plan(view: PlanView) -> Iterable[Draft]:
    """One sweep of every UDP range of the profile at every address, in the address's UDP lane."""
    if view.round != udp.ROUND:
        return []
    rows = [row for row in view.profile.ports if row.transport == "udp" and row.last_port]
    return [_draft(view, address.address, row) for address in view.addresses for row in rows]


def _draft(view: PlanView, address: str, row: PortRow) -> Draft:
    excluded = sorted(view.options.get("excluded_ports", ()))
    taken = sorted({other.port for other in view.profile.ports if other.transport == "udp"} - {row.port})
    datagrams = PASSES * SAMPLE_PORTS + 2 * CANARY_TRIES * _CANARIES
    canary_s = CANARY_TRIES * (_CANARIES * CANARY_PAUSE_S + CANARY_WAIT_S)
    pps = int(view.options.get("udp_pps", _DEFAULT_PPS))
    return Draft(
        role="rtp-sweep",
        name=f"{row.port}-{row.last_port}",
        address=address,
        transport="udp",
        params={
            "first_port": row.port,
            "last_port": row.last_port,
            "excluded": excluded,
            "taken": taken,
            "sample": SAMPLE_PORTS,
            "seed": random.Random(f"{view.seed}:rtp:{address}:{row.port}").getrandbits(32),
        },
        lane=udp.udp_lane(view, address),
        gate="udp",
        datagrams=datagrams,
        silence_s=canary_s + PASSES * PASS_WAIT_S,
        deadline_s=_SPARE_S + 2 * datagrams / pps,
    )


async def observe(ctx: Context, task: Task) -> RtpSweep:
    """Canaries, the sample in two passes (a third for a few silent ones), and the canaries that answered again."""
    if task.address is None:
        raise ValueError(f"task {task.id} names no address")
    first, last = int(task.params["first_port"]), int(task.params["last_port"])
    seed = int(task.params["seed"])
    chance = random.Random(seed)
    payload = rtcp.build_receiver_report(chance.getrandbits(32))
    excluded = frozenset(task.params["excluded"])
    sample = sample_ports(first, last, int(task.params["sample"]), excluded, chance)
    canaries = comparison_ports(first, last, excluded.union(task.params["taken"]), chance)
    began_s = ctx.monotonic()
    async with ctx.datagrams(task.address) as link:
        run = _Run(RangeSweep(ctx, link, payload), sample, canaries, chance, REFILL_S[family_of(task.address)])
        refused = await run.carry_out()
    sweep = run.sweep
    asked = sweep.asked & set(sample)
    return RtpSweep(
        first_port=first,
        last_port=last,
        seed=seed,
        passes=run.passes,
        payload_hex=payload.hex(),
        ports_asked=len(asked),
        datagrams=sweep.datagrams,
        silent=len(sweep.silent(asked)),
        icmp=sweep.icmp_tallies(asked),
        data_ports=tuple(sorted(sweep.data - sweep.media.keys() - set(canaries))),
        media=sweep.media_counts(),
        canaries=run.before,
        canaries_after=run.after,
        stopped="media-seen" if sweep.media_seen else "send-refused" if refused else "",
        waited_s=ctx.monotonic() - began_s,
    )


class _Run:
    """The steps of one sweep and how far they came."""

    def __init__(
        self,
        sweep: RangeSweep,
        sample: tuple[int, ...],
        canaries: tuple[int, ...],
        chance: random.Random,
        refill_s: float,
    ) -> None:
        self.sweep = sweep
        self.sample = sample
        self.canaries = canaries
        self.chance = chance
        self.refill_s = refill_s
        self.passes = 0
        self.before: tuple[SweepPort, ...] = ()
        self.after: tuple[SweepPort, ...] = ()

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

    async def _steps(self) -> None:
        self.before = await self.sweep.compare(self.canaries)
        answering = [canary.port for canary in self.before if canary.reply != "silence"]
        if answering:
            await self.sweep.listen(self.refill_s)
        await self._pass(self.sample)
        while self._worth_another_pass():
            await self._pass(reordered(self.sweep.silent(self.sample), self.chance))
        if answering and not self.sweep.media_seen:
            self.after = await self.sweep.compare(answering)

    def _worth_another_pass(self) -> bool:
        silent = 0 if self.sweep.media_seen else len(self.sweep.silent(self.sample))
        if self.passes < PASSES:
            return silent > 0
        return self.passes == PASSES and 0 < silent <= FEW_SILENT * len(self.sample)

    async def _pass(self, ports: tuple[int, ...] | list[int]) -> None:
        if not self.sweep.media_seen:
            self.passes += 1
            await self.sweep.ask(ports)


SPEC: Final = ProbeSpec(id="rtp.sweep", version=1, plan=plan, observe=observe)
