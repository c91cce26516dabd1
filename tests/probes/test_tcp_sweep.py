"""The sweep over all TCP ports in made-up worlds: what it sees of them, and what is concluded from that."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flexiscan.engine.planner import as_task
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import TcpExchange
from flexiscan.model.facts_sweep import PortSet, TcpSweep
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.ports.all_ports import read_all_ports
from flexiscan.policy.ports.reading import PortReading
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Seen
from flexiscan.sdk import Knock, PlanView
from flexiscan_probes import tcp_sweep, tcp_sweep_run
from flexiscan_probes.tcp_rows import tcp_questions
from tests.probes.knock_twin import Outcome, SweepContext, World, host_unreachable, prohibited

ADDRESS = "192.0.2.10"
TARGET = Target(host="flexi.example.test")
EXPECTED = frozenset(tcp_questions(load_profile(), TARGET))
ODD = 4321
LAST_ASKED = 4500
WEB: Mapping[int, Outcome] = {80: "accepted", 443: "accepted"}


def task(**changes: Any) -> Task:
    params = {
        "excluded": list(range(LAST_ASKED + 1, 65536)),
        "expected": sorted(EXPECTED),
        "seed": 5,
        "guide": [443, "accepted"],
        "budget_s": 600.0,
    }
    return Task(
        id="sweep",
        probe="tcp.sweep",
        host=TARGET.host,
        role="tcp-sweep",
        address=ADDRESS,
        transport="tcp",
        lane="sweep",
        params={**params, **changes},
    )


async def sweep(world: World, *, pps: float = 2000.0, **changes: Any) -> TcpSweep:
    fact = await tcp_sweep.observe(SweepContext(world, pps=pps), task(**changes))
    assert isinstance(fact, TcpSweep)
    return fact


def judged(fact: TcpSweep, found: tuple[Seen, ...] = (), canaries: tuple[Seen, ...] = ()) -> PortReading:
    return read_all_ports(Seen(task(), fact, 0.0, 100.0), fact, found, EXPECTED, canaries)


def dropping(open_ports: Mapping[int, Outcome] = WEB) -> World:
    return lambda port, *_: open_ports.get(port, "silence")


def closed(open_ports: Mapping[int, Outcome] = WEB) -> World:
    return lambda port, *_: open_ports.get(port, "reset")


@pytest.mark.parametrize("world", [dropping(), closed()])
async def test_a_host_with_nothing_but_the_web_passes(world: World):
    fact = await sweep(world)
    reading = judged(fact)
    assert (reading.result, reading.confidence) == ("none-undeclared", "firm")
    assert fact.asked == PortSet(count=LAST_ASKED, runs=1, spans=((1, LAST_ASKED),))
    assert fact.accepted.spans == ((80, 80), (443, 443))
    assert reading.rests_on_absence == bool(fact.silent.count)
    assert fact.silent.count + fact.reset.count == LAST_ASKED - 2


@pytest.mark.parametrize("world", [dropping({**WEB, ODD: "accepted"}), closed({**WEB, ODD: "accepted"})])
async def test_an_odd_port_is_found_and_named(world: World):
    reading = judged(await sweep(world))
    assert (reading.result, reading.params["ports"]) == ("undeclared-open", ["4321"])


async def test_ports_with_a_rule_of_their_own_are_not_undeclared():
    world = dropping({**WEB, 22: "accepted", 2809: "accepted"})
    fact = await sweep(world)
    assert fact.accepted.count == 4
    assert judged(fact).result == "none-undeclared"


async def test_every_port_is_asked_once_and_silent_ones_once_more():
    ctx = SweepContext(lambda port, *_: "accepted" if port == 443 else "reset" if port % 2 else "silence", pps=200)
    await tcp_sweep.observe(ctx, task())
    once = [port for port in range(1, LAST_ASKED + 1, 2) if ctx.met[port] != 1 and port != 443]
    twice = [port for port in range(2, LAST_ASKED + 1, 2) if ctx.met[port] != 2]
    assert len(once) <= tcp_sweep.CANARIES
    assert len(twice) <= tcp_sweep.CANARIES
    assert not [port for port in ctx.met if port > LAST_ASKED]


async def test_excluded_ports_are_never_touched():
    ctx = SweepContext(dropping({}))
    excluded = [22, 443, *range(LAST_ASKED + 1, 65536)]
    fact = await tcp_sweep.observe(ctx, task(excluded=excluded, guide=[80, "accepted"]))
    assert isinstance(fact, TcpSweep)
    assert not set(excluded) & set(ctx.met)
    assert fact.ports_total == LAST_ASKED - 2


async def test_a_port_that_takes_every_second_syn_is_found():
    def world(port: int, number: int, _: float) -> Outcome:
        return "accepted" if port in WEB or (port == ODD and number % 2) else "silence"

    fact = await sweep(world, pps=200)
    assert (fact.late, fact.passes) == (1, 2)
    assert judged(fact).params["ports"] == ["4321"]


async def test_what_has_answered_once_is_not_taken_back():
    """A port that accepted stays open, whatever it does later."""
    run = tcp_sweep_run.TcpSweepRun(
        SweepContext(closed()), SweepContext(closed()).knocks(ADDRESS), [1, 2], [], random.Random(1), None, 1e9
    )
    for outcome in ("silence", "accepted", "reset"):
        run._note(Knock(1, outcome, None, 0.0))
    assert run.accepted == {1}
    assert run.with_outcome("reset").count == 0


async def test_lost_syns_are_asked_a_third_time_and_believed_when_few():
    chance = random.Random(3)

    def world(port: int, *_: object) -> Outcome:
        return "silence" if chance.random() < 0.05 else WEB.get(port, "reset")

    fact = await sweep(world, pps=200)
    assert fact.passes == 3
    reading = judged(fact)
    assert reading.result == "none-undeclared"
    assert fact.late > 100


@pytest.mark.parametrize("lost", [0.5, 0.8])
async def test_too_many_lost_syns_prove_nothing(lost: float):
    chance = random.Random(3)

    def world(port: int, *_: object) -> Outcome:
        return "silence" if chance.random() < lost else WEB.get(port, "silence")

    reading = judged(await sweep(world, pps=200))
    assert reading.result in ("answers-lost", "control-lost")


@pytest.mark.parametrize("spares_web", [True, False])
@pytest.mark.parametrize("default", ["reset", "silence"])
async def test_a_limit_on_syns_never_passes_a_hidden_port(spares_web: bool, default: Outcome):
    """Unless nothing at all tells of the limit: it spares the web, and everything else is dropped anyway."""
    allowed: dict[int, int] = {}

    def world(port: int, _: int, at_s: float) -> Outcome:
        second = int(at_s)
        if not (spares_web and port in WEB):
            allowed[second] = allowed.get(second, 0) + 1
            if allowed[second] > 100:
                return "silence"
        found: Outcome = "accepted"
        return found if port in (*WEB, ODD) else default

    result = judged(await sweep(world, pps=500)).result
    if spares_web and default == "silence":
        assert result in ("undeclared-open", "none-undeclared")
    else:
        assert result in ("undeclared-open", "answers-lost", "control-lost", "canaries-disagree")


@pytest.mark.parametrize("how", ["silence", "reset"])
async def test_being_shut_out_ends_the_sweep_and_proves_nothing(how: Outcome):
    def world(port: int, _: int, at_s: float) -> Outcome:
        return how if at_s > 5 else WEB.get(port, "silence")

    fact = await sweep(world, pps=200)
    assert fact.stopped == "guide-lost"
    assert fact.waited_s < 30
    assert judged(fact).result == "control-lost"


async def test_what_was_found_before_being_shut_out_stands():
    def world(port: int, _: int, at_s: float) -> Outcome:
        open_port: Outcome = "accepted" if port in WEB or 2000 <= port < 2100 else "reset"
        return "silence" if at_s > 20 else open_port

    fact = await sweep(world, pps=200)
    assert fact.stopped == "guide-lost"
    assert judged(fact).result == "undeclared-open"


async def test_being_shut_out_of_closed_ports_alone_shows_in_the_canaries():
    def world(port: int, _: int, at_s: float) -> Outcome:
        return WEB.get(port, "silence" if at_s > 2 else "reset")

    assert judged(await sweep(world)).result in ("canaries-disagree", "answers-lost")


async def test_a_tarpit_is_noticed_before_the_sweep():
    fact = await sweep(lambda *_: "accepted")
    assert (fact.stopped, fact.asked.count) == ("everything-answers", 1)
    assert judged(fact).result == "everything-answers"


@pytest.mark.parametrize("after_s", [0.5, 1.5, 2.5])
async def test_a_tarpit_that_wakes_up_is_noticed(after_s: float):
    def world(port: int, _: int, at_s: float) -> Outcome:
        return "accepted" if at_s > after_s else WEB.get(port, "silence")

    fact = await sweep(world)
    assert fact.stopped == "everything-answers"
    assert fact.accepted.count < 200
    assert judged(fact).result == "everything-answers"
    assert list(tcp_sweep.proceed(task(), (observation(fact),))) == []


async def test_many_open_ports_are_no_tarpit():
    fact = await sweep(closed({**WEB, **dict.fromkeys(range(3500, 4000), "accepted")}))
    reading = judged(fact)
    assert (reading.result, reading.params["ports"], reading.params["open_ports"]) == (
        "undeclared-open",
        ["3500-3999"],
        500,
    )


async def test_rejected_ports_pass_although_errors_are_limited():
    sent: dict[int, int] = {}

    def world(port: int, _: int, at_s: float) -> Outcome | IcmpError:
        if port in WEB:
            return WEB[port]
        sent[int(at_s)] = sent.get(int(at_s), 0) + 1
        return prohibited(ADDRESS) if sent[int(at_s)] <= 3 else "silence"

    fact = await sweep(world, pps=200)
    assert fact.icmp[0].ports.count > 5
    assert judged(fact).result == "none-undeclared"


async def test_a_broken_way_proves_nothing():
    def world(port: int, *_: object) -> Outcome | IcmpError:
        return host_unreachable(ADDRESS) if port == ODD else WEB.get(port, "silence")

    fact = await sweep(world)
    assert fact.astray.spans == ((ODD, ODD),)
    assert judged(fact).result == "path-error"


async def test_a_few_dropped_ranges_among_closed_ports_pass_with_doubt():
    dropped = {*range(135, 140), 445, *range(1433, 1435)}
    fact = await sweep(lambda port, *_: WEB.get(port, "silence" if port in dropped else "reset"))
    reading = judged(fact)
    assert (reading.result, reading.confidence, reading.params["silent"]) == ("none-undeclared", "tentative", 8)


async def test_without_a_port_that_answers_silence_means_nothing():
    fact = await sweep(dropping({}), guide=None)
    assert (fact.passes, fact.guides) == (1, 0)
    assert judged(fact).result == "control-lost"
    found = await sweep(dropping({ODD: "accepted"}), guide=None)
    assert judged(found).result == "undeclared-open"


async def test_a_sweep_that_ran_out_of_time_says_so_and_keeps_what_it_found():
    assert judged(await sweep(dropping(), pps=200, budget_s=10.0)).result == "sweep-unfinished"
    many: dict[int, Outcome] = {**WEB, **dict.fromkeys(range(2000, 2100), "accepted")}
    fact = await sweep(dropping(many), pps=200, budget_s=10.0)
    assert fact.stopped == "budget"
    assert judged(fact).result == "undeclared-open"


async def test_canaries_of_the_first_round_count_too():
    """A device that accepted everything then, and nothing now, makes every open port doubtful."""
    canary = Seen(task(), TcpExchange(connect="accepted"), 0.0, 1.0)
    assert judged(await sweep(dropping()), canaries=(canary,)).result == "none-undeclared"
    assert judged(await sweep(dropping()), canaries=(canary, canary)).result == "everything-answers"


def observation(outcome: Any) -> Observation:
    now = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
    return Observation(id="sweep", started=now, ended=now, outcome=outcome)


def view(**changes: Any) -> PlanView:
    usual: dict[str, Any] = {
        "round": tcp_sweep.ROUND,
        "target": TARGET,
        "addresses": (TargetAddress(address=ADDRESS, family=family_of(ADDRESS)),),
        "profile": load_profile(),
        "depth": "full",
        "seed": 3,
        "tasks": {},
        "seen": {},
        "options": {"udp_pps": 200, "excluded_ports": (25, 26)},
    }
    return PlanView(**{**usual, **changes})


@pytest.mark.parametrize("depth", ["quick", "standard"])
def test_only_a_full_scan_sweeps(depth: str):
    assert list(tcp_sweep.plan(view(depth=depth))) == []
    assert [list(tcp_sweep.plan(view(round=number))) for number in range(4)] == [[]] * 4
    assert len(list(tcp_sweep.plan(view()))) == 1


def test_the_plan_says_how_long_it_takes():
    answered = replace_seen(443, "accepted")
    (draft,) = tcp_sweep.plan(view(**answered))
    assert draft.params["guide"] == [443, "accepted"]
    assert draft.params["excluded"] == [25, 26]
    assert 2 * 65533 <= draft.datagrams <= 2.02 * 65533
    assert draft.deadline_s > draft.params["budget_s"] > draft.datagrams / 200
    assert list(tcp_sweep.plan(view(**answered))) == [draft]


@pytest.mark.parametrize(
    ("answers", "guide"),
    [
        ({443: "silence", 80: "accepted"}, [80, "accepted"]),
        ({443: "reset", 22: "accepted"}, [22, "accepted"]),
        ({443: "silence", 5060: "reset"}, [5060, "reset"]),
        ({443: "silence", 5060: "silence"}, None),
    ],
)
def test_the_guide_is_the_port_that_answers_best(answers: dict[int, str], guide: Any):
    tasks: dict[str, Task] = {}
    seen: dict[str, Observation] = {}
    for port, connect in answers.items():
        more = replace_seen(port, connect)
        tasks |= more["tasks"]
        seen |= more["seen"]
    (draft,) = tcp_sweep.plan(view(tasks=tasks, seen=seen))
    assert draft.params["guide"] == guide


def replace_seen(port: int, connect: Any) -> dict[str, Any]:
    name = f"tcp/{port}"
    asked = task().model_copy(update={"id": name, "role": "tcp", "port": port})
    return {"tasks": {name: asked}, "seen": {name: observation(TcpExchange(connect=connect))}}


async def test_found_ports_are_asked_who_they_are_until_they_are_known():
    fact = await sweep(closed({**WEB, **dict.fromkeys(range(3000, 3030), "accepted")}))
    first = list(tcp_sweep.proceed(task(), (observation(fact),)))
    assert len(first) == tcp_sweep.MOST_FOUND
    assert {draft.name for draft in first} == {"banner"}
    asked = as_task(tcp_sweep.SPEC, replace(first[0]), view())
    assert asked.role == "tcp-found"

    def following(**answer: Any) -> list[str]:
        outcome = TcpExchange(**{"connect": "accepted", "reply": "silence", **answer})
        return [draft.name for draft in tcp_sweep.proceed(asked, (observation(outcome),))]

    assert following() == ["http"]
    assert following(reply="data", service="ssh") == []
    assert following(connect="reset", reply="not-asked") == []
    last = asked.model_copy(update={"params": {"question": "tls"}})
    assert list(tcp_sweep.proceed(last, (observation(TcpExchange(connect="accepted")),))) == []


async def test_services_are_named_and_make_it_certain():
    fact = await sweep(dropping({**WEB, ODD: "accepted"}))
    asked = task().model_copy(update={"role": "tcp-found", "port": ODD})
    ssh = Seen(asked, TcpExchange(connect="accepted", reply="data", service="ssh"), 0.0, 1.0)
    gone = Seen(asked, TcpExchange(connect="reset"), 0.0, 1.0)
    assert judged(fact, (ssh,)).params["services"] == ["4321 ssh"]
    assert [judged(fact, found).confidence for found in ((ssh,), (), (gone,))] == [
        "confirmed",
        "tentative",
        "tentative",
    ]


def test_port_sets_are_compact():
    ports = PortSet.of([5, 3, 4, 10, 3])
    assert (ports.count, ports.runs, ports.spans) == (4, 2, ((3, 5), (10, 10)))
    assert list(ports.ports()) == [3, 4, 5, 10]
    scattered = PortSet.of(range(1, 65536, 2))
    assert (scattered.count, len(scattered.spans)) == (32768, 2000)
