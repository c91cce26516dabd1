"""The log reader: what is whole is read, whatever was done to it is noticed, and nothing else is ever raised."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.witness_message import witness_keys
from flexiscan.policy.witness.log import WitnessLog, WitnessLogError, read_log
from tests.witness.logs import KEYS, LogWriter, as_log

EPOCH = 1_762_074_000_000
OTHER = witness_keys("ffff-eeee-dddd-cccc")


def small() -> LogWriter:
    writer = LogWriter(EPOCH, ends_s=20.0)
    writer.control(3.0, "192.0.2.10", 1000)
    writer.arrive(4.0, "tcp4", 5060, None, "not-ours")
    return writer


def read(data: bytes) -> WitnessLog:
    return read_log(data, KEYS.log)


def test_a_whole_log_is_read():
    log = read(small().data())
    assert (log.is_whole, log.ended_as, log.started_ms) == (True, "time", EPOCH)
    assert [(a.place, a.port, a.how) for a in log.arrivals] == [("udp4", 51515, "ok"), ("tcp4", 5060, "not-ours")]
    assert ("udp4", 40000) in log.bound
    assert read(small().data().replace(b"\n", b"\r\n")) == log


def test_a_log_under_another_code_is_refused():
    with pytest.raises(WitnessLogError, match="line 1: it was not written under this code"):
        read(small().data(OTHER.log))


def test_a_line_left_out_moved_or_changed_is_noticed():
    lines = small().data().splitlines(keepends=True)
    for number in range(len(lines)):
        if number < len(lines) - 1:  # the last one is the end: see the next test
            with pytest.raises(WitnessLogError):
                read(b"".join(lines[:number] + lines[number + 1 :]))
            swapped = [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]
            with pytest.raises(WitnessLogError):
                read(b"".join(swapped))
        with pytest.raises(WitnessLogError):
            read(b"".join([*lines[: number + 1], lines[number], *lines[number + 1 :]]))


def test_a_log_cut_off_at_the_end_is_not_whole():
    data = small().data()
    lines = data.splitlines(keepends=True)
    assert not read(b"".join(lines[:-1])).is_whole
    assert not read(data[:-5]).is_whole
    assert not read(b"".join(lines[:-1])).was_up(EPOCH + 1000, EPOCH + 2000)


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject):
    log = small().data()
    place = data.draw(st.integers(0, len(log) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != log[place]))
    changed = log[:place] + bytes([value]) + log[place + 1 :]
    with contextlib.suppress(WitnessLogError):
        assert read(changed) == read(log), "only a line end written otherwise may be taken"


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_nothing_else(data: bytes):
    with pytest.raises(WitnessLogError):
        read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.integers(0, 12),
    st.sampled_from(
        [
            "kind",
            "at_ms",
            "until_ms",
            "wall_ms",
            "bound",
            "place",
            "port",
            "how",
            "own",
            "refused",
            "only_server",
            "why",
            "to",
            "nonce",
            "run",
            "version",
        ]
    ),
    JSON,
)
def test_a_wrong_line_under_the_right_code_raises_nothing_else(number: int, name: str, value: Any):
    entries = small().entries()
    entries[number][name] = value
    with contextlib.suppress(WitnessLogError):
        read(as_log(entries))


@pytest.mark.parametrize(
    ("writer", "up"),
    [
        (LogWriter(EPOCH, ends_s=60.0), True),
        (LogWriter(EPOCH, ends_s=60.0, why="interrupted"), True),
        (LogWriter(EPOCH, ends_s=60.0, why="failed"), False),
        (LogWriter(EPOCH, ends_s=60.0, why=None), False),
        (LogWriter(EPOCH, ends_s=30.0), False),
        (LogWriter(EPOCH + 15_000, ends_s=60.0), False),
        (LogWriter(EPOCH, ends_s=60.0, silent_s=(20.0, 33.0)), False),
        (LogWriter(EPOCH, ends_s=60.0, drift_after_s=25.0), False),
    ],
    ids=["all", "ctrl-c", "failed", "cut", "ended-early", "began-late", "cut-heartbeats", "clock-jumped"],
)
def test_up_is_only_what_signs_of_life_show(writer: LogWriter, up: bool):
    assert read(writer.data()).was_up(EPOCH + 10_000, EPOCH + 40_000) is up


def test_a_line_too_deep_to_read_is_refused():
    entry = small().entries()[0]
    assert isinstance(json.dumps(entry), str)
    deep = b'{"kind":' + b"[" * 100_000
    with pytest.raises(WitnessLogError):
        read(deep + b',"mac":"' + b"0" * 64 + b'"}\n')
