"""Drafts become tasks with readable, unique ids; what is not admitted is left out with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.engine.planner import Planner, as_task, lanes_of
from flexiscan.errors import PluginError
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import Fact, TcpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from tests.policy.made_up_run import HOST, START, V4, V6

PROFILE = load_profile()


async def never(context: Context, task: Task) -> Fact:
    raise AssertionError("planning sends nothing")


def probe(*drafts: Draft, name: str = "made.up", proceed: Any = None) -> ProbeSpec:
    return ProbeSpec(id=name, version=1, plan=lambda view: drafts, observe=never, proceed=proceed)


def view(number: int = 1, **tasks: Task) -> PlanView:
    return PlanView(
        round=number,
        target=Target(host=HOST),
        addresses=tuple(TargetAddress(address=a, family=family_of(a)) for a in (V4, V6)),
        profile=PROFILE,
        depth="standard",
        seed=7,
        tasks=tasks,
        seen={},
    )


def everything(task: Task) -> str:
    return ""


def at(address: str, port: int, name: str = "hello", **more: Any) -> Draft:
    return Draft(role="tcp", name=name, address=address, transport="tcp", port=port, **more)


def observation(name: str) -> Observation:
    return Observation(id=name, started=START, ended=START, outcome=TcpExchange(connect="reset"))


def test_a_draft_becomes_a_task_with_a_readable_id() -> None:
    draft = at(V6, 443, params={"q": 1}, gate="tls", datagrams=3, silence_s=1.5, deadline_s=9.0)
    (task,) = Planner((probe(draft),), everything).plan(view(2)).tasks
    assert task.id == f"made.up/{HOST}/{V6}/tcp/443/hello"
    assert (task.host, task.probe, task.role, task.round) == (HOST, "made.up", "tcp", 2)
    assert (task.params, task.gate, task.datagrams, task.silence_s, task.deadline_s) == ({"q": 1}, "tls", 3, 1.5, 9.0)
    assert task.lane == task.id


def test_a_draft_without_a_place_has_none_in_its_id() -> None:
    assert as_task(probe(), Draft(role="address", name="A"), view()).id == f"made.up/{HOST}/A"


def test_the_same_view_gives_the_same_plan() -> None:
    planner = Planner((probe(at(V4, 1), at(V4, 2)), probe(at(V4, 1), name="other")), everything)
    assert planner.plan(view()) == planner.plan(view())


def test_the_seed_and_the_round_stand_in_the_plan() -> None:
    plan = Planner((), everything).plan(view(3))
    assert (plan.round, plan.seed, plan.tasks, plan.skips) == (3, 7, (), ())


def test_a_probe_that_drafts_the_same_task_twice_is_broken() -> None:
    with pytest.raises(PluginError, match="twice"):
        Planner((probe(at(V4, 1), at(V4, 1)),), everything).plan(view())


def test_a_probe_that_drafts_the_task_of_an_earlier_round_is_broken() -> None:
    planner = Planner((probe(at(V4, 1)),), everything)
    (task,) = planner.plan(view(1)).tasks
    with pytest.raises(PluginError, match="twice"):
        planner.plan(view(2, **{task.id: task}))


def test_what_is_not_admitted_is_left_out_with_its_reason() -> None:
    def admit(task: Task) -> str:
        return "excluded" if task.port == 2 else ""

    plan = Planner((probe(at(V4, 1), at(V4, 2)),), admit).plan(view())
    assert [task.port for task in plan.tasks] == [1]
    (skip,) = plan.skips
    assert (skip.host, skip.role, skip.reason) == (HOST, "tcp", "excluded")
    assert (skip.address, skip.transport, skip.port) == (V4, "tcp", 2)


class TestContinuation:
    """Tasks that depend on the last answer go on in the same lane and under the same law."""

    def proceed(self, *drafts: Draft, admit: Any = everything, known: Iterable[str] = ()) -> Any:
        def carry_on(task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
            return drafts

        spec = probe(at(V4, 1), proceed=carry_on)
        planner = Planner((spec,), admit)
        task = as_task(spec, at(V4, 1, lane="the lane"), view(2))
        return planner.proceed(spec, task, (observation(task.id),), (task.id, *known))

    def test_it_keeps_the_lane_the_host_and_the_round(self) -> None:
        (follower,), left_out = self.proceed(at(V4, 1, "next", lane="another lane"))
        assert (follower.lane, follower.host, follower.round) == ("the lane", HOST, 2)
        assert left_out == ()

    def test_a_probe_without_continuations_has_none(self) -> None:
        planner = Planner((), everything)
        assert planner.proceed(probe(), as_task(probe(), at(V4, 1), view()), (), ()) == ((), ())

    def test_what_is_not_admitted_is_told_and_not_lost(self) -> None:
        tasks, left_out = self.proceed(at(V4, 1, "next"), admit=lambda task: "out-of-scope")
        assert tasks == ()
        assert [(skip.role, skip.reason, skip.port) for skip in left_out] == [("tcp", "out-of-scope", 1)]

    def test_a_task_that_is_known_already_is_a_defect(self) -> None:
        with pytest.raises(PluginError, match="twice"):
            self.proceed(at(V4, 1))
        with pytest.raises(PluginError, match="twice"):
            self.proceed(at(V4, 1, "next"), at(V4, 1, "next"))
        with pytest.raises(PluginError, match="twice"):
            self.proceed(at(V4, 1, "next"), known=(f"made.up/{HOST}/{V4}/tcp/1/next",))


PLACES = st.tuples(st.sampled_from([V4, V6]), st.integers(1, 65535), st.text("abc", min_size=1, max_size=3))


@given(st.lists(PLACES, unique=True), st.lists(st.sampled_from(["", "one", "two"]), min_size=30))
def test_every_draft_is_a_task_or_a_skip_and_every_task_is_in_one_lane(
    places: list[tuple[str, int, str]], lanes: list[str]
) -> None:
    drafts = [at(*place, lane=lane) for place, lane in zip(places, lanes, strict=False)]
    plan = Planner((probe(*drafts),), lambda task: "odd" if task.port and task.port % 2 else "").plan(view())
    assert len(plan.tasks) + len(plan.skips) == len(drafts)
    in_lanes = [task for lane in lanes_of(plan.tasks).values() for task in lane]
    assert sorted(task.id for task in in_lanes) == sorted(task.id for task in plan.tasks)
    for lane in lanes_of(plan.tasks).values():
        assert list(lane) == sorted(lane, key=plan.tasks.index)
