"""The steps of a sweep over TCP ports: canaries, every port once by chance, the silent ones again, canaries.

A port that is known to answer is asked once a second all the while, by the same kind of single SYN. It tells how many
SYNs are lost, and when the sweep has been shut out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from flexiscan.model.facts_sweep import ConnectOutcome, PortSet, SweepCanary, SweepIcmp
from flexiscan.model.icmp import IcmpError
from flexiscan.sdk import Context, Knock, KnockPort, NotConnected

GUIDE_EVERY_S: Final = 1.0
GUIDES_LOST_IN_A_ROW: Final = 3
"""After so many a patient connect is made; when that fails too, somebody has shut us out."""
PATIENT_S: Final = 4.5
"""Covers the kernel's SYN retransmissions at 1, 2, 3 and 4 s (tcp_syn_linear_timeouts, Linux 6.5)."""
CANARY_WAIT_S: Final = 1.4
"""Covers one repetition of the SYN, which also shows whether it left this machine at all."""
COMPARE_EVERY: Final = 8192
"""SYNs between two comparisons, where canaries answer at once."""
MANY_ACCEPTED: Final = 32
"""From so many on, and at each doubling, the canaries are asked whether everything accepts by now."""
CANARIES_FOR_PROOF: Final = 2
"""One may have met a real service by chance."""
PASSES: Final = 2
MOST_PASSES: Final = 3
BELIEVED_MISS: Final = 0.001
"""Chance that an answering port stays silent in all passes, above which the silent ones are asked once more."""

HOPELESS_MISS: Final = 0.05
"""The same chance after all passes that can be made, above which another one would change nothing."""
ENOUGH_ANSWERS: Final = 50
"""Ports that must have answered before those among them that answered late say how much is lost."""

Stop = Literal["", "everything-answers", "guide-lost", "budget"]


@dataclass(slots=True)
class TcpSweepRun:
    """One sweep over one address. What was seen stays in it, whatever stops it."""

    ctx: Context
    link: KnockPort
    ports: Sequence[int]
    canaries: Sequence[int]
    chance: random.Random
    guide: tuple[int, ConnectOutcome] | None
    """A port that answered before, and how."""
    ends_s: float
    """When the budget is over."""
    outcomes: dict[int, ConnectOutcome] = field(default_factory=dict)
    errors: dict[int, IcmpError] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)
    comparisons: dict[int, list[ConnectOutcome]] = field(default_factory=dict)
    passes: int = 0
    late: int = 0
    guides: int = 0
    guides_lost: int = 0
    stopped: Stop = ""
    _lost_in_a_row: int = 0
    _next_guide_s: float = 0.0
    _next_many: int = MANY_ACCEPTED
    _since_comparison: int = 0

    async def carry_out(self) -> None:
        """The whole sweep. Raises CannotLook when this machine refuses."""
        waiting = list(self.ports)
        if self.guide is not None:
            waiting = [port for port in waiting if port != self.guide[0]]
            self.outcomes[self.guide[0]] = self.guide[1]
            self.accepted.update([self.guide[0]] if self.guide[1] == "accepted" else [])
        await self._compare()
        while waiting and not self.stopped and self._wants_another_pass():
            self.chance.shuffle(waiting)
            await self._ask(waiting)
            if not self.stopped:
                self.passes += 1
                waiting = self._unsettled(waiting)
        if not self.stopped:
            await self._compare()

    def _wants_another_pass(self) -> bool:
        if self.guide is None:  # nothing would make the silence of a second pass mean more
            return self.passes < 1
        if self.passes < PASSES:
            return True
        lost = self.loss()
        is_worth_it = lost**self.passes > BELIEVED_MISS and lost**MOST_PASSES <= HOPELESS_MISS
        return self.passes < MOST_PASSES and is_worth_it

    def loss(self) -> float:
        """Share of single SYNs that go unanswered although somebody answers there; cautious with few guides."""
        guides = (self.guides_lost + 1) / (self.guides + 2)
        again = self.late / max(ENOUGH_ANSWERS, self.count("reset") + len(self.accepted))
        return max(guides, again / max(0.01, 1 - again))

    def count(self, outcome: ConnectOutcome) -> int:
        """Ports whose last word is this."""
        return sum(found == outcome for found in self.outcomes.values())

    def _unsettled(self, ports: Iterable[int]) -> list[int]:
        """Those that said nothing about themselves: silent ones, and those that the way did not lead to."""
        return [port for port in ports if self.outcomes[port] == "silence" or self._is_astray(port)]

    def _is_astray(self, port: int) -> bool:
        return self.outcomes[port] == "icmp" and not _is_about_port(self.errors.get(port))

    def astray(self) -> PortSet:
        """Ports that the way did not lead to."""
        return PortSet.of(port for port in self.outcomes if self._is_astray(port))

    async def _ask(self, ports: Sequence[int]) -> None:
        for port in ports:
            await self._guide_when_due()
            if self.stopped:
                break
            await self.link.send(port)
            self._take()
            await self._compare_when_due()
            if self.ctx.monotonic() > self.ends_s:
                self.stopped = self.stopped or "budget"
        await self.link.settle()
        self._take()

    async def _guide_when_due(self) -> None:
        now_s = self.ctx.monotonic()
        if self.guide is None or now_s < self._next_guide_s:
            return
        self._next_guide_s = now_s + GUIDE_EVERY_S
        if self._lost_in_a_row >= GUIDES_LOST_IN_A_ROW:
            self._lost_in_a_row = 0
            if await self._connect(self.guide[0], PATIENT_S) != self.guide[1]:
                self.stopped = "guide-lost"
                return
        self.guides += 1
        await self.link.send(self.guide[0])

    async def _compare_when_due(self) -> None:
        self._since_comparison += 1
        many = len(self.accepted) >= self._next_many
        while len(self.accepted) >= self._next_many:
            self._next_many *= 2
        latest = [answers[-1] for answers in self.comparisons.values() if answers]
        quick = bool(latest) and "silence" not in latest
        if many or (quick and self._since_comparison >= COMPARE_EVERY):
            await self._compare()

    async def _compare(self) -> None:
        """Ask the canaries, side by side, with the patience of one repetition."""
        self._since_comparison = 0
        answers = await asyncio.gather(*(self._connect(port, CANARY_WAIT_S) for port in self.canaries))
        for port, answer in zip(self.canaries, answers, strict=True):
            self.comparisons.setdefault(port, []).append(answer)
        if sum(answer == "accepted" for answer in answers) >= CANARIES_FOR_PROOF:
            self.stopped = "everything-answers"

    async def _connect(self, port: int, timeout_s: float) -> ConnectOutcome:
        link = await self.ctx.connect(self.link.address, port, timeout_s=timeout_s)
        if isinstance(link, NotConnected):
            return link.outcome
        link.close()
        return "accepted"

    def _take(self) -> None:
        for knock in self.link.take():
            self._note(knock)

    def _note(self, knock: Knock) -> None:
        if self.guide is not None and knock.port == self.guide[0]:
            self._note_guide(knock)
            return
        before = self.outcomes.get(knock.port)
        if knock.outcome == "accepted":
            self.accepted.add(knock.port)
        if before is not None and before != "silence" and knock.outcome == "silence":
            return  # it has answered once; silence takes nothing back
        if before == "silence" and knock.outcome in ("accepted", "reset"):  # errors come late by a limit on them
            self.late += 1
        self.outcomes[knock.port] = knock.outcome
        if knock.icmp is not None:
            self.errors[knock.port] = knock.icmp

    def _note_guide(self, knock: Knock) -> None:
        if self.guide is not None and knock.outcome == self.guide[1]:
            self._lost_in_a_row = 0
        else:
            self.guides_lost += 1
            self._lost_in_a_row += 1

    def with_outcome(self, outcome: ConnectOutcome) -> PortSet:
        """Ports whose last word is this and that never accepted."""
        return PortSet.of(p for p, found in self.outcomes.items() if found == outcome and p not in self.accepted)

    def icmp_sets(self) -> tuple[SweepIcmp, ...]:
        """ICMP errors, grouped by kind and sender, the commonest first."""
        groups: dict[IcmpError, list[int]] = {}
        for port, found in self.outcomes.items():
            if found == "icmp" and port in self.errors:
                groups.setdefault(self.errors[port], []).append(port)
        found_sets = [SweepIcmp(icmp=icmp, ports=PortSet.of(ports)) for icmp, ports in groups.items()]
        return tuple(sorted(found_sets, key=lambda group: -group.ports.count))

    def canary_answers(self) -> tuple[SweepCanary, ...]:
        """What each canary did, in the order in which it was asked."""
        return tuple(SweepCanary(port=port, answers=tuple(answers)) for port, answers in self.comparisons.items())


def _is_about_port(icmp: IcmpError | None) -> bool:
    return icmp is not None and icmp.meaning in ("port-unreachable", "prohibited", "protocol-unreachable")
