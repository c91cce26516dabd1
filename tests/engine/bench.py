"""A scheduler on a bench: made-up probes, a journal that keeps everything, virtual time, real pace and wall."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from flexiscan.engine.controls import Controls
from flexiscan.engine.planner import Planner, as_task
from flexiscan.engine.runtime import Journal, Runtime
from flexiscan.engine.scheduler import Scheduler
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import Fact, TcpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Skip, Task
from flexiscan.model.target import Rates, Target
from flexiscan.net.link import CannotLook, NotConnected
from flexiscan.net.pace import Pace
from flexiscan.net.wall import ScopeWall, open_target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from tests.policy.made_up_run import HOST, V4, V6
from tests.virtual_clock import EPOCH, VirtualClock, run_virtually

RESET = TcpExchange(connect="reset")
PROFILE = load_profile()

Observe = Callable[[Context, Task], Awaitable[Any]]
ControlAnswer = Callable[[str, int, float], str | Exception]
"""Given address, port and second: "accepted", "reset" or "silence", or what is raised."""


@dataclass
class Bench:
    """Runs drafts of one probe. Everything told to the journal is in `story`, in order."""

    observe: Observe
    proceed: Any = None
    admit: Callable[[Task], str] = lambda task: ""
    control: ControlAnswer = lambda address, port, at_s: "accepted"
    rates: Rates = field(default_factory=Rates)
    addresses: tuple[str, ...] = (V4,)
    excluded_ports: tuple[int, ...] = ()
    story: list[tuple[str, Any]] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)
    beats: list[tuple[float, str, int]] = field(default_factory=list)
    """When each control asked which port."""

    @property
    def observations(self) -> dict[str, Observation]:
        """What was observed, by the task's name."""
        return {str(told.id).rsplit("/", 1)[-1]: told for kind, told in self.story if kind == "observed"}

    @property
    def outcomes(self) -> dict[str, str]:
        """Kind of each outcome, or the reason of the failure, by the task's name."""
        return {
            name: seen.outcome.reason if seen.outcome.kind == "failure" else seen.outcome.kind
            for name, seen in self.observations.items()
        }

    @property
    def skips(self) -> list[Skip]:
        """Continuations that were left out."""
        return [skip for kind, plan in self.story if kind == "planned" for skip in plan.skips]

    def runtime(self) -> Runtime:
        """A runtime whose contexts connect to the made-up controls."""
        openings = [hole for address in self.addresses for hole in open_target(address)]
        return Runtime(
            run_id="test",
            user_agent="test",
            seed=7,
            began=EPOCH,
            began_s=0.0,
            clock=self.clock,
            pace=Pace(self.rates, self.clock),
            wall=ScopeWall(openings, clock=self.clock, exclude_ports=self.excluded_ports),
            journal=Journal(
                planned=lambda host, plan: self.story.append(("planned", plan)),
                added=lambda host, tasks: self.story.extend(("added", task) for task in tasks),
                observed=lambda host, seen: self.story.append(("observed", seen)),
            ),
        )

    def spec(self) -> ProbeSpec:
        """The one probe."""
        return ProbeSpec(id="bench", version=1, plan=lambda view: (), observe=self.observe, proceed=self.proceed)

    def plan(self, *drafts: Draft) -> Plan:
        """The plan of these drafts."""
        view = PlanView(1, Target(host=HOST), (), PROFILE, "standard", 7, {}, {})
        return Plan(round=1, seed=7, tasks=tuple(as_task(self.spec(), draft, view) for draft in drafts))

    def run(self, *drafts: Draft) -> Bench:
        """Run the drafts without controls."""
        run_virtually(self.play(*drafts))
        return self

    async def play(self, *drafts: Draft, with_controls: bool = False) -> None:
        """Run the drafts; the controls, where wanted, as a scan would."""
        runtime = self.runtime()
        with mock.patch.object(Runtime, "context", lambda _, task: BenchContext(self, task)):
            controls = None
            if with_controls:
                named = tuple(TargetAddress(address=a, family=family_of(a)) for a in self.addresses)
                controls = Controls(runtime, Target(host=HOST), named)
                await controls.before()
            try:
                await Scheduler(runtime, Planner((self.spec(),), self.admit)).run(self.plan(*drafts), controls)
                if controls is not None:
                    await controls.once()
            finally:
                await runtime.pace.aclose()


@dataclass(frozen=True)
class BenchContext:
    """The context of a made-up task."""

    bench: Bench
    task: Task

    def monotonic(self) -> float:
        return self.bench.clock.monotonic()

    async def connect(self, address: str, port: int, *, timeout_s: float = 4.5, attempts: int = 1) -> Any:
        bench = self.bench
        bench.beats.append((self.monotonic(), address, port))
        answer = bench.control(address, port, self.monotonic())
        if isinstance(answer, Exception):
            raise answer
        if answer == "silence":
            await asyncio.sleep(timeout_s)
            return NotConnected("silence", None, 1, timeout_s)
        await asyncio.sleep(0.01)
        return mock.Mock(attempts=1) if answer == "accepted" else NotConnected("reset", None, 1, 0.01)


def draft(name: str, **more: Any) -> Draft:
    """A draft at V4."""
    place: dict[str, Any] = {"address": V4, "transport": "tcp", "port": 80}
    return Draft(**{"role": "tcp", "name": name, **place, **more})


def after(duration_s: float, outcome: Any = RESET) -> Observe:
    """A probe that takes a while; an exception is raised."""

    async def observe(context: Context, task: Task) -> Fact:
        await asyncio.sleep(duration_s)
        if isinstance(outcome, BaseException):
            raise outcome
        fact: Fact = outcome
        return fact

    return observe


NO_ROUTE = CannotLook("no-route", "no way there")
BOTH = (V4, V6)
