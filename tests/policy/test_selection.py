"""Which rules are judged, and which tasks are sent for them: never fewer than a rule needs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.plan import Task
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.policy.evaluate import facts_of
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Ground, Judgement, Need, Rule, Subject, accepted_ports, each_address, the_host
from flexiscan.policy.rules import RULES
from flexiscan.policy.selection import ALWAYS_ROLES, Selection, wanted_tasks
from tests.policy.made_up_run import ACCEPTED, HOST, PORT, RESET, V4, V6, MadeUpRun, both_families, one_port
from tests.policy.made_up_run import saying as made_up_rule

PROFILE = load_profile()
IDS = [entry.id for entry in PROFILE.rules]


@pytest.mark.parametrize(
    ("only", "skip", "included", "left_out"),
    [
        ((), (), {"web.admin-unreachable", "dns.ipv4-present"}, set()),
        (("web.*",), (), {"web.admin-unreachable"}, {"dns.ipv4-present"}),
        (("web.*", "dns.ipv?-present"), (), {"web.https-only", "dns.ipv6-present"}, {"dns.alias-sound"}),
        ((), ("ports.*",), {"web.https-only"}, {"ports.sip-unreachable"}),
        (("web.*",), ("web.https-only",), {"web.admin-unreachable"}, {"web.https-only", "tls.sslv3-refused"}),
        (("*",), ("*",), set(), {"web.https-only", "dns.ipv4-present"}),
        (("WEB.*",), (), set(), {"web.https-only"}),
    ],
)
def test_globs(only: tuple[str, ...], skip: tuple[str, ...], included: set[str], left_out: set[str]) -> None:
    selection = Selection(only, skip)
    assert all(selection.includes(rule) for rule in included)
    assert not any(selection.includes(rule) for rule in left_out)


@given(st.sampled_from(IDS), st.lists(st.sampled_from(IDS)), st.lists(st.sampled_from(IDS)))
def test_skip_always_wins(rule: str, only: list[str], skip: list[str]) -> None:
    selection = Selection(tuple(only), (*skip, rule))
    assert not selection.includes(rule)


def test_globs_that_match_nothing_are_named() -> None:
    selection = Selection(("web.*", "wbe.*"), ("dns.", "tls.*"))
    assert selection.unmatched(IDS) == ("wbe.*", "dns.")
    assert Selection().unmatched(IDS) == ()


def ground(**accepted: Any) -> Ground:
    target = Target(host=HOST)
    return Ground(
        target=target,
        scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(target,)),
        profile=PROFILE,
        addresses=both_families(),
        depth="standard",
        accepted={V4: accepted.get("v4", ()), V6: accepted.get("v6", ())},
    )


def task(role: str, **place: Any) -> Task:
    where = {"address": V4, "transport": "tcp", "port": PORT, **place}
    return Task(id=role, probe="test", host=HOST, role=role, lane="test", **where)


def needing(*needs: Need, subjects: Any = one_port) -> Rule:
    return made_up_rule(Judgement("cannot-tell", "unsure"), {"unsure": "cannot-tell"}, *needs, subjects=subjects)


class TestWantedTasks:
    """A task is sent when a selected rule looks at it, at the place where it looks."""

    def includes(self, rule: Rule, wanted: Task, selection: Selection | None = None) -> bool:
        return wanted_tasks((rule,), selection or Selection(), ground()).includes(wanted)

    def test_at_the_port(self) -> None:
        rule = needing(Need("ask"))
        assert self.includes(rule, task("ask"))
        assert self.includes(rule, task("ask", address=V6))
        assert not self.includes(rule, task("ask", port=PORT + 1))
        assert not self.includes(rule, task("ask", transport="udp"))
        assert not self.includes(rule, task("ask", address="192.0.2.99"))
        assert not self.includes(rule, task("other"))

    def test_at_the_tcp_port(self) -> None:
        rule = needing(
            Need("ask", at="tcp-port"),
            subjects=lambda g: [Subject(a.address, "udp", PORT) for a in g.addresses],
        )
        assert self.includes(rule, task("ask"))
        assert not self.includes(rule, task("ask", transport="udp"))

    def test_at_the_address(self) -> None:
        rule = needing(Need("ask", at="address"), subjects=each_address)
        assert self.includes(rule, task("ask", port=1))
        assert not self.includes(rule, task("ask", address="192.0.2.99"))

    def test_at_the_host(self) -> None:
        rule = needing(Need("ask", at="host"), subjects=the_host)
        assert self.includes(rule, task("ask", address="192.0.2.99"))
        assert self.includes(rule, task("ask", address=None, port=None, transport=None))

    def test_optional_needs_count_too(self) -> None:
        assert self.includes(needing(Need("ask", optional=True)), task("ask"))

    def test_nothing_for_a_rule_that_is_left_out(self) -> None:
        assert not self.includes(needing(Need("ask")), task("ask"), Selection(skip=("test.*",)))

    @pytest.mark.parametrize("role", sorted(ALWAYS_ROLES))
    def test_addresses_and_controls_always(self, role: str) -> None:
        assert self.includes(needing(), task(role), Selection(only=("nothing",)))

    def test_every_port_that_may_turn_out_to_serve(self) -> None:
        rule = needing(
            Need("tcp"),
            subjects=lambda g: [Subject(a, "tcp", port) for a, ports in g.accepted.items() for port in ports],
        )
        for port in (80, 443, 8080, 4443, 9692):
            assert self.includes(rule, task("tcp", port=port)), port
        assert not self.includes(rule, task("tcp", port=21000))

    def test_also_one_that_nobody_named_but_that_accepted(self) -> None:
        rule = needing(
            Need("page"),
            subjects=lambda g: [Subject(a, "tcp", port) for a, ports in g.accepted.items() for port in ports],
        )
        wanted = wanted_tasks((rule,), Selection(), ground(v4=(12345,)))
        assert wanted.includes(task("page", port=12345))
        assert not wanted.includes(task("page", port=12345, address=V6))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_need_of_every_rule_is_wanted_when_it_is_selected(rule: Rule) -> None:
    here = ground(v4=(443, 80), v6=(443,))
    wanted = wanted_tasks(RULES, Selection(only=(rule.id,)), here)
    for subject in rule.subjects(here):
        for need in rule.needs:
            place = {"address": subject.address, "port": subject.port, "transport": subject.transport}
            assert wanted.includes(task(need.role, **place)), (subject, need)


def test_ports_that_accepted_are_those_of_the_host() -> None:
    run = MadeUpRun()
    for role, port, fact in (
        ("tcp", 443, ACCEPTED),
        ("control", 80, ACCEPTED),
        ("tcp", 22, RESET),
        ("tcp-canary", 21000, ACCEPTED),
    ):
        run.put(role, (1, 2), fact, port=port)
    run.put("tcp", (1, 2), ACCEPTED, port=8443, address=V6)
    seen = facts_of(run.tasks, run.observations).values()
    assert accepted_ports((TargetAddress(address=V4, family="ipv4"),), seen) == {V4: (80, 443)}
