"""Turns what probes ask for into a plan. Pure: the same view always gives the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from flexiscan.errors import PluginError
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Skip, Task
from flexiscan.sdk import Draft, PlanView, ProbeSpec

Admission = Callable[[Task], str]
"""Says "" when a task may run, otherwise the reason for the skip ("not-selected", "out-of-scope", ...)."""


@dataclass(frozen=True, slots=True)
class Planner:
    """All probes, and what admits a task."""

    specs: tuple[ProbeSpec, ...]
    admit: Admission

    def plan(self, view: PlanView) -> Plan:
        """The plan of one round. Raises PluginError when a probe drafts the same task twice."""
        tasks: dict[str, Task] = {}
        skips: list[Skip] = []
        for spec in self.specs:
            for draft in spec.plan(view):
                task = as_task(spec, draft, view)
                if task.id in tasks or task.id in view.tasks:
                    raise PluginError(f"probe {spec.id!r} drafted the task {task.id!r} twice")
                reason = self.admit(task)
                if reason:
                    skips.append(_skip(task, reason))
                else:
                    tasks[task.id] = task
        return Plan(round=view.round, seed=view.seed, tasks=tuple(tasks.values()), skips=tuple(skips))

    def proceed(
        self, spec: ProbeSpec, task: Task, lane: tuple[Observation, ...], known: Iterable[str]
    ) -> tuple[tuple[Task, ...], tuple[Skip, ...]]:
        """The tasks that a lane goes on with after `task` ended, and those that were left out."""
        if spec.proceed is None:
            return (), ()
        taken = set(known)
        added: list[Task] = []
        skips: list[Skip] = []
        for draft in spec.proceed(task, lane):
            follower = _task(spec, replace(draft, lane=task.lane), host=task.host, round_number=task.round)
            if follower.id in taken:
                raise PluginError(f"probe {spec.id!r} drafted the task {follower.id!r} twice")
            reason = self.admit(follower)
            if reason:
                skips.append(_skip(follower, reason))
            else:
                taken.add(follower.id)
                added.append(follower)
        return tuple(added), tuple(skips)


def lanes_of(tasks: Iterable[Task]) -> Mapping[str, tuple[Task, ...]]:
    """Tasks by lane, in plan order."""
    lanes: dict[str, list[Task]] = {}
    for task in tasks:
        lanes.setdefault(task.lane, []).append(task)
    return {name: tuple(members) for name, members in lanes.items()}


def as_task(spec: ProbeSpec, draft: Draft, view: PlanView) -> Task:
    """The task of a draft in a round."""
    return _task(spec, draft, host=view.target.host, round_number=view.round)


def _task(spec: ProbeSpec, draft: Draft, *, host: str, round_number: int) -> Task:
    place = [host, draft.address, draft.transport, None if draft.port is None else str(draft.port)]
    task_id = "/".join([spec.id, *(part for part in place if part is not None), draft.name])
    return Task(
        id=task_id,
        probe=spec.id,
        host=host,
        role=draft.role,
        address=draft.address,
        transport=draft.transport,
        port=draft.port,
        params=dict(draft.params),
        lane=draft.lane or task_id,
        round=round_number,
        gate=draft.gate,
        datagrams=draft.datagrams,
        silence_s=draft.silence_s,
        deadline_s=draft.deadline_s,
    )


def _skip(task: Task, reason: str) -> Skip:
    return Skip(
        host=task.host,
        role=task.role,
        reason=reason,
        address=task.address,
        transport=task.transport,
        port=task.port,
    )
