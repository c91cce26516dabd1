"""What the web probe asks, in which order, when it goes on and when it stops."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest

from flexiscan.engine.planner import Planner, as_task
from flexiscan.model.endpoint import TargetAddress, family_of
from flexiscan.model.facts import Fact, HttpExchange, TcpExchange
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import PlanView
from flexiscan_probes import http
from flexiscan_probes.http_questions import ADMIN_TARGETS, WORD_LETTERS, imitate, subject_of

HOST = "flexi.example.test"
IPV4, IPV6 = "192.0.2.10", "2001:db8:2::10"
NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
MOST_REQUESTS = 55
"""To one port, HTTP/2 included: a scan of two addresses with 80 and 443 stays below 200 requests."""
Answer = Callable[[Task], Fact | Failure]


def view(target: Target, accepted: tuple[int, ...], number: int = 2, seed: int = 1) -> PlanView:
    tasks: dict[str, Task] = {}
    seen: dict[str, Observation] = {}
    for address in (IPV4, IPV6):
        for port in (80, 443, 8080, 4443, 9692, 13404, 2000, 22):
            name = f"tcp/{address}/{port}"
            tasks[name] = Task(
                id=name, probe="tcp", host=HOST, role="tcp", address=address, transport="tcp", port=port, lane=name
            )
            state = TcpExchange(connect="accepted" if port in accepted else "silence")
            seen[name] = Observation(id=name, started=NOW, ended=NOW, outcome=state)
    addresses = tuple(TargetAddress(address=a, family=family_of(a)) for a in (IPV4, IPV6))
    return PlanView(number, target, addresses, load_profile(), "standard", seed, tasks, seen)


def exchange(task: Task, **changes: object) -> HttpExchange:
    fields = {
        "scheme": "http" if task.params["channel"] == "http" else "https",
        "method": "GET",
        "target": task.params["target"],
        "host": HOST,
        "outcome": "response",
        "status": 404,
    }
    return HttpExchange.model_validate(fields | changes)


def lanes(answer: Answer, target: Target | None = None, accepted: tuple[int, ...] = (443,)) -> dict[str, list[Task]]:
    """Every task of every lane, in the order in which they run."""
    seen = view(target or Target(host=HOST), accepted)
    planner = Planner((http.SPEC,), lambda _: "")
    asked: dict[str, list[Task]] = {}
    known: list[str] = []
    for draft in http.plan(seen):
        waiting = [as_task(http.SPEC, draft, seen)]
        history: list[Observation] = []
        while waiting:
            task = waiting.pop(0)
            known.append(task.id)
            asked.setdefault(task.lane, []).append(task)
            history.append(Observation(id=task.id, started=NOW, ended=NOW, outcome=answer(task)))
            waiting[:0] = planner.proceed(http.SPEC, task, tuple(history), known)[0]
    return asked


def test_plans_in_round_two_for_ports_that_accepted():
    assert list(http.plan(view(Target(host=HOST), (443,), number=1))) == []
    drafts = list(http.plan(view(Target(host=HOST), (443, 22, 9692))))
    assert [(d.address, d.port, d.role, d.gate) for d in drafts] == [
        (IPV4, 443, "web-look", "http"),
        (IPV6, 443, "web-look", "http"),
    ]


def test_declared_ports_are_looked_at_too():
    target = Target(host=HOST, ports=("telephony-manager", "active-state"), mitai_ports=(2000,))
    drafts = list(http.plan(view(target, (443, 9692, 13404, 2000))))
    assert sorted({d.port for d in drafts if d.port}) == [443, 2000, 9692, 13404]


def test_the_same_view_gives_the_same_drafts_and_another_seed_other_words():
    one, same = (list(http.plan(view(Target(host=HOST), (443, 80)))) for _ in range(2))
    other = list(http.plan(view(Target(host=HOST), (443, 80), seed=2)))
    assert one == same
    assert one != other


@pytest.mark.parametrize(("channel", "targets"), [("https", ADMIN_TARGETS), ("h2", ("/admin/",))])
def test_the_targets_stand_between_their_controls(channel: str, targets: tuple[str, ...]):
    asked = lanes(exchange)[f"web/{IPV4}/443"]
    order = [(t.role, t.params) for t in asked if t.params["channel"] == channel]
    own = [(role, params) for role, params in order if params.get("agent", "own") == "own"]
    for target in targets:
        turns = [i for i, (role, params) in enumerate(own) if role == "web-admin" and params["target"] == target]
        controls = [i for i, (role, params) in enumerate(own) if params.get("shape") == target]
        assert len(turns) == 2
        assert len(controls) == 2
        assert controls[0] < turns[0] < controls[1] < turns[1]
    phases = [params["phase"] for role, params in own if role == "web-canary"]
    assert phases == sorted(phases, key=["before", "during", "after"].index)
    assert own[-1][1]["phase"] == "after"
    targets_at = [i for i, (role, _) in enumerate(own) if role == "web-admin"]
    canaries_at = [i for i, (role, _) in enumerate(own) if role == "web-canary"]
    middle = canaries_at[len(canaries_at) // 2]
    assert canaries_at[0] < targets_at[0] < middle < targets_at[-1] < canaries_at[-1]


@pytest.mark.parametrize("target", ADMIN_TARGETS)
def test_missing_paths_have_the_shape_of_their_target(target: str):
    missing = imitate(target, subject_of(None, "seed").words)
    assert missing != target
    assert len(missing) == len(target)
    assert missing.isupper() == target.isupper()
    assert re.sub("(?i)[a-z]{5}", "w", missing) == re.sub("(?i)admin|index", "w", target)


def test_random_words_are_plain_letters():
    words = subject_of(None, "seed").words
    assert all(re.fullmatch(f"[a-z]{{{WORD_LETTERS}}}", word) for word in words)
    assert len(set(words)) == len(words)


def test_canaries_are_the_declared_applications():
    asked = lanes(exchange, Target(host=HOST, apps=("api", "tidweb")))[f"web/{IPV4}/443"]
    assert {t.params["target"] for t in asked if t.role == "web-canary"} == {"/", "/api/", "/tidweb/"}


@pytest.mark.parametrize("accepted", [(443,), (80, 443), (80, 443, 8080, 4443)])
def test_the_number_of_requests_is_bounded(accepted: tuple[int, ...]):
    for tasks in lanes(exchange, accepted=accepted).values():
        assert 30 <= len(tasks) <= MOST_REQUESTS


def test_http_2_is_asked_only_where_it_is_agreed():
    def without_h2(task: Task) -> HttpExchange:
        refused = {"outcome": "not-http", "status": None, "detail": "no-h2"}
        return exchange(task, **(refused if task.params["channel"] == "h2" else {}))

    tasks = lanes(without_h2)[f"web/{IPV4}/443"]
    assert [t.role for t in tasks if t.params["channel"] == "h2"] == ["web-look"]


def test_a_redirector_is_asked_less():
    def redirect(task: Task) -> HttpExchange:
        location = f"https://{HOST}{task.params['target']}"
        return exchange(task, status=301, headers=(("Location", location),))

    tasks = lanes(redirect, accepted=(80,))[f"web/{IPV4}/80"]
    assert 15 <= len(tasks) <= 25
    assert tasks[-1].params["phase"] == "after"
    assert any(t.params.get("sample") == "query" for t in tasks)


@pytest.mark.parametrize("outcome", ["timeout", "tls-failed", "not-http", "closed", "reset", "connect-silence"])
def test_where_nobody_speaks_http_only_the_other_channel_is_tried(outcome: str):
    tasks = lanes(lambda task: exchange(task, outcome=outcome, status=None))[f"web/{IPV4}/443"]
    assert [(t.role, t.params["channel"]) for t in tasks] == [("web-look", "https"), ("web-look", "http")]


def test_a_tls_port_that_refuses_plain_http_is_not_asked_on():
    tasks = lanes(lambda task: exchange(task, status=400))[f"web/{IPV4}/443"]
    assert [t.role for t in tasks] == ["web-look", "web-look"]


def test_a_silent_service_gets_three_correct_questions():
    target = Target(host=HOST, ports=("telephony-manager",))
    tasks = lanes(lambda task: exchange(task, outcome="timeout", status=None), target, (9692,))[f"web/{IPV4}/9692"]
    assert [(t.params["channel"], t.params["target"]) for t in tasks] == [
        ("http", "/"),
        ("http", "/admin/"),
        ("https", "/"),
    ]


def test_a_service_that_is_a_web_server_is_asked_everything():
    target = Target(host=HOST, ports=("telephony-manager",))
    assert len(lanes(exchange, target, (9692,))[f"web/{IPV4}/9692"]) > 30


@pytest.mark.parametrize("number", [1, 5, 12])
def test_stops_when_asked_to_slow_down(number: int):
    counts: dict[str, int] = {}

    def limited(task: Task) -> HttpExchange:
        counts[task.lane] = counts.get(task.lane, 0) + 1
        return exchange(task, status=429 if counts[task.lane] >= number else 404)

    assert len(lanes(limited)[f"web/{IPV4}/443"]) <= 15


def test_stops_when_answers_stop():
    counts: dict[str, int] = {}

    def failing(task: Task) -> HttpExchange:
        counts[task.lane] = counts.get(task.lane, 0) + 1
        return exchange(task, outcome="timeout", status=None) if counts[task.lane] > 8 else exchange(task)

    assert len(lanes(failing)[f"web/{IPV4}/443"]) == 15


def test_stops_when_it_is_turned_away():
    counts: dict[str, int] = {}

    def banning(task: Task) -> HttpExchange:
        counts[task.lane] = counts.get(task.lane, 0) + 1
        return exchange(task, status=200 if counts[task.lane] <= 6 else 403)

    assert len(lanes(banning)[f"web/{IPV4}/443"]) == 15


def test_stops_when_we_cannot_look():
    tasks = lanes(lambda _: Failure(reason="no-route"))[f"web/{IPV4}/443"]
    assert len(tasks) == 1


def test_the_dry_run_foresees_a_whole_scan():
    foreseen = lanes(http.expected, accepted=(80, 443))
    assert {name: len(tasks) for name, tasks in foreseen.items()} == {
        f"web/{IPV4}/80": 23,
        f"web/{IPV6}/80": 23,
        f"web/{IPV4}/443": 41,
        f"web/{IPV6}/443": 41,
    }
