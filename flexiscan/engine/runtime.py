"""What all tasks of a run share."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.raw.link import RawLink
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall


@dataclass(frozen=True, slots=True)
class Journal:
    """Where the engine tells what happens, as it happens: the record, and whoever shows progress."""

    planned: Callable[[str, Plan], None]
    added: Callable[[str, tuple[Task, ...]], None]
    observed: Callable[[str, Observation], None]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Clock, pace and wall of a run; no task gets a socket but through the context made here."""

    run_id: str
    user_agent: str
    seed: int
    began: dt.datetime
    began_s: float
    """`began` on the monotonic clock."""
    clock: Clock
    pace: Pace
    wall: ScopeWall
    journal: Journal
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For probes; never in a plan, a record or a report."""
    raw: RawLink | None = None
    """The process with raw sockets, in a run that has one."""

    def stamp(self) -> dt.datetime:
        """The time of day by the clock as it was when the run began: a later correction of it cannot swap events."""
        return self.began + dt.timedelta(seconds=self.clock.monotonic() - self.began_s)

    def context(self, task: Task) -> TaskContext:
        """The context of one task. Its randomness depends on the seed and the task alone."""
        return TaskContext(
            run_id=self.run_id,
            user_agent=self.user_agent,
            random=random.Random(f"{self.seed}:{task.id}"),
            clock=self.clock,
            pace=self.pace,
            wall=self.wall,
            host=task.host,
            secrets=self.secrets,
            raw=self.raw,
        )
