"""The plans of the port probes: pure, complete, in the right lanes."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from flexiscan.engine.planner import as_task
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import UdpExchange
from flexiscan.model.icmp import IcmpError
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import Draft, PlanView
from flexiscan_probes import rtp, tcp, udp
from flexiscan_probes.tcp_dialogue import TCP_QUESTIONS
from flexiscan_probes.udp_questions import requests_of, udp_question_for, waits_of
from tests.probes.twin import TwinContext

ADDRESSES = ("192.0.2.10", "192.0.2.11", "2001:db8:2::10")


def view(round_number: int, *, seed: int = 3, target: Target | None = None) -> PlanView:
    return PlanView(
        round=round_number,
        target=target or Target(host="flexi.example.test"),
        addresses=tuple(TargetAddress(address=address, family=family_of(address)) for address in ADDRESSES),
        profile=load_profile(),
        depth="standard",
        seed=seed,
        tasks={},
        seen={},
    )


def drafts(round_number: int, **changes: object) -> list[Draft]:
    look = view(round_number, **changes)  # type: ignore[arg-type]
    return [*tcp.plan(look), *udp.plan(look), *rtp.plan(look)]


def test_plans_are_pure():
    assert drafts(1) == drafts(1)
    assert drafts(udp.ROUND) == drafts(udp.ROUND)
    assert drafts(udp.ROUND) != drafts(udp.ROUND, seed=4)
    assert drafts(0) == []


def test_names_are_unique_and_every_address_gets_the_same_questions():
    everything = drafts(1) + drafts(2)
    keys = [(d.role, d.address, d.transport, d.port, d.name) for d in everything]
    assert not [key for key, times in Counter(keys).items() if times > 1]
    asked = {
        address: {(d.transport, d.port, d.name) for d in everything if d.address == address and "canary" not in d.role}
        for address in ADDRESSES
    }
    assert asked[ADDRESSES[0]] == asked[ADDRESSES[1]] == asked[ADDRESSES[2]]


def test_every_row_of_the_profile_is_asked_with_a_known_question():
    everything = {(d.transport, d.port): d for d in drafts(1) + drafts(2) if d.address == ADDRESSES[2]}
    for row in load_profile().ports:
        draft = everything[row.transport, None if row.last_port else row.port]
        if row.last_port is None:
            assert draft.params["question"] == row.question
        if row.transport == "tcp":
            assert row.question in TCP_QUESTIONS


def test_web_ports_and_declared_ports_are_asked():
    target = Target(host="flexi.example.test", http_port=8000, https_port=9443, mitai_ports=(8001,))
    asked = {d.port: d.name for d in tcp.plan(view(1, target=target)) if d.role == "tcp"}
    wanted = {80: "http", 443: "tls", 8000: "http", 9443: "tls", 8001: "banner"}
    assert {port: asked[port] for port in wanted} == wanted


def test_canaries_meet_no_port_that_is_asked():
    everything = drafts(1) + drafts(2)
    asked = {d.port for d in everything if d.role in ("tcp", "udp")}
    canaries = {d.port for d in everything if d.role.endswith("-canary")}
    assert len([d for d in everything if d.role == "tcp-canary"]) == 3 * len(ADDRESSES)
    assert not asked & canaries
    assert not canaries & set(range(40000, 50001))


def test_udp_stands_in_one_lane_an_address_between_canaries_and_the_sweep_is_last():
    for address in ADDRESSES:
        lane = [d for d in drafts(udp.ROUND) if d.lane == f"udp/{address}"]
        roles = [d.role for d in lane]
        assert roles[0] == "udp-canary"
        assert roles[-2:] == ["udp-canary", "rtp-sweep"]
        assert Counter(roles) == {"udp": 7, "udp-canary": 3, "rtp-sweep": 1}
        assert roles.index("udp-canary", 1) not in (1, len(roles) - 2)


def test_estimates_cover_what_is_sent():
    chance = TwinContext().random
    for draft in udp.plan(view(udp.ROUND)):
        question = udp_question_for(
            str(draft.params["question"]),
            address=str(draft.address),
            port=draft.port or 0,
            user_agent="x",
            chance=chance,
        )
        assert question.waits_s == waits_of(draft.name)
        assert len(question.requests) == requests_of(draft.name)
        assert draft.datagrams == len(question.waits_s) * len(question.requests)
        assert draft.silence_s == sum(question.waits_s) < draft.deadline_s
    for draft in rtp.plan(view(udp.ROUND)):
        assert draft.datagrams >= 2 * 500 + 2 * 8
        assert draft.silence_s < draft.deadline_s


SILENCE = UdpExchange(reply="silence")
UNREACHABLE = UdpExchange(reply="icmp", icmp=IcmpError(family="ipv4", icmp_type=3, code=3, offender="192.0.2.1"))


def view_after(round_number: int, answer: Callable[[Draft], UdpExchange]) -> PlanView:
    """The view of a round when every UDP draft of the rounds before was answered like this."""
    look = view(1)
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    tasks: dict[str, Task] = {}
    seen: dict[str, Observation] = {}
    for number in range(1, round_number):
        look = replace(view(number), tasks=dict(tasks), seen=dict(seen))
        for draft in udp.plan(look):
            task = as_task(udp.SPEC, draft, look)
            tasks[task.id] = task
            seen[task.id] = Observation(id=task.id, started=moment, ended=moment, outcome=answer(draft))
    return replace(view(round_number), tasks=tasks, seen=seen)


def test_questions_go_side_by_side_where_no_icmp_error_can_be_starved():
    def silent(_: Draft) -> UdpExchange:
        return SILENCE

    asked = list(udp.plan(view_after(2, silent)))
    assert [draft.role for draft in asked] == ["udp"] * 7 * len(ADDRESSES)
    assert {draft.lane for draft in asked} == {""}
    assert {draft.lane for draft in rtp.plan(view_after(2, silent))} == {""}
    assert [draft.role for draft in udp.plan(view_after(3, silent))] == ["udp-canary"] * 2 * len(ADDRESSES)


def test_questions_stand_in_one_lane_where_icmp_errors_come_back():
    def unreachable(_: Draft) -> UdpExchange:
        return UNREACHABLE

    asked = list(udp.plan(view_after(2, unreachable)))
    assert len({draft.lane for draft in asked}) == len(ADDRESSES)
    assert [draft.role for draft in asked].count("udp-canary") == 3 * len(ADDRESSES)
    assert list(udp.plan(view_after(3, unreachable))) == []


def test_one_hole_with_a_closed_port_behind_it_does_not_take_the_last_canaries_away():
    """Without them the silence of all other ports could not be judged."""

    def one_hole(draft: Draft) -> UdpExchange:
        return UNREACHABLE if draft.port == 5060 else SILENCE

    assert [draft.role for draft in udp.plan(view_after(3, one_hole))] == ["udp-canary"] * 2 * len(ADDRESSES)


def test_a_canary_that_could_not_be_asked_keeps_the_questions_in_one_lane():
    assert {draft.lane for draft in udp.plan(view(2))} == {f"udp/{address}" for address in ADDRESSES}
