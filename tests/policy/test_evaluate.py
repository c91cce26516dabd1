"""What the evaluator makes of judgements, gaps and controls: one finding for every rule, and no verdict by default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flexiscan.model.failure import Failure, FailureKind
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Subject
from tests.policy.made_up_run import (
    ACCEPTED,
    FAILED,
    PORT,
    RESET,
    SILENCE,
    SILENT_PORT,
    V4,
    V6,
    MadeUpRun,
    both_families,
    saying,
)


def good_run() -> MadeUpRun:
    """SILENT_PORT passes here."""
    run = MadeUpRun()
    run.ask()
    return run.controls(0, 20)


def test_the_good_run_passes_and_names_what_it_rests_on() -> None:
    run = good_run()
    finding = next(f for f in run.findings(SILENT_PORT) if f.address == V4)
    assert (finding.verdict, finding.result, finding.severity) == ("pass", "silent", "high")
    assert finding.because == (next(iter(run.tasks)),)
    assert (finding.family, finding.transport, finding.port) == ("ipv4", "tcp", PORT)


def test_a_violation_needs_no_controls() -> None:
    run = MadeUpRun()
    run.ask(outcome=ACCEPTED)
    assert run.shown(SILENT_PORT) == ("fail", "open")


def test_a_violation_stands_beside_a_gap() -> None:
    run = MadeUpRun()
    run.ask(outcome=FAILED)
    run.ask(outcome=ACCEPTED)
    assert run.shown(SILENT_PORT) == ("fail", "open")


class TestGaps:
    """Nothing looked at, nothing passed."""

    def test_no_task_at_all(self) -> None:
        assert MadeUpRun().controls(0, 20).shown(SILENT_PORT) == ("inconclusive", "not-looked-at")

    def test_a_task_without_an_observation(self) -> None:
        run = MadeUpRun().controls(0, 20)
        run.ask(outcome=None)
        assert run.shown(SILENT_PORT) == ("inconclusive", "not-looked-at")

    def test_a_task_without_an_observation_in_an_interrupted_run(self) -> None:
        run = MadeUpRun(interrupted=True).controls(0, 20)
        run.ask(outcome=None)
        assert run.shown(SILENT_PORT) == ("inconclusive", "interrupted")

    @pytest.mark.parametrize(
        ("reason", "result"),
        [
            ("no-route", "no-ipv4-here"),
            ("no-privilege", "no-privilege"),
            ("no-resource", "no-resource"),
            ("deadline", "deadline"),
            ("cancelled", "interrupted"),
            ("outside-scope", "outside-scope"),
            ("outside-window", "outside-window"),
            ("worker-died", "worker-died"),
            ("internal", "internal"),
        ],
    )
    def test_every_failure_of_ours_has_its_reason(self, reason: FailureKind, result: str) -> None:
        run = MadeUpRun().controls(0, 20)
        run.ask(outcome=Failure(reason=reason))
        assert run.shown(SILENT_PORT) == ("inconclusive", result)

    def test_no_route_on_ipv6_says_so(self) -> None:
        run = MadeUpRun(addresses=both_families())
        run.ask(outcome=Failure(reason="no-route"), address=V6)
        assert run.shown(SILENT_PORT, V6) == ("inconclusive", "no-ipv6-here")

    @pytest.mark.parametrize("gap", [FAILED, None], ids=repr)
    def test_one_gap_among_many_facts_is_a_gap(self, gap: Failure | None) -> None:
        run = good_run()
        run.ask((13, 14), gap)
        run.ask((15, 16))
        verdict, _ = run.shown(SILENT_PORT)
        assert verdict == "inconclusive"

    @pytest.mark.parametrize("gap", [FAILED, None], ids=repr)
    def test_an_optional_need_may_be_unplanned_but_not_lost(self, gap: Failure | None) -> None:
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask")),
            {"fine": "holds"},
            Need("ask"),
            Need("more", optional=True),
        )
        run = good_run()
        assert run.shown(rule) == ("pass", "fine")
        run.put("more", (12, 13), gap)
        assert run.shown(rule)[0] == "inconclusive"

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            ("not-selected", ("not_checked", "not-selected")),
            ("depth", ("not_checked", "depth")),
            ("excluded", ("inconclusive", "excluded")),
            ("out-of-scope", ("inconclusive", "out-of-scope")),
        ],
    )
    def test_a_task_that_was_left_out_says_why(self, reason: str, shown: tuple[str, str]) -> None:
        run = MadeUpRun().controls(0, 20)
        run.skip("ask", reason)
        assert run.shown(SILENT_PORT) == shown

    @pytest.mark.parametrize("optional", [False, True])
    def test_a_continuation_that_the_wall_stopped_is_a_gap_although_its_lane_began(self, optional: bool) -> None:
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask")),
            {"fine": "holds"},
            Need("ask"),
            Need("more", optional=optional),
        )
        run = good_run()
        run.put("more", (12, 13), SILENCE)
        assert run.shown(rule) == ("pass", "fine")
        run.skip("more", "out-of-scope")
        assert run.shown(rule) == ("inconclusive", "out-of-scope")

    def test_a_skip_at_another_port_is_no_gap(self) -> None:
        run = good_run()
        run.skip("ask", "out-of-scope", port=PORT + 1)
        assert run.shown(SILENT_PORT) == ("pass", "silent")

    def test_an_observation_without_its_task_is_not_believed(self) -> None:
        run = good_run()
        del run.tasks[next(iter(run.tasks))]
        assert run.shown(SILENT_PORT) == ("inconclusive", "not-looked-at")


class TestWhatANeedReaches:
    """A rule sees the facts at its subject, and no others."""

    @pytest.mark.parametrize(
        ("at", "counted"),
        [("port", {"here"}), ("tcp-port", {"here"}), ("address", {"here", "other port", "udp"}), ("host", "all")],
    )
    def test_by_place(self, at: Any, counted: Any) -> None:
        run = MadeUpRun(addresses=both_families())
        ids = {
            "here": run.ask(),
            "other port": run.ask(port=PORT + 1),
            "udp": run.ask(transport="udp"),
            "other address": run.ask(address=V6),
            "no address": run.ask(address=None),
        }
        seen: list[str] = []

        def judge(case: Case) -> Judgement:
            if case.subject.address == V4:
                seen.extend(fact.id for fact in case.of("ask"))
            return Judgement("cannot-tell", "unsure", case.of("ask"))

        run.findings(saying(judge, {"unsure": "cannot-tell"}, Need("ask", at=at)))
        wanted = set(ids) if counted == "all" else counted
        assert set(seen) == {ids[name] for name in wanted}

    def test_tcp_port_ignores_the_transport_of_the_subject(self) -> None:
        run = good_run()
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask")),
            {"fine": "holds"},
            Need("ask", at="tcp-port"),
            subjects=lambda ground: [Subject(a.address, "udp", PORT) for a in ground.addresses],
        )
        assert run.shown(rule) == ("pass", "fine")

    def test_a_role_that_is_not_needed_is_not_shown(self) -> None:
        run = good_run()
        run.put("secret", (1, 2), ACCEPTED)
        rule = saying(
            lambda case: Judgement("holds", "fine", case.of("ask") + case.of("secret")), {"fine": "holds"}, Need("ask")
        )
        finding = next(f for f in run.findings(rule) if f.address == V4)
        assert len(finding.because) == 1

    def test_two_hosts_on_one_address_share_nothing(self) -> None:
        one, other = good_run(), MadeUpRun()
        other.ask()
        assert one.shown(SILENT_PORT) == ("pass", "silent")
        assert other.shown(SILENT_PORT) == ("inconclusive", "nothing-answers")


class TestJudgements:
    """What a rule may say, and what then becomes of it."""

    def test_holds_because_of_nothing_is_no_pass(self) -> None:
        rule = saying(Judgement("holds", "fine"), {"fine": "holds"}, Need("ask"))
        assert good_run().shown(rule) == ("inconclusive", "not-looked-at")

    def test_holds_because_of_nothing_without_any_need_is_no_pass(self) -> None:
        rule = saying(Judgement("holds", "fine"), {"fine": "holds"}, relies_on_controls=False)
        assert good_run().shown(rule) == ("inconclusive", "not-looked-at")

    def test_violated_because_of_nothing_is_no_failure(self) -> None:
        rule = saying(Judgement("violated", "bad"), {"bad": "violated"}, Need("ask"))
        assert good_run().shown(rule) == ("inconclusive", "not-looked-at")

    def test_violated_by_silence_needs_controls(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("violated", "gone", case.of("ask"), rests_on_absence=True)

        rule = saying(judge, {"gone": "violated"}, Need("ask"))
        assert good_run().shown(rule) == ("fail", "gone")
        lonely = MadeUpRun()
        lonely.ask()
        assert lonely.shown(rule) == ("inconclusive", "nothing-answers")

    def test_violated_by_silence_needs_every_fact(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("violated", "gone", case.of("ask"), rests_on_absence=True)

        run = good_run()
        run.ask((13, 14), FAILED)
        assert run.shown(saying(judge, {"gone": "violated"}, Need("ask"))) == ("inconclusive", "no-resource")

    def test_no_exposure_seen_needs_controls_because_it_does_not_count_as_incomplete(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("cannot-tell", "no-exposure-seen", case.of("ask"), rests_on_absence=True)

        rule = saying(judge, {"no-exposure-seen": "cannot-tell"}, Need("ask"))
        assert good_run().shown(rule) == ("inconclusive", "no-exposure-seen")
        lonely = MadeUpRun()
        lonely.ask()
        assert lonely.shown(rule) == ("inconclusive", "nothing-answers")
        gap = good_run()
        gap.ask((13, 14), FAILED)
        assert gap.shown(rule) == ("inconclusive", "no-resource")

    def test_not_applicable_because_nobody_answered_needs_controls(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("not-applicable", "not-served", case.of("ask"))

        rule = saying(judge, {"not-served": "not-applicable"}, Need("ask"))
        assert good_run().shown(rule) == ("not_applicable", "not-served")
        lonely = MadeUpRun()
        lonely.ask()
        assert lonely.shown(rule) == ("inconclusive", "nothing-answers")

    def test_not_applicable_by_declaration_needs_none(self) -> None:
        rule = saying(Judgement("not-applicable", "not-declared"), {"not-declared": "not-applicable"})
        assert MadeUpRun().shown(rule) == ("not_applicable", "not-declared")

    def test_not_applicable_beside_a_gap_is_a_gap(self) -> None:
        rule = saying(Judgement("not-applicable", "not-declared"), {"not-declared": "not-applicable"}, Need("ask"))
        run = MadeUpRun()
        run.ask(outcome=FAILED)
        assert run.shown(rule) == ("inconclusive", "no-resource")

    def test_a_rule_that_needs_no_controls_passes_without(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("holds", "received", case.of("ask"))

        run = MadeUpRun()
        run.ask(outcome=ACCEPTED)
        rule = saying(judge, {"received": "holds"}, Need("ask"), relies_on_controls=False)
        assert run.shown(rule) == ("pass", "received")

    def test_a_rule_that_needs_controls_cannot_rest_on_facts_of_no_address(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("holds", "fine", case.of("ask"))

        run = MadeUpRun().controls(0, 20)
        run.ask(address=None)
        rule = saying(judge, {"fine": "holds"}, Need("ask", at="host"))
        assert run.shown(rule) == ("inconclusive", "nothing-answers")

    def test_a_fact_of_an_unknown_address_is_not_taken_for_a_name_server(self) -> None:
        def judge(case: Case) -> Judgement:
            return Judgement("holds", "fine", case.of("ask"))

        run = MadeUpRun().controls(0, 20)
        run.ask()
        run.ask(address="198.51.100.99")
        rule = saying(judge, {"fine": "holds"}, Need("ask", at="host"))
        assert run.shown(rule) == ("inconclusive", "nothing-answers")

    def test_every_fact_that_is_named_needs_its_own_controls(self) -> None:
        run = MadeUpRun().controls(0, 20)
        run.ask((10, 12))
        run.ask((30, 32))
        assert run.shown(SILENT_PORT) == ("inconclusive", "control-lost")

    @pytest.mark.parametrize("outcome", ["violated", "cannot-tell", "not-applicable"])
    def test_a_result_with_another_outcome_than_declared_is_a_defect(self, outcome: Any) -> None:
        rule = saying(lambda case: Judgement("holds", "fine", case.of("ask")), {"fine": outcome}, Need("ask"))
        assert good_run().shown(rule) == ("inconclusive", "internal")

    def test_a_result_that_is_not_declared_is_a_defect(self) -> None:
        rule = saying(lambda case: Judgement("holds", "made-up", case.of("ask")), {"fine": "holds"}, Need("ask"))
        assert good_run().shown(rule) == ("inconclusive", "internal")

    def test_a_rule_that_raises_takes_no_other_finding_away(self) -> None:
        def judge(case: Case) -> Judgement:
            raise LookupError("defect")

        broken = saying(judge, {"fine": "holds"}, Need("ask"))
        found = {f.rule: (f.verdict, f.result) for f in good_run().findings(broken, SILENT_PORT) if f.address == V4}
        assert found == {"test.saying": ("inconclusive", "internal"), "test.silent-port": ("pass", "silent")}

    @pytest.mark.parametrize(
        "wrong",
        [None, "pass", Judgement("holds", "fine", confidence=cast(Any, "quite"))],
        ids=repr,
    )
    def test_a_rule_that_says_something_else_than_a_judgement_is_a_defect(self, wrong: Any) -> None:
        rule = replace(SILENT_PORT, results={"fine": "holds"}, judge=lambda case: _with_facts(wrong, case))
        assert good_run().shown(rule) == ("inconclusive", "internal")

    def test_a_rule_whose_subjects_raise_takes_no_other_finding_away(self) -> None:
        def subjects(ground: Ground) -> list[Subject]:
            raise LookupError("defect")

        broken = saying(Judgement("holds", "fine"), {"fine": "holds"}, subjects=subjects)
        found = good_run().findings(broken, SILENT_PORT)
        assert [(f.verdict, f.result) for f in found if f.rule == broken.id] == [("inconclusive", "internal")]
        assert ("pass", "silent") in {(f.verdict, f.result) for f in found if f.rule == SILENT_PORT.id}


def _with_facts(said: Any, case: Case) -> Any:
    return replace(said, because=case.of("ask")) if isinstance(said, Judgement) else said


def test_params_confidence_and_severity_of_a_judgement_are_kept() -> None:
    def judge(case: Case) -> Judgement:
        return Judgement("violated", "bad", case.of("ask"), "tentative", "critical", {"count": 3})

    finding = next(f for f in good_run().findings(saying(judge, {"bad": "violated"}, Need("ask"))) if f.address)
    assert (finding.confidence, finding.severity, finding.params) == ("tentative", "critical", {"count": 3})


def test_the_same_evidence_always_gives_the_same_findings() -> None:
    run = good_run()
    assert run.findings(SILENT_PORT) == run.findings(SILENT_PORT)


def test_reset_is_a_fact_like_silence() -> None:
    run = MadeUpRun().controls(0, 20)
    run.ask(outcome=RESET)
    assert run.shown(SILENT_PORT) == ("pass", "silent")
