"""Controls: before everything, every few seconds, after every round, and never stopped half-way."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from flexiscan.engine.controls import CONNECT_TIMEOUT_S, HEARTBEAT_S
from flexiscan.model.target import Rates
from flexiscan.net.link import CannotLook
from tests.engine.bench import BOTH, Bench, after, draft
from tests.policy.made_up_run import V4, V6
from tests.virtual_clock import run_virtually


def play(bench: Bench, lasts_s: float = 17.0) -> Bench:
    bench.observe = after(lasts_s)
    run_virtually(bench.play(draft("long", deadline_s=1000.0), with_controls=True))
    return bench


def outcomes(bench: Bench, address: str = V4) -> list[str]:
    """What came of each control of an address, in order."""
    return [
        told.outcome.connect if told.outcome.kind == "tcp" else told.outcome.kind
        for kind, told in bench.story
        if kind == "observed" and told.id.startswith("control/") and f"/{address}/" in told.id
    ]


def test_before_during_and_after() -> None:
    bench = play(Bench(after(1)))
    times = [at_s for at_s, _, _ in bench.beats]
    assert times == pytest.approx([0.0, 5.01, 10.02, 15.03, 17.01], abs=0.1)
    assert outcomes(bench) == ["accepted"] * 5


def test_nothing_is_sent_to_an_address_before_its_first_control() -> None:
    bench = play(Bench(after(1), addresses=BOTH))
    first_task = bench.observations["long"].started
    controls = [told for kind, told in bench.story if kind == "observed" and told.id.endswith("/1")]
    assert {told.id.split("/")[2] for told in controls} == {V4, V6}
    assert all(told.ended <= first_task for told in controls)


def test_two_controls_are_never_further_apart_than_agreed() -> None:
    bench = play(Bench(after(1)), lasts_s=60.0)
    times = [at_s for at_s, _, _ in bench.beats]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= HEARTBEAT_S + 0.1


def test_every_control_is_told_before_it_is_observed_and_has_an_id_of_its_own() -> None:
    bench = play(Bench(after(1)))
    told: list[str] = []
    for kind, what in bench.story:
        if kind == "added":
            told.append(what.id)
            assert (what.role, what.gate, what.transport) == ("control", "control", "tcp")
        elif what.id.startswith("control/"):
            assert what.id in told
    assert len(told) == len(set(told)) == 5


@pytest.mark.parametrize("udp_pps", [1, 3, 8, 200])
def test_a_crowd_of_waiting_tasks_does_not_hold_controls_up(udp_pps: int) -> None:
    """Exchanges wait for their turn by the dozen; a control that waited behind them would come when all is over."""
    bench = Bench(after(9.0), rates=Rates(udp_pps=udp_pps))
    run_virtually(bench.play(*(draft(str(number), gate="tcp") for number in range(40)), with_controls=True))
    times = [at_s for at_s, _, _ in bench.beats]
    assert {bench.outcomes[str(number)] for number in range(40)} == {"tcp"}
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= HEARTBEAT_S + 5


class TestTheControlPort:
    """HTTPS if it accepts, otherwise HTTP if that accepts, otherwise whichever at least resets."""

    @pytest.mark.parametrize(
        ("https", "http", "chosen"),
        [
            ("accepted", "accepted", 443),
            ("silence", "accepted", 80),
            ("reset", "accepted", 80),
            ("reset", "silence", 443),
            ("silence", "reset", 80),
            ("reset", "reset", 443),
        ],
    )
    def test_chosen(self, https: str, http: str, chosen: int) -> None:
        answers = {443: https, 80: http}
        bench = play(Bench(after(1), control=lambda address, port, at_s: answers[port]))
        ports = [port for _, _, port in bench.beats]
        assert set(ports[-3:]) == {chosen}

    def test_where_nothing_answers_there_is_no_heartbeat_but_a_last_try(self) -> None:
        bench = play(Bench(after(1), control=lambda address, port, at_s: "silence"))
        assert [port for _, _, port in bench.beats] == [443, 80, 443]
        assert outcomes(bench) == ["silence"] * 3

    def test_each_address_has_its_own(self) -> None:
        answers = {(V4, 443): "accepted", (V6, 443): "silence", (V6, 80): "accepted"}
        bench = play(Bench(after(1), addresses=BOTH, control=lambda address, port, at_s: answers[address, port]))
        assert {port for _, address, port in bench.beats if address == V4} == {443}
        assert {port for at_s, address, port in bench.beats if address == V6 and at_s > 5} == {80}

    def test_an_excluded_port_is_never_asked(self) -> None:
        bench = play(Bench(after(1), excluded_ports=(443,)))
        assert {port for _, _, port in bench.beats} == {80}

    def test_with_both_excluded_nothing_is_sent(self) -> None:
        bench = play(Bench(after(1), excluded_ports=(443, 80)))
        assert bench.beats == []
        assert bench.outcomes["long"] == "tcp"


class TestLostControls:
    """A control that is lost is recorded as what it was."""

    def test_a_block_in_the_middle(self) -> None:
        bench = play(Bench(after(1), control=lambda address, port, at_s: "accepted" if at_s < 7 else "silence"))
        assert outcomes(bench)[:2] == ["accepted", "accepted"]
        assert set(outcomes(bench)[2:]) == {"silence"}

    def test_one_silent_address_does_not_end_the_heartbeat_of_another(self) -> None:
        def control(address: str, port: int, at_s: float) -> str:
            return "silence" if address == V6 and at_s > 1 else "accepted"

        bench = play(Bench(after(1), addresses=BOTH, control=control), lasts_s=60)
        assert len(outcomes(bench, V4)) >= 60 / (HEARTBEAT_S + CONNECT_TIMEOUT_S)
        assert set(outcomes(bench, V4)) == {"accepted"}

    def test_what_stops_us_from_looking_is_a_failure(self) -> None:
        bench = play(Bench(after(1), control=lambda address, port, at_s: CannotLook("no-route")))
        assert set(outcomes(bench)) == {"failure"}

    def test_the_end_of_a_round_waits_for_the_control_that_is_under_way(self) -> None:
        bench = play(
            Bench(after(1), control=lambda address, port, at_s: "silence" if 4 < at_s < 9 else "accepted"), lasts_s=6.0
        )
        added = [told.id for kind, told in bench.story if kind == "added"]
        observed = [told.id for kind, told in bench.story if kind == "observed" and told.id.startswith("control/")]
        assert observed == added
        assert outcomes(bench) == ["accepted", "silence", "accepted"]

    def test_a_run_that_is_interrupted_does_not_wait(self) -> None:
        bench = Bench(after(100), control=lambda address, port, at_s: "silence" if at_s > 4 else "accepted")

        async def interrupted() -> float:
            playing = asyncio.create_task(bench.play(draft("long", deadline_s=500.0), with_controls=True))
            await asyncio.sleep(6)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            return bench.clock.monotonic()

        assert run_virtually(interrupted()) == pytest.approx(6, abs=0.1)
        assert outcomes(bench) == ["accepted"]
