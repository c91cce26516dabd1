"""Lanes, deadlines, defects, continuations and cancellation: whatever a probe does, the record says what happened."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest

from flexiscan.engine.planner import Planner
from flexiscan.engine.runtime import Journal
from flexiscan.engine.scheduler import Scheduler
from flexiscan.errors import PluginError
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Rates
from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeViolation
from flexiscan.sdk import Context, Draft
from tests.engine.bench import NO_ROUTE, RESET, Bench, after, draft
from tests.policy.made_up_run import V4
from tests.virtual_clock import EPOCH, run_virtually


class TestTheBoundary:
    """An exception becomes a failure, and a failure is never an answer."""

    @pytest.mark.parametrize(
        ("raised", "reason"),
        [
            (NO_ROUTE, "no-route"),
            (CannotLook("no-resource"), "no-resource"),
            (CannotLook("worker-died"), "worker-died"),
            (ScopeViolation("outside-scope", "tcp 192.0.2.1 80"), "outside-scope"),
            (ScopeViolation("outside-window", "tcp 192.0.2.1 80"), "outside-window"),
            (ConnectionResetError("not an answer"), "internal"),
            (ConnectionRefusedError("not an answer"), "internal"),
            (PermissionError("not ours to read"), "internal"),
            (ZeroDivisionError("defect"), "internal"),
            (KeyError("defect"), "internal"),
            (TimeoutError(), "deadline"),
            (ExceptionGroup("several", [ValueError("one")]), "internal"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
    )
    def test_what_a_probe_raises(self, raised: Exception, reason: str) -> None:
        assert Bench(after(1, raised)).run(draft("one")).outcomes == {"one": reason}

    @pytest.mark.parametrize(
        "returned", [None, True, "closed", {"kind": "tcp", "connect": "maybe"}, Failure(reason="no-route")], ids=repr
    )
    def test_what_is_no_fact(self, returned: Any) -> None:
        assert Bench(after(1, returned)).run(draft("one")).outcomes == {"one": "internal"}

    def test_a_defect_says_where_it_was(self) -> None:
        seen = Bench(after(1, ZeroDivisionError("by nothing"))).run(draft("one")).observations["one"].outcome
        assert isinstance(seen, Failure)
        assert "ZeroDivisionError: by nothing (observe, line" in seen.detail

    def test_details_are_capped(self) -> None:
        for error in (CannotLook("no-resource", "x" * 9999), ValueError("x" * 9999)):
            seen = Bench(after(1, error)).run(draft("one")).observations["one"].outcome
            assert isinstance(seen, Failure)
            assert len(seen.detail) == 400

    def test_the_deadline_ends_a_task(self) -> None:
        bench = Bench(after(100)).run(draft("one", deadline_s=3.0))
        seen = bench.observations["one"]
        assert bench.outcomes == {"one": "deadline"}
        assert seen.ended - seen.started == dt.timedelta(seconds=3)

    def test_the_deadline_counts_from_the_turn_and_not_from_the_queue(self) -> None:
        bench = Bench(after(1), rates=Rates(udp_pps=4))  # one exchange at a time
        bench.run(*(draft(str(number), gate="tcp", deadline_s=1.5, lane=str(number)) for number in range(5)))
        assert set(bench.outcomes.values()) == {"tcp"}
        starts = sorted(seen.started for seen in bench.observations.values())
        assert starts[-1] - starts[0] >= dt.timedelta(seconds=4)

    def test_times_are_those_of_the_run(self) -> None:
        seen = Bench(after(2)).run(draft("one")).observations["one"]
        assert (seen.started, seen.ended) == (EPOCH, EPOCH + dt.timedelta(seconds=2))

    def test_a_clock_that_is_set_back_does_not_swap_observations(self) -> None:
        bench = Bench(after(2))

        async def observe(context: Context, task: Task) -> Any:
            await asyncio.sleep(2)
            bench.clock.epoch -= dt.timedelta(hours=1)
            return RESET

        bench.observe = observe
        bench.run(draft("one", lane="l"), draft("two", lane="l"))
        one, two = bench.observations["one"], bench.observations["two"]
        assert one.started < one.ended <= two.started < two.ended


class TestLanes:
    """Within a lane one after the other, lanes side by side, the order of lanes by the seed."""

    def test_the_tasks_of_a_lane_follow_each_other(self) -> None:
        bench = Bench(after(2)).run(*(draft(str(number), lane="the lane") for number in range(4)))
        spans = [bench.observations[str(number)] for number in range(4)]
        assert [seen.started for seen in spans] == [EPOCH + dt.timedelta(seconds=2 * n) for n in range(4)]

    def test_lanes_run_side_by_side(self) -> None:
        bench = Bench(after(2)).run(*(draft(str(number)) for number in range(30)))
        assert {seen.started for seen in bench.observations.values()} == {EPOCH}

    def test_every_task_runs_once_whatever_the_others_do(self) -> None:
        async def observe(context: Context, task: Task) -> Any:
            if task.id.endswith("3"):
                raise ValueError("defect")
            await asyncio.sleep(0)
            return RESET

        bench = Bench(observe).run(*(draft(str(number), lane=str(number % 3)) for number in range(10)))
        assert sorted(bench.observations) == [str(number) for number in range(10)]
        assert [name for name, kind in bench.outcomes.items() if kind == "internal"] == ["3"]

    def test_the_order_of_lanes_is_seeded_and_not_that_of_the_plan(self) -> None:
        order: list[list[str]] = []
        for _ in range(2):
            begun: list[str] = []

            async def observe(context: Context, task: Task, begun: list[str] = begun) -> Any:
                begun.append(task.id)
                return RESET

            Bench(observe).run(*(draft(str(number)) for number in range(20)))
            order.append(begun)
        assert order[0] == order[1]
        assert order[0] != sorted(order[0])

    def test_an_empty_plan_ends_at_once(self) -> None:
        assert Bench(after(1)).run().story == []


class TestContinuations:
    """What the last answer leads to is part of the plan as soon as it is known."""

    def followed(self, task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
        return [draft(f"next-{len(lane)}")] if len(lane) < 4 else []

    def test_a_lane_goes_on_until_there_is_no_more(self) -> None:
        bench = Bench(after(1), self.followed).run(draft("first"))
        assert list(bench.observations) == ["first", "next-1", "next-2", "next-3"]

    def test_each_is_told_before_it_is_observed(self) -> None:
        bench = Bench(after(1), self.followed).run(draft("first"))
        told: set[str] = {bench.plan(draft("first")).tasks[0].id}
        for kind, what in bench.story:
            if kind == "added":
                told.add(what.id)
            else:
                assert what.id in told

    def test_they_come_before_what_was_planned_behind_them(self) -> None:
        def once(task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
            return [draft("a"), draft("b")] if task.id.endswith("first") else []

        bench = Bench(after(1), once).run(draft("first", lane="l"), draft("last", lane="l"))
        assert list(bench.observations) == ["first", "a", "b", "last"]

    def test_one_that_is_not_admitted_leaves_a_trace(self) -> None:
        def admit(task: Task) -> str:
            return "out-of-scope" if task.id.endswith("next-2") else ""

        bench = Bench(after(1), self.followed, admit).run(draft("first"))
        assert list(bench.observations) == ["first", "next-1"]
        assert [(skip.reason, skip.address) for skip in bench.skips] == [("out-of-scope", V4)]

    def test_a_probe_that_drafts_a_task_again_stops_the_run(self) -> None:
        def again(task: Task, lane: tuple[Observation, ...]) -> Iterable[Draft]:
            return [draft("first")]

        with pytest.raises(ExceptionGroup) as caught:
            Bench(after(1), again).run(draft("first"))
        assert caught.group_contains(PluginError, match="twice")


class TestCancellation:
    """What was seen is kept; what was under way has no outcome."""

    def test_what_was_seen_is_in_the_journal(self) -> None:
        bench = Bench(after(2))

        async def interrupted() -> None:
            playing = asyncio.create_task(bench.play(*(draft(str(number), lane="l") for number in range(9))))
            await asyncio.sleep(5)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing

        run_virtually(interrupted())
        assert bench.outcomes == {"0": "tcp", "1": "tcp"}

    def test_also_while_waiting_for_a_turn(self) -> None:
        bench = Bench(after(2), rates=Rates(udp_pps=1))

        async def interrupted() -> None:
            playing = asyncio.create_task(bench.play(*(draft(str(number), gate="tcp") for number in range(9))))
            await asyncio.sleep(5)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing

        run_virtually(interrupted())
        assert set(bench.outcomes.values()) == {"tcp"}
        assert len(bench.outcomes) == 2

    def test_a_probe_cannot_swallow_it(self) -> None:
        async def stubborn(context: Context, task: Task) -> Any:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                raise ValueError("instead") from None

        bench = Bench(stubborn)

        async def interrupted() -> None:
            playing = asyncio.create_task(bench.play(draft("one"), draft("two", lane="l"), draft("three", lane="l")))
            await asyncio.sleep(5)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing

        run_virtually(interrupted())
        assert bench.outcomes == {}

    def test_an_error_in_the_journal_stops_every_lane(self) -> None:
        bench = Bench(after(1))

        async def full() -> None:
            runtime = bench.runtime()

            def refuse(*_: object) -> None:
                raise OSError("disk full")

            quiet = dataclasses.replace(runtime, journal=Journal(refuse, refuse, refuse))
            plan = bench.plan(*(draft(str(number)) for number in range(5)))
            with pytest.raises(ExceptionGroup):
                await Scheduler(quiet, Planner((bench.spec(),), lambda task: "")).run(plan, None)
            assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

        run_virtually(full())
