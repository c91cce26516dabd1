"""When an absence may count: every way in which the controls around it can fail to vouch for it."""

from __future__ import annotations

import pytest

from flexiscan.model.failure import Failure
from flexiscan.policy.controls import Beat, beats_of, obstacle
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
)

PASS = ("pass", "silent")
LOST = ("inconclusive", "control-lost")
NOBODY = ("inconclusive", "nothing-answers")


def asked() -> MadeUpRun:
    """A port that was silent from second 10 to second 12."""
    run = MadeUpRun()
    run.ask((10, 12))
    return run


def test_silence_between_two_answered_controls_counts() -> None:
    assert asked().controls(0, 5, 15).shown(SILENT_PORT) == PASS


@pytest.mark.parametrize("moments", [(0, 5), (15, 20), ()], ids=["none after", "none before", "none at all"])
def test_silence_without_a_control_on_both_sides_does_not_count(moments: tuple[float, ...]) -> None:
    verdict, _ = asked().controls(*moments).shown(SILENT_PORT)
    assert verdict == "inconclusive"


@pytest.mark.parametrize("lost", [SILENCE, FAILED, Failure(reason="deadline"), None], ids=repr)
@pytest.mark.parametrize("at_s", [5.0, 9.0, 9.95, 11.0, 11.95, 12.5], ids=lambda at_s: f"lost at {at_s}")
def test_one_lost_control_around_the_silence_is_enough(at_s: float, lost: Failure | None) -> None:
    run = asked().controls(0)
    run.control(at_s, lost)
    assert run.controls(15, 20).shown(SILENT_PORT) == LOST


def test_a_control_that_began_before_the_silence_and_ended_after_it_counts_too() -> None:
    run = asked().controls(0)
    run.control(8, SILENCE, lasts_s=4.5)
    assert run.controls(15).shown(SILENT_PORT) == LOST


def test_a_lost_control_far_away_spoils_nothing() -> None:
    run = MadeUpRun()
    run.ask((10, 12))
    run.controls(0, 5, 15)
    run.control(20, SILENCE, lasts_s=4.5)
    run.controls(25)
    assert run.shown(SILENT_PORT) == PASS


def test_a_long_silence_needs_every_control_during_it() -> None:
    run = MadeUpRun()
    run.ask((10, 70))
    run.controls(5, 15, 20)
    run.control(30, SILENCE)
    assert run.controls(40, 75).shown(SILENT_PORT) == LOST


def test_the_order_in_which_controls_are_recorded_does_not_matter() -> None:
    run = asked()
    for at_s in (15, 0, 20, 5):
        run.control(at_s)
    assert run.shown(SILENT_PORT) == PASS


def test_a_control_at_the_same_instant_cannot_vouch_for_both_sides() -> None:
    run = MadeUpRun()
    run.ask((10, 10))
    run.control(10, lasts_s=0)
    assert run.shown(SILENT_PORT) == LOST


def test_controls_that_touch_the_silence_vouch_for_it() -> None:
    run = MadeUpRun()
    run.ask((10, 12))
    run.control(9.9)
    run.control(12)
    assert run.shown(SILENT_PORT) == PASS


def test_an_answered_and_a_lost_control_at_the_same_instant_do_not() -> None:
    run = asked().controls(0)
    run.control(12, ACCEPTED, lasts_s=0)
    run.control(12, SILENCE, lasts_s=0)
    assert run.shown(SILENT_PORT) == LOST


def test_a_clock_that_was_set_back_in_the_record_gives_no_pass() -> None:
    run = MadeUpRun()
    run.ask((10, 8))  # ended before it began
    run.control(9, SILENCE)
    assert run.controls(0, 15).shown(SILENT_PORT) == LOST


def test_controls_of_another_address_vouch_for_nothing() -> None:
    run = MadeUpRun(addresses=both_families())
    run.ask((10, 12), address=V4)
    run.ask((10, 12), address=V6)
    run.controls(0, 15, address=V6)
    assert run.shown(SILENT_PORT, V6) == PASS
    assert run.shown(SILENT_PORT, V4) == NOBODY


def test_the_same_address_written_differently_is_another_address() -> None:
    run = MadeUpRun()
    run.ask((10, 12))
    run.controls(0, 15, address="::ffff:192.0.2.10")
    assert run.shown(SILENT_PORT) == NOBODY


class TestReset:
    """A reset is an answer, and also the way in which a firewall blocks."""

    def test_where_nothing_ever_accepts_resets_prove_nothing(self) -> None:
        """A firewall that shuts the scanner out from the start resets everything."""
        assert asked().controls(0, 5, 15, outcome=RESET).shown(SILENT_PORT) == ("inconclusive", "only-resets")

    def test_a_port_that_always_resets_vouches_where_another_one_accepts(self) -> None:
        run = asked()
        run.put("tcp", (1, 2), ACCEPTED, port=8443, gate="tcp")
        assert run.controls(0, 5, 15, outcome=RESET).shown(SILENT_PORT) == PASS

    def test_a_reset_where_one_accepted_before_is_a_block(self) -> None:
        run = asked().controls(0, 5)
        assert run.controls(15, 20, outcome=RESET).shown(SILENT_PORT) == LOST

    def test_also_when_the_block_began_before_the_question(self) -> None:
        run = asked().controls(0)
        assert run.controls(5, 15, outcome=RESET).shown(SILENT_PORT) == LOST

    def test_also_when_only_a_probe_was_accepted_there(self) -> None:
        run = asked()
        run.put("tcp", (1, 2), ACCEPTED, port=443, gate="tcp")
        assert run.controls(5, 15, outcome=RESET).shown(SILENT_PORT) != PASS

    def test_also_when_the_acceptance_was_lost_from_the_record(self) -> None:
        run = asked()
        run.control(0, FAILED)
        assert run.controls(5, 15, outcome=RESET).shown(SILENT_PORT) == LOST


class TestTwoPorts:
    """HTTPS first, then HTTP: only the port that answers is asked again."""

    def test_a_port_that_was_silent_each_time_says_nothing(self) -> None:
        run = asked()
        run.control(0, SILENCE, lasts_s=4.5, port=443)
        assert run.controls(5, 15, port=80).shown(SILENT_PORT) == PASS

    def test_answers_before_on_one_port_and_after_on_another_do_not_vouch(self) -> None:
        run = asked().controls(0, 5, port=443)
        run.control(13, SILENCE, port=443)
        assert run.controls(15, 20, port=80).shown(SILENT_PORT) == LOST

    def test_another_port_that_answers_does_not_make_up_for_the_one_that_was_lost(self) -> None:
        run = asked().controls(0, 5, 15, port=80)
        run.control(1, ACCEPTED, port=443)
        run.control(11, SILENCE, port=443)
        assert run.shown(SILENT_PORT) == LOST

    def test_the_port_that_answered_most_often_has_no_privilege(self) -> None:
        run = asked().controls(0, 1, 2, 3, 4, 15, port=80)
        run.control(8, SILENCE, port=80)
        assert run.controls(6, 20, port=443).shown(SILENT_PORT) == LOST


class TestWithoutWebPorts:
    """Where every control met silence, any TCP answer of the address takes their place."""

    def silent_web(self) -> MadeUpRun:
        run = asked()
        for at_s in (0.0, 20.0):
            run.control(at_s, SILENCE, lasts_s=4.5)
        return run

    def test_answers_of_another_port_vouch(self) -> None:
        run = self.silent_web()
        for at_s in (6.0, 13.0):
            run.put("tcp", (at_s, at_s + 1), ACCEPTED, port=8443, gate="tcp")
        assert run.shown(SILENT_PORT) == PASS

    def test_a_single_answer_does_not(self) -> None:
        run = self.silent_web()
        run.put("tcp", (6, 7), ACCEPTED, port=8080, gate="tcp")
        run.put("tcp", (13, 14), ACCEPTED, port=8443, gate="tcp")
        assert run.shown(SILENT_PORT) == LOST

    def test_a_silence_between_such_answers_counts_against_them(self) -> None:
        run = self.silent_web()
        for at_s, fact in ((6.0, ACCEPTED), (8.0, SILENCE), (13.0, ACCEPTED)):
            run.put("tcp", (at_s, at_s + 1), fact, port=8443, gate="tcp")
        assert run.shown(SILENT_PORT) == LOST

    def test_a_missing_one_counts_against_them_wherever_it_was(self) -> None:
        run = self.silent_web()
        for at_s, fact in ((6.0, RESET), (13.0, RESET), (99.0, None)):
            run.put("tcp-canary", (at_s, at_s + 1), fact, port=21000, gate="tcp")
        assert run.shown(SILENT_PORT) == LOST

    @pytest.mark.parametrize("lost", [FAILED, None], ids=repr)
    def test_controls_that_could_not_be_put_are_not_controls_that_met_silence(self, lost: Failure | None) -> None:
        run = asked()
        run.control(0, lost)
        for at_s in (6.0, 13.0):
            run.put("tcp-canary", (at_s, at_s + 1), RESET, port=21000, gate="tcp")
        assert run.shown(SILENT_PORT) == LOST

    def test_without_any_control_nobody_vouches(self) -> None:
        run = asked()
        for at_s in (6.0, 13.0):
            run.put("tcp-canary", (at_s, at_s + 1), RESET, port=21000, gate="tcp")
        assert run.shown(SILENT_PORT) == NOBODY

    def test_where_nothing_ever_answers_nothing_counts(self) -> None:
        run = self.silent_web()
        run.put("tcp-canary", (6, 7), SILENCE, port=21000, gate="tcp")
        assert run.shown(SILENT_PORT) == NOBODY

    def test_the_silent_port_itself_is_no_control(self) -> None:
        run = MadeUpRun()
        run.control(0, SILENCE)
        for span_s, fact in (((1, 2), RESET), ((10, 12), SILENCE), ((15, 16), RESET)):
            run.put("ask", span_s, fact, port=PORT, gate="tcp")
        assert run.shown(SILENT_PORT) != PASS


def test_a_lost_control_of_an_interrupted_run_says_that_it_was_interrupted() -> None:
    run = asked().controls(0, 5)
    run.interrupted = True
    assert run.shown(SILENT_PORT) == ("inconclusive", "interrupted")


def test_a_missing_control_lies_between_its_neighbours() -> None:
    run = MadeUpRun().controls(0)
    run.control(5, None)
    run.controls(10)
    missing = next(beat for beat in beats_of(run.tasks, run.observations)[V4] if not beat.known)
    assert missing.ended_s - missing.started_s == pytest.approx(9.9)
    assert not missing.answered


def test_obstacles_by_name() -> None:
    answer, silence = Beat(443, 0, 1, answered=True), Beat(443, 0, 1, answered=False)
    unknown = Beat(443, 0, 1, answered=False, known=False)
    assert obstacle((), 2, 3) == "nothing-answers"
    assert obstacle((silence,), 2, 3) == "nothing-answers"
    assert obstacle((unknown,), 2, 3) == "control-lost"
    assert obstacle((answer,), 2, 3) == "control-lost"
    assert obstacle((answer, Beat(443, 4, 5, answered=True)), 2, 3) == ""
