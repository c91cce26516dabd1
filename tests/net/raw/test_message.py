from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts_raw import IcmpCapture, IcmpNote, PacketCapture, QuotedPacket, SynAnswer
from flexiscan.model.icmp import IcmpError
from flexiscan.model.raw_message import (
    MAX_LINE_BYTES,
    Answered,
    Begin,
    Begun,
    Errors,
    Finish,
    Finished,
    ForgetSyn,
    NotUnderstood,
    Order,
    Refused,
    Report,
    SendSyn,
    Sent,
    TellErrors,
    Widen,
    Widened,
    read_order,
    read_report,
    write_message,
)

ERROR = IcmpError(family="ipv4", icmp_type=3, code=13, offender="192.0.2.1", hop_limit=64)
QUOTED = QuotedPacket(transport="tcp", source_port=50000, port=5060, hop_limit=63, ip_id=7, length_bytes=60)
ORDERS: tuple[Order, ...] = (
    Begin(deadline_s=60.0, capture_descriptor=7, capture_name="packets.pcap", max_capture_bytes=1000),
    Widen(wall="{}"),
    SendSyn(id=1, address="2001:db8::1", port=5060),
    ForgetSyn(id=1),
    TellErrors(address="192.0.2.1"),
    Finish(),
)
REPORTS: tuple[Report, ...] = (
    Begun(uid=65534, capabilities=(13,)),
    Widened(),
    Sent(id=1),
    Refused(id=1, reason="outside-scope", detail="tcp 192.0.2.9 5060"),
    Answered(id=1, answer=SynAnswer(answer="icmp", hop_limit=64, after_s=0.1, icmp=ERROR, quoted=QUOTED)),
    Errors(address="192.0.2.1", capture=IcmpCapture(notes=(IcmpNote(icmp=ERROR, quoted=QUOTED, count=2),))),
    Finished(capture=PacketCapture(file="packets.pcap", packets=3, is_whole=True)),
)
BAD_SYNS = (
    {"id": "1", "address": "192.0.2.1", "port": 5060},
    {"id": 1, "address": "192.0.2.1", "port": 0},
    {"id": 1, "address": "192.0.2.1", "port": 65536},
    {"id": 1, "address": "192.0.2.1", "port": 5060.0},
    {"id": -1, "address": "192.0.2.1", "port": 5060},
    {"id": 2**31, "address": "192.0.2.1", "port": 5060},
    {"id": 1, "address": "flexi.example.test", "port": 5060},
    {"id": 1, "address": "fe80::1%eth0", "port": 5060},
    {"id": 1, "address": "1" * 46, "port": 5060},
    {"id": 1, "address": "192.0.2.1", "port": 5060, "more": 1},
    {"id": 1, "address": "192.0.2.1"},
    {"id": True, "address": "192.0.2.1", "port": 5060},
)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.order)
def test_orders_are_read_as_they_were_written(order: Order):
    line = write_message(order)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_order(line) == order


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.report)
def test_reports_are_read_as_they_were_written(report: Report):
    assert read_report(write_message(report)) == report


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.report)
def test_a_report_is_no_order(report: Report):
    with pytest.raises(NotUnderstood):
        read_order(write_message(report))


@pytest.mark.parametrize("fields", BAD_SYNS, ids=str)
def test_nothing_is_coerced(fields: dict[str, object]):
    with pytest.raises(NotUnderstood):
        read_order(json.dumps({"order": "syn", **fields}).encode())


def test_another_version_is_not_understood():
    with pytest.raises(NotUnderstood, match="version"):
        read_order(json.dumps({"order": "begin", "version": 2, "deadline_s": 1.0}).encode())


def test_a_line_may_not_be_endless():
    with pytest.raises(NotUnderstood, match="bytes"):
        read_order(b" " * (MAX_LINE_BYTES + 1))


@given(st.binary(max_size=300))
def test_garbage_is_not_understood(line: bytes):
    with pytest.raises(NotUnderstood):
        read_order(line)
    with pytest.raises(NotUnderstood):
        read_report(line)
