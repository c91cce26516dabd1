"""What a log proves about a scan, and every way in which it proves nothing: replays, other runs, clocks, gaps."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flexiscan.model.endpoint import Transport
from flexiscan.model.facts_witness import WitnessBeat, WitnessExchange, spans_of
from flexiscan.model.plan import Task
from flexiscan.model.witness_message import witness_nonce
from flexiscan.policy.rule import Seen
from flexiscan.policy.witness.log import read_log
from flexiscan.policy.witness.sight import Asked, WitnessReading, WitnessSight, read_witness
from tests.witness.logs import KEYS, RUN, LogWriter

V4, V6 = "192.0.2.10", "2001:db8:2::10"
START_S = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC).timestamp()
SERVER_AHEAD_S = 90.0
"""The server's clock, against ours."""
LOG_BEGAN_S = -30.0
"""When the witness was started, by our clock."""


def asked(
    port: int | tuple[int, int],
    span_s: tuple[float, float],
    *,
    number: int = 0,
    transport: Transport = "udp",
    **facts: Any,
) -> Asked:
    """Questions to a port or a range of V4, by our clock from START_S."""
    first, last = port if isinstance(port, tuple) else (port, port)
    role = "witness-range" if first != last else "witness-control" if number else "witness"
    name = f"{role}/{first}/{number}/{facts.get('address', V4)}"
    task = Task(
        id=name,
        probe="witness.ask",
        host="flexi.example.test",
        role=role,
        address=facts.pop("address", V4),
        transport=transport,
        port=None if first != last else first,
        params={"first_number": number, "first_control": facts.pop("first_control", 3000)},
        lane=name,
    )
    fact = WitnessExchange(
        transport=transport, first_port=first, last_port=last, asked=((first, last),), tries=2, **facts
    )
    return Asked(Seen(task, fact, START_S + span_s[0], START_S + span_s[1]), fact)


def control(at_s: float, number: int, *, clock_off_s: float = 0.0, address: str = V4) -> Asked:
    """An answered control."""
    there_ms = round(1000 * (START_S + at_s + 0.01 + SERVER_AHEAD_S + clock_off_s))
    beat = WitnessBeat(
        port=51515, arrived_at_port=51515, sent_after_s=0.0, answered_after_s=0.02, witness_unix_ms=there_ms
    )
    return asked(51515, (at_s, at_s + 0.02), number=number, answered=((51515, 51515),), beats=(beat,), address=address)


CONTROLS = (control(0.0, 1000), control(60.0, 2000))
FIRST_OF_PORT = 1_000_700
AMONG = (0.0, 0.1, 1.6, 1.7, 3.2, 3.3)
"""When, after its start, a task asks its controls."""


def writer(**changes: Any) -> LogWriter:
    """A log of a witness that was up all the time, with the controls around and among the questions in it."""
    among = changes.pop("among", range(len(AMONG)))
    made = LogWriter(round(1000 * (START_S + SERVER_AHEAD_S + LOG_BEGAN_S)), **changes)
    for at_s, number in ((0.0, 1000), (60.0, 2000)):
        made.control(at_s - LOG_BEGAN_S + 0.01, V4, number)
    for number in among:
        made.control(10.0 + AMONG[number] - LOG_BEGAN_S + 0.01, V4, FIRST_OF_PORT + number)
    return made


def reading(log: LogWriter, one: Asked, others: tuple[Asked, ...] = CONTROLS, run: str = RUN) -> WitnessReading:
    return read_witness(one, others, WitnessSight.of(read_log(log.data(), KEYS.log), KEYS, run))


def silent_port(**facts: Any) -> Asked:
    usual = {"control_port": 51515, "controls_asked": len(AMONG), "first_control": FIRST_OF_PORT}
    return asked(50797, (10.0, 15.0), **{**usual, **facts})


SILENT_PORT = silent_port()


def test_silence_between_two_controls_is_proven():
    read = reading(writer(), SILENT_PORT)
    assert (read.silent, read.arrived, read.missing) == (frozenset({50797}), frozenset(), "")
    assert [seen.id for seen in read.because] == [a.seen.id for a in (SILENT_PORT, *CONTROLS)]


def test_what_arrived_is_proven_whatever_else_is_missing():
    log = writer(why=None, local_firewall_open=False)
    log.arrive(41.0, "udp4", 50797, witness_nonce(KEYS, RUN, "udp", V4, 50797, 1))
    assert reading(log, SILENT_PORT).arrived == {50797}


def test_an_arrival_at_another_port_counts_for_the_port_asked():
    log = writer()
    log.arrive(41.0, "udp4", 40000, witness_nonce(KEYS, RUN, "udp", V4, 50797, 0))
    assert reading(log, SILENT_PORT).arrived == {50797}


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (writer(why=None), "log-cut"),
        (writer(why="failed"), "log-cut"),
        (writer(local_firewall_open=False), "local-firewall-unknown"),
        (writer(silent_s=(35.0, 48.0)), "not-up"),
        (writer(drift_after_s=36.0), "not-up"),
        (writer(ends_s=44.0), "not-up"),
        (writer(bound=[["udp4", 51515, 51515]]), "not-listening"),
    ],
    ids=["cut", "failed", "own-firewall", "cut-heartbeats", "clock-jump", "ended-early", "port-in-use"],
)
def test_silence_is_not_proven(log: LogWriter, reason: str):
    read = reading(log, SILENT_PORT)
    assert (read.silent, read.missing) == (frozenset(), reason)


def test_a_log_of_another_run_says_nothing():
    read = reading(writer(), SILENT_PORT, run="20261102T100000Z-ffffffff")
    assert (read.silent, read.arrived, read.missing) == (frozenset(), frozenset(), "other-run")


def test_a_control_to_another_address_vouches_for_nothing():
    others = (control(0.0, 1000, address=V6), control(60.0, 2000, address=V6))
    one = silent_port(address=V6)
    assert reading(writer(), one, others).missing == "other-run"


def without_the_last_control() -> LogWriter:
    log = writer()
    last = witness_nonce(KEYS, RUN, "udp", V4, 51515, 2000).hex()
    log.seen = [entry for entry in log.seen if entry["nonce"] != last]
    return log


def test_a_control_missing_afterwards_leaves_it_open():
    assert reading(without_the_last_control(), SILENT_PORT).missing == "control-missing"


def test_a_control_that_somebody_sent_again_later_is_no_control():
    log = without_the_last_control()
    log.control(95.0, V4, 1000, how="replayed")
    assert reading(log, SILENT_PORT).missing == "control-missing"


@pytest.mark.parametrize(("among", "missing"), [(range(6), ""), (range(1, 6), ""), (range(4), "control-missing")])
def test_questions_to_a_single_port_stand_among_controls_that_arrive(among: range, missing: str):
    """A perimeter that blocks the scanner for some seconds between the outer controls proves nothing."""
    assert reading(writer(among=among), SILENT_PORT).missing == missing


def test_udp_questions_without_controls_of_their_own_prove_nothing():
    assert reading(writer(), asked(50797, (10.0, 15.0))).missing == "control-missing"


def behind_nat(**changes: Any) -> LogWriter:
    return writer(own=("10.0.0.5", "garbage"), **changes)


def test_where_addresses_are_translated_other_ports_may_lead_to_other_machines():
    """The firewall forwards the control port to the witness, and the voice ports to a media server beside it."""
    assert reading(behind_nat(), SILENT_PORT).missing == "translated"
    assert reading(behind_nat(only_server=True), SILENT_PORT).silent == {50797}


def test_a_server_that_does_not_know_its_addresses_is_told_by_arrivals():
    log = behind_nat()
    log.control(30.02, V4, 1000, to=V4)
    assert reading(log, SILENT_PORT).silent == {50797}
    log = behind_nat()
    log.control(30.02, V4, 1000, to="10.0.0.5")
    assert reading(log, SILENT_PORT).missing == "translated"


def test_translation_between_families_needs_the_port_on_the_other_side():
    """A proxy turns IPv6 into IPv4: the service holds the port there, the witness only over IPv6."""
    places = [["udp6", 50797, 50797], ["udp6", 51515, 51515], ["udp4", 51515, 51515]]

    def log(bound: list[list[Any]]) -> LogWriter:
        made = LogWriter(round(1000 * (START_S + SERVER_AHEAD_S + LOG_BEGAN_S)), bound=bound, only_server=True)
        for at_s, number in ((0.0, 1000), (60.0, 2000), *((10 + a, FIRST_OF_PORT + n) for n, a in enumerate(AMONG))):
            made.control(at_s - LOG_BEGAN_S + 0.01, V6, number, place="udp4")
        return made

    others = (control(0.0, 1000, address=V6), control(60.0, 2000, address=V6))
    assert reading(log(places), silent_port(address=V6), others).missing == "not-listening"
    both = [*places, ["udp4", 50797, 50797]]
    assert reading(log(both), silent_port(address=V6), others).silent == {50797}


def test_without_answers_the_servers_clock_is_unknown():
    others = tuple(asked(51515, (at_s, at_s + 4.5), number=number) for at_s, number in ((0.0, 1000), (60.0, 2000)))
    assert reading(writer(), SILENT_PORT, others).missing == "clock-unknown"


def test_clocks_that_contradict_each_other_prove_nothing():
    others = (control(0.0, 1000), control(60.0, 2000, clock_off_s=5.0))
    assert reading(writer(), SILENT_PORT, others).missing == "clock-unknown"


def test_a_log_moved_in_time_proves_nothing():
    """The same lines an hour later: a witness that was down while we asked."""
    log = writer()
    log.epoch_ms += 3_600_000
    for entry in log.seen:
        entry["at_ms"] += 3_600_000
    assert reading(log, SILENT_PORT).missing == "not-up"


def test_a_replayed_nonce_elsewhere_makes_no_silence_and_no_arrival():
    log = writer()
    stolen = witness_nonce(KEYS, RUN, "udp", V4, 51515, 1000)
    log.arrive(40.0, "udp4", 50797, stolen, "replayed")
    read = reading(log, SILENT_PORT)
    assert (read.silent, read.arrived, read.missing) == (frozenset(), frozenset(), "something-arrived")


def test_anything_that_arrived_at_the_port_leaves_it_open():
    log = writer()
    log.arrive(5.0, "udp4", 50797, None, "not-ours")
    assert reading(log, SILENT_PORT).missing == "something-arrived"


def sweep(**changes: Any) -> Asked:
    return asked((40000, 40099), (10.0, 40.0), control_port=51515, controls_asked=15, **changes)


def with_range_controls(log: LogWriter, arrived: range) -> LogWriter:
    for number in arrived:
        log.control(40.0 + 2 * number, V4, 3000 + number)
    return log


def test_a_swept_range_is_proven_silent_port_by_port():
    log = with_range_controls(writer(), range(15))
    log.arrive(45.0, "udp4", 40007, witness_nonce(KEYS, RUN, "udp", V4, 40007, 0))
    read = reading(log, sweep())
    assert read.arrived == {40007}
    assert read.silent == set(range(40000, 40100)) - {40007}


@pytest.mark.parametrize("arrived", [range(0), range(1), range(11), range(4, 15)])
def test_a_sweep_that_is_over_quickly_needs_its_controls_too(arrived: range):
    log = writer()
    for number in arrived:
        log.control(40.0 + 0.5 * number, V4, 3000 + number)
    fast = asked((40000, 40099), (10.0, 18.0), control_port=51515, controls_asked=15)
    assert reading(log, fast).missing == "control-missing"


def test_a_block_in_the_middle_of_a_sweep_is_noticed():
    log = with_range_controls(writer(), range(5))
    assert reading(log, sweep()).missing == "control-missing"


def test_only_ports_that_were_asked_and_listened_on_are_proven():
    bound = [["udp4", 40000, 40049], ["udp4", 51515, 51515]]
    log = with_range_controls(writer(bound=bound), range(15))
    assert reading(log, sweep()).silent == set(range(40000, 40050))


def test_without_a_log_answers_count_alone():
    read = read_witness(sweep(answered=((40003, 40004),)), CONTROLS, None)
    assert (read.arrived, read.silent, read.missing) == (frozenset({40003, 40004}), frozenset(), "no-log")


def test_spans():
    assert spans_of([5, 3, 4, 4, 9]) == ((3, 5), (9, 9))
