"""Expectations: read strictly, met only by findings that exist and agree."""

from __future__ import annotations

from typing import Any

import pytest

from flexiscan_lab.expectation import read_expectation, unmet


def finding(rule: str, verdict: str, result: str, **place: Any) -> dict[str, Any]:
    everywhere = {"address": None, "family": None, "transport": None, "port": None}
    return {"rule": rule, "verdict": verdict, "result": result, **everywhere, **place}


SIP4 = finding(
    "ports.sip-unreachable", "fail", "open-confirmed", address="192.0.2.10", family="ipv4", transport="udp", port=5060
)
SIP6 = finding("ports.sip-unreachable", "pass", "filtered", family="ipv6", transport="udp", port=5060)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ports.sip-unreachable[ipv4]", "fail"),
        ("ports.sip-unreachable[ipv4:5060]", "fail/open-confirmed"),
        ("ports.sip-unreachable[*:udp/5060]", "fail | pass"),
        ("ports.*[ipv6]", "pass/filtered"),
        ("*", "pass/filt* | fail/open*"),
        ("ports.*[192.0.2.10:5060]", "fail"),
    ],
)
def test_met(key: str, value: str) -> None:
    assert unmet({key: value}, [SIP4, SIP6]) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ports.sip-unreachable", "fail", "ports.sip-unreachable udp 5060 is pass/filtered"),
        ("ports.sip-unreachable[ipv4]", "fail/open", "is fail/open-confirmed"),
        ("ports.sip-unreachable[ipv4:tcp/5060]", "fail", "no such finding"),
        ("ports.rtp-unreachable", "pass", "no such finding"),
    ],
)
def test_unmet(key: str, value: str, said: str) -> None:
    lines = unmet({key: value}, [SIP4, SIP6])
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [("ports.sip[ipv5]", "fail"), ("ports.sip", "failed"), ("ports.sip", ""), ("Ports", "pass"), ("a[*:x]", "pass")],
)
def test_not_an_expectation(key: str, value: str) -> None:
    with pytest.raises(ValueError, match="not an expectation"):
        read_expectation(key, value)
