"""What findings are about: addresses, families, ports that serve, and every rule of the profile, none left out."""

from __future__ import annotations

from typing import Any

import pytest

from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.failure import Failure
from flexiscan.policy.evaluate import evaluate
from flexiscan.policy.profile import load_profile
from flexiscan.policy.rule import Ground, Judgement, Need, Rule, Subject, the_host
from flexiscan.policy.rules import RULES
from flexiscan.policy.selection import Selection
from tests.policy.made_up_run import (
    ACCEPTED,
    FAILED,
    SILENCE,
    SILENT_PORT,
    V4,
    V6,
    MadeUpRun,
    both_families,
    families_of,
    saying,
)


def good_run() -> MadeUpRun:
    """SILENT_PORT passes here."""
    run = MadeUpRun()
    run.ask()
    return run.controls(0, 20)


class TestAddresses:
    """Two families are two measurements, and an address that nobody looked at has no verdict."""

    def test_each_address_is_judged_by_itself(self) -> None:
        run = MadeUpRun(addresses=both_families())
        run.ask(address=V4)
        run.ask(address=V6, outcome=ACCEPTED)
        run.controls(0, 20)
        assert run.shown(SILENT_PORT, V4) == ("pass", "silent")
        assert run.shown(SILENT_PORT, V6) == ("fail", "open")

    @pytest.mark.parametrize("state", ["not-public", "not-authorised", "excluded"])
    def test_an_address_outside_the_scope_is_inconclusive(self, state: Any) -> None:
        run = good_run()
        addresses = (*run.addresses, TargetAddress(address=V6, family="ipv6", state=state))
        found = {f.address: (f.verdict, f.result) for f in run.findings(SILENT_PORT, addresses=addresses)}
        assert found == {V4: ("pass", "silent"), V6: ("inconclusive", "out-of-scope")}

    def test_facts_about_an_address_outside_the_scope_are_not_judged(self) -> None:
        run = good_run()
        run.ask(address=V6)
        run.controls(0, 20, address=V6)
        outside = TargetAddress(address=V6, family="ipv6", state="not-authorised")
        assert run.shown(SILENT_PORT, V6, addresses=(*run.addresses, outside)) == ("inconclusive", "out-of-scope")

    def test_a_family_without_an_address_is_not_applicable(self) -> None:
        assert families_of(good_run().findings(SILENT_PORT)) == {"ipv6": ("not_applicable", "no-address")}

    def test_a_family_that_no_resolver_told_of_is_inconclusive(self) -> None:
        found = good_run().findings(SILENT_PORT, names_known={"ipv4": True, "ipv6": False})
        assert families_of(found) == {"ipv6": ("inconclusive", "addresses-unknown")}

    def test_a_family_that_was_not_asked_for_is_not_checked(self) -> None:
        run = MadeUpRun(addresses=both_families())
        run.ask(address=V4)
        run.controls(0, 20)
        found = run.findings(SILENT_PORT, families=("ipv4",))
        assert families_of(found) == {"ipv6": ("not_checked", "not-selected")}
        assert {f.address for f in found} == {V4, None}

    def test_without_any_address_nothing_passes(self) -> None:
        found = families_of(MadeUpRun().findings(SILENT_PORT, addresses=(), names_known={}))
        assert set(found.values()) == {("inconclusive", "addresses-unknown")}

    def test_an_origin_is_judged_like_every_address(self) -> None:
        run = good_run()
        origin = "198.51.100.7"
        addresses = (*run.addresses, TargetAddress(address=origin, family="ipv4", origin=True))
        assert run.shown(SILENT_PORT, origin, addresses=addresses) == ("inconclusive", "not-looked-at")
        run.ask(address=origin)
        run.controls(0, 20, address=origin)
        assert run.shown(SILENT_PORT, origin, addresses=addresses) == ("pass", "silent")

    def test_a_rule_about_the_host_has_one_finding(self) -> None:
        run = MadeUpRun(addresses=both_families())
        run.ask()
        run.controls(0, 20)
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask")),
            {"fine": "holds"},
            Need("ask", at="host"),
            subjects=the_host,
        )
        assert [(f.address, f.verdict) for f in run.findings(rule)] == [(None, "pass")]

    def test_a_host_rule_rests_on_the_controls_of_every_address_it_names(self) -> None:
        run = MadeUpRun(addresses=both_families())
        run.ask(address=V4)
        run.ask(address=V6)
        run.controls(0, 20, address=V4)
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask")),
            {"fine": "holds"},
            Need("ask", at="host"),
            subjects=the_host,
        )
        assert [(f.verdict, f.result) for f in run.findings(rule)] == [("inconclusive", "nothing-answers")]


def serving_ports(ground: Ground) -> list[Subject]:
    return [Subject(a, "tcp", port) for a, ports in ground.accepted.items() for port in ports]


SERVING = Rule(
    id="test.serving",
    results={"silent": "holds", "unseen": "cannot-tell"},
    needs=(Need("page", optional=True),),
    subjects=serving_ports,
    judge=lambda case: Judgement("cannot-tell", "unseen", case.of("page")),
)


class TestSubjectsThatDependOnWhatAccepted:
    """A port that could not be asked may serve: its findings must not vanish."""

    def test_a_port_that_accepted_is_a_subject(self) -> None:
        run = MadeUpRun()
        run.put("tcp", (1, 2), ACCEPTED, port=8080, gate="tcp")
        run.put("tcp", (1, 2), SILENCE, port=8081, gate="tcp")
        assert [f.port for f in run.findings(SERVING) if f.address] == [8080]

    @pytest.mark.parametrize("gap", [FAILED, None], ids=repr)
    def test_a_port_that_could_not_be_asked_is_one_too(self, gap: Failure | None) -> None:
        run = MadeUpRun()
        run.put("tcp", (1, 2), gap, port=8080, gate="tcp")
        assert [(f.port, f.verdict) for f in run.findings(SERVING) if f.address] == [(8080, "inconclusive")]

    @pytest.mark.parametrize("role", ["tcp-canary", "control"])
    def test_a_canary_or_control_is_not(self, role: str) -> None:
        run = MadeUpRun()
        run.put(role, (1, 2), None, port=21000, gate="tcp")
        run.put("tcp-canary", (1, 2), ACCEPTED, port=21001, gate="tcp")
        assert [f.port for f in run.findings(SERVING) if f.address] == []

    def test_without_a_subject_the_rule_says_why(self) -> None:
        found = MadeUpRun().findings(SERVING)
        assert [(f.verdict, f.result) for f in found] == [("not_checked", "nothing-to-judge")]


class TestEveryRuleIsThere:
    """A rule of the profile is never missing from the findings."""

    def test_a_rule_that_is_not_built(self) -> None:
        profile = load_profile()
        found = evaluate(profile, (), Selection(), MadeUpRun().evidence())
        assert [f.rule for f in found] == [entry.id for entry in profile.rules]
        assert {(f.verdict, f.result) for f in found} == {("not_checked", "not-built")}

    def test_nothing_seen_gives_no_pass(self) -> None:
        profile = load_profile()
        for changes in ({}, {"addresses": ()}, {"addresses": both_families()}, {"interrupted": True}):
            found = evaluate(profile, RULES, Selection(), MadeUpRun().evidence(**changes))
            assert {entry.id for entry in profile.rules} == {f.rule for f in found}
            assert not [f for f in found if f.verdict in ("pass", "fail")]

    def test_a_rule_left_out_is_not_checked_whatever_was_seen(self) -> None:
        found = good_run().findings(SILENT_PORT, selection=Selection(skip=("test.*",)))
        assert [(f.verdict, f.result) for f in found] == [("not_checked", "not-selected")]

    def test_findings_keep_the_order_of_the_profile(self) -> None:
        other = saying(Judgement("cannot-tell", "unsure"), {"unsure": "cannot-tell"})
        found = good_run().findings(other, SILENT_PORT)
        assert list(dict.fromkeys(f.rule for f in found)) == ["test.saying", "test.silent-port"]
