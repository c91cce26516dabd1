"""What is asked on a port that accepted, after its first question: which, in which order, and when not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import pytest

from flexiscan.engine.planner import as_task
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import Fact, TcpExchange, UdpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import Draft, PlanView
from flexiscan_probes import tcp, tcp_service
from flexiscan_probes.tcp_dialogue import TCP_QUESTIONS
from flexiscan_probes.tcp_service import next_question

V4, V6 = "192.0.2.10", "2001:db8:2::10"
BOTH = pytest.mark.parametrize("address", [V4, V6])
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DROPPED = TcpExchange(connect="silence", attempts=2)
TARGET = Target(host="flexi.example.test")


def accepted(service: str | None = None, *, inside_tls: bool = False) -> TcpExchange:
    reply = "silence" if service is None else "data"
    return TcpExchange.model_validate(
        {"connect": "accepted", "reply": reply, "service": service, "inside_tls": inside_tls}
    )


def first_round(target: Target = TARGET) -> PlanView:
    return PlanView(
        round=1,
        target=target,
        addresses=tuple(TargetAddress(address=address, family=family_of(address)) for address in (V4, V6)),
        profile=load_profile(),
        depth="standard",
        seed=3,
        tasks={},
        seen={},
    )


def view_after(
    facts: Mapping[tuple[str, int], Fact | Failure], *, canary: TcpExchange = DROPPED, target: Target = TARGET
) -> PlanView:
    """The view of round 2 when the ports did this and all others dropped what came."""
    look = first_round(target)
    tasks = {task.id: task for task in (as_task(tcp.SPEC, draft, look) for draft in tcp.plan(look))}
    seen = {}
    for task in tasks.values():
        usual = canary if task.role == "tcp-canary" else DROPPED
        outcome = facts.get((str(task.address), task.port or 0), usual)
        seen[task.id] = Observation(id=task.id, started=MOMENT, ended=MOMENT, outcome=outcome)
    return replace(look, round=2, tasks=tasks, seen=seen)


def asked(view: PlanView) -> dict[tuple[str | None, int | None], str]:
    return {(draft.address, draft.port): draft.name for draft in tcp_service.plan(view)}


def continued(view: PlanView, *answers: TcpExchange | Failure) -> list[str]:
    """The names of the questions of the only lane, when they are answered like this."""
    [draft] = tcp_service.plan(view)
    names = [draft.name]
    observations: list[Observation] = []
    for answer in answers:
        task = as_task(tcp_service.SPEC, draft, view)
        observations.append(Observation(id=task.id, started=MOMENT, ended=MOMENT, outcome=answer))
        following = list(tcp_service.proceed(task, tuple(observations)))
        if not following:
            return names
        [draft] = following
        assert draft.lane == task.lane
        assert draft.params["question"] in TCP_QUESTIONS
        names.append(draft.name)
    return names


@BOTH
def test_nothing_follows_where_nobody_accepted_or_the_service_is_known(address: str):
    assert asked(view_after({})) == {}
    known = {(address, 2809): accepted("giop"), (address, 5060): accepted("sip"), (address, 22): accepted("ssh")}
    assert asked(view_after(known)) == {}
    lost: dict[tuple[str, int], Fact | Failure] = {
        (address, 13317): Failure(reason="deadline"),
        (address, 1337): TcpExchange(connect="reset"),
    }
    assert asked(view_after(lost)) == {}


@BOTH
@pytest.mark.parametrize("port", [50797, 33333, 13317, 1337, 135, 2809, 5060, 1433, 1339, 5985])
def test_a_port_that_said_nothing_known_is_asked_for_tls_first(address: str, port: int):
    assert asked(view_after({(address, port): accepted()})) == {(address, port): "tls"}


@BOTH
@pytest.mark.parametrize("port", [9692, 13404, 8443, 5061, 5986])
def test_a_port_that_was_asked_for_tls_is_asked_for_a_page_next(address: str, port: int):
    assert asked(view_after({(address, port): accepted()})) == {(address, port): "http"}


@pytest.mark.parametrize(
    ("port", "answers", "names"),
    [
        (13317, [accepted(), accepted()], ["tls", "http"]),
        (13317, [accepted("tls"), accepted("http", inside_tls=True)], ["tls", "inside-http"]),
        (13317, [accepted("tls"), accepted(inside_tls=True)], ["tls", "inside-http"]),
        (1339, [accepted("tls"), accepted("ctstack-config", inside_tls=True)], ["tls", "inside-http"]),
        (1339, [accepted()], ["tls"]),  # the page was the first question already
        (5985, [accepted("tls"), accepted()], ["tls", "inside-winrm"]),
        (5060, [accepted("tls"), accepted()], ["tls", "inside-sip"]),
        (13317, [TcpExchange(connect="silence")], ["tls"]),  # it is gone: nobody is asked again
        (13317, [Failure(reason="deadline")], ["tls"]),
    ],
)
def test_one_question_follows_from_the_other(port: int, answers: list[TcpExchange | Failure], names: list[str]):
    assert continued(view_after({(V4, port): accepted()}), *answers) == names


@pytest.mark.parametrize(
    ("port", "name"), [(5061, "inside-sip"), (5986, "inside-winrm"), (8443, "inside-http"), (9692, "inside-http")]
)
def test_what_fits_is_asked_inside_tls(port: int, name: str):
    view = view_after({(V6, port): accepted("tls")})
    [draft] = tcp_service.plan(view)
    assert (draft.name, draft.role, draft.gate) == (name, "tcp-service", "tls")
    assert draft.params["inside_tls"] is True


def test_the_web_probe_is_not_anticipated():
    target = Target(host="flexi.example.test", https_port=9443, ports=("telephony-manager",))
    ports = {443: "tls", 9443: "tls", 80: "http", 4443: "tls", 9692: "tls"}
    view = view_after({(V4, port): accepted(service) for port, service in ports.items()}, target=target)
    assert asked(view) == {}
    assert asked(view_after({(V4, 443): accepted(), (V4, 9443): accepted()}, target=target)) == {}


def test_canaries_that_accepted_are_asked_alike_and_in_a_role_of_their_own():
    drafts = list(tcp_service.plan(view_after({}, canary=accepted())))
    assert {(draft.role, draft.name) for draft in drafts} == {("tcp-canary-service", "tls")}
    assert len(drafts) == 2 * tcp.CANARIES
    talking = view_after({}, canary=accepted("tls"))
    assert asked(talking) == {}


def test_every_chain_ends():
    """Whatever is answered, no question is put twice."""
    for own in sorted(TCP_QUESTIONS):
        for inside in ("", "http", "sip", "winrm"):
            for answer in (None, "tls", "http", "sip"):
                services: dict[str, str | None] = {own: None}
                while (step := next_question(own, inside, services)) is not None:
                    assert step not in services
                    services[step] = answer
                assert len(services) <= 4


# --- ports that SQL Server Browser names ---


def view_with_browser(listed: Mapping[str, tuple[int, ...]], target: Target = TARGET) -> PlanView:
    look = replace(view_after({}, target=target), round=3)
    tasks: dict[str, Task] = dict(look.tasks)
    seen = dict(look.seen)
    for address, ports in listed.items():
        draft = Draft(role="udp", name="sql-browser", address=address, transport="udp", port=1434)
        task = as_task(tcp.SPEC, draft, look)
        answer = UdpExchange(reply="data", service="sql-browser", tcp_ports=ports)
        tasks[task.id] = task
        seen[task.id] = Observation(id=task.id, started=MOMENT, ended=MOMENT, outcome=answer)
    return replace(look, tasks=tasks, seen=seen)


def test_listed_ports_are_asked_at_the_address_that_listed_them():
    drafts = list(tcp.plan(view_with_browser({V4: (51433, 50999)})))
    assert [(d.role, d.address, d.port, d.name) for d in drafts] == [
        ("tcp", V4, 50999, "tds"),
        ("tcp", V4, 51433, "tds"),
    ]
    both = list(tcp.plan(view_with_browser({V4: (51433,), V6: (51434,)})))
    assert [(d.address, d.port) for d in both] == [(V4, 51433), (V6, 51434)]


def test_a_list_leads_to_no_port_that_is_asked_anyway():
    target = Target(host="flexi.example.test", https_port=9443, mitai_ports=(8001,))
    assert list(tcp.plan(view_with_browser({V4: (443, 80, 9443, 8001, 1433, 3389, 5060)}, target))) == []


def test_without_a_list_round_three_asks_nothing():
    assert list(tcp.plan(view_with_browser({}))) == []
