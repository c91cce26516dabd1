"""Runs the tasks of a plan: lanes side by side, the tasks of a lane one after the other, controls throughout."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

from flexiscan.engine.boundary import run_task
from flexiscan.engine.controls import Controls
from flexiscan.engine.planner import Planner, lanes_of
from flexiscan.engine.runtime import Runtime
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.sdk import ProbeSpec


@dataclass(slots=True)
class Scheduler:
    """Runs rounds of one host."""

    runtime: Runtime
    planner: Planner
    known: set[str] = field(default_factory=set)
    """Ids of all tasks so far."""

    async def run(self, plan: Plan, controls: Controls | None) -> None:
        """Run every task of the plan once. The start order of lanes is seeded; the order within a lane is fixed."""
        specs = {spec.id: spec for spec in self.planner.specs}
        lanes = list(lanes_of(plan.tasks).values())
        random.Random(f"{plan.seed}:{plan.round}").shuffle(lanes)
        self.known.update(task.id for task in plan.tasks)
        beating = None
        try:
            async with asyncio.TaskGroup() as group:
                if controls is not None:
                    beating = group.create_task(controls.keep_beating())
                running = [group.create_task(self._run_lane(lane, specs)) for lane in lanes]
                if running:
                    await asyncio.wait(running)
                if controls is not None and beating is not None:
                    await controls.stop_beating(beating)
        finally:
            if beating is not None:
                beating.cancel()

    async def _run_lane(self, lane: tuple[Task, ...], specs: dict[str, ProbeSpec]) -> None:
        waiting = deque(lane)
        history: list[Observation] = []
        while waiting:
            task = waiting.popleft()
            spec = specs[task.probe]
            observation = await run_task(self.runtime, task, spec.observe)
            self.runtime.journal.observed(task.host, observation)
            history.append(observation)
            added, left_out = self.planner.proceed(spec, task, tuple(history), self.known)
            if left_out:
                plan = Plan(round=task.round, seed=self.runtime.seed, tasks=(), skips=left_out)
                self.runtime.journal.planned(task.host, plan)
            if added:
                self.known.update(follower.id for follower in added)
                self.runtime.journal.added(task.host, added)
                waiting.extendleft(reversed(added))
