"""One host, from its name to the last observation: resolve, plan, run, control; round by round."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flexiscan.engine.addresses import IsPublic, target_addresses
from flexiscan.engine.controls import Controls
from flexiscan.engine.planner import Planner
from flexiscan.engine.runtime import Journal, Runtime
from flexiscan.engine.scheduler import Scheduler
from flexiscan.model.endpoint import Family, TargetAddress
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.model.profile import Profile
from flexiscan.model.target import Depth, Scope, Target
from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeWall
from flexiscan.sdk import PlanView, ProbeSpec

ROUNDS_ON_ADDRESSES = (1, 2, 3)
"""Round 1 asks the ports, round 2 the services that were found, round 3 looks back; round 0 was DNS."""
LAST_ROUND = 4
"""At depth full alone: sweeps of all ports, which a firewall may take offence at, come after everything else."""

Wanted = Callable[[Task], bool]
WantedIn = Callable[[tuple[TargetAddress, ...], Mapping[str, Task], Mapping[str, Observation]], Wanted]
"""Given what is known at the start of a round, which tasks the selected rules need."""


@dataclass(slots=True)
class HostScan:
    """The scan of one host. `run` may be cancelled at any time: what was seen is in the journal."""

    target: Target
    scope: Scope
    profile: Profile
    depth: Depth
    families: tuple[Family, ...]
    specs: tuple[ProbeSpec, ...]
    runtime: Runtime
    is_public: IsPublic
    wanted_in: WantedIn
    wall_for: Callable[[tuple[TargetAddress, ...]], ScopeWall]
    resolved: Callable[[Target, tuple[TargetAddress, ...]], None]
    asks_addresses: bool = True
    """False: only DNS is asked about the host, and no packet goes to its addresses."""
    options: Mapping[str, Any] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    seen: dict[str, Observation] = field(default_factory=dict)

    async def run(self) -> None:
        """Scan the host once."""
        usable = await self._resolve()
        if not usable or not self.asks_addresses:
            return
        runtime = replace(self._listening(), wall=self.wall_for(usable))
        if runtime.raw is not None:
            with contextlib.suppress(CannotLook):  # it has died; whatever asks through it says so
                await runtime.raw.widen(runtime.wall)
        with runtime.wall.enforced():
            controls = Controls(runtime, self.target, usable)
            await controls.before()
            for number in (*ROUNDS_ON_ADDRESSES, *((LAST_ROUND,) if self.depth == "full" else ())):
                planner = self._planner(runtime, usable)
                plan = planner.plan(self._view(number, usable))
                self._take_plan(runtime, plan)
                await Scheduler(runtime, planner, set(self.tasks)).run(plan, controls)
                await controls.once()

    async def _resolve(self) -> tuple[TargetAddress, ...]:
        """Ask for the addresses. Returns those that may be looked at."""
        runtime = self._listening()
        with runtime.wall.enforced():
            planner = self._planner(runtime, ())
            plan = planner.plan(self._view(0, ()))
            self._take_plan(runtime, plan)
            await Scheduler(runtime, planner, set(self.tasks)).run(plan, None)
        replies = [o.outcome for o in self.seen.values() if isinstance(o.outcome, DnsReply)]
        addresses = target_addresses(self.target, self.scope, replies, self.is_public)
        self.resolved(self.target, addresses)
        return tuple(a for a in addresses if a.state == "in-scope" and a.family in self.families)

    def _take_plan(self, runtime: Runtime, plan: Plan) -> None:
        self.tasks.update((task.id, task) for task in plan.tasks)
        runtime.journal.planned(self.target.host, plan)

    def _planner(self, runtime: Runtime, usable: tuple[TargetAddress, ...]) -> Planner:
        wanted = self.wanted_in(usable, self.tasks, self.seen)

        def admit(task: Task) -> str:
            if not wanted(task):
                return "not-selected"
            if task.address is None or task.transport is None or task.gate == "dns":
                return ""
            if task.port is not None and task.port in self.scope.exclude_ports:
                return "excluded"
            allowed = task.port is None or runtime.wall.permits(task.address, task.port, task.transport)
            return "" if allowed else "out-of-scope"

        return Planner(self.specs, admit)

    def _view(self, number: int, usable: tuple[TargetAddress, ...]) -> PlanView:
        return PlanView(
            round=number,
            target=self.target,
            addresses=usable,
            profile=self.profile,
            depth=self.depth,
            seed=self.runtime.seed,
            tasks=dict(self.tasks),
            seen=dict(self.seen),
            options=self.options,
        )

    def _listening(self) -> Runtime:
        """The runtime, with this scan listening to its own journal: the next round plans on it."""
        outer = self.runtime.journal

        def added(host: str, tasks: tuple[Task, ...]) -> None:
            self.tasks.update((task.id, task) for task in tasks)
            outer.added(host, tasks)

        def observed(host: str, observation: Observation) -> None:
            self.seen[observation.id] = observation
            outer.observed(host, observation)

        return replace(self.runtime, journal=Journal(outer.planned, added, observed))
