"""Peers that misbehave do so as described, and hostile text really goes out."""

from __future__ import annotations

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.lab.visiting import ADDRESSES, ask, get, visit

pytestmark = [pytest.mark.netns, pytest.mark.scenario]  # many labs, one after the other
HELLO = "\x16\x03\x01\x00\x04hello"
OPTIONS = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1;rport\r\nTo: <sip:h>\r\nCall-ID: a\r\n\r\n"


def knock(name: str, port: int = 443, send: str = HELLO, **options: float) -> dict[str, object]:
    with Lab.start(ALL[name]) as lab:
        step = {"do": "converse", "address": ADDRESSES[1], "port": port, "send": send, "timeout_s": 1.0, **options}
        (seen,) = visit(lab, step)
    return seen


def test_a_tarpit_accepts_and_says_nothing() -> None:
    seen = knock("tarpit_on_443", timeout_s=0.5)
    assert seen["connected"]
    assert (seen["data"], seen["error"]) == ("", "TimeoutError")


def test_a_reset_is_a_reset() -> None:
    seen = knock("reset_on_443")
    assert seen["connected"]
    assert (seen["data"], seen["error"]) == ("", "ECONNRESET")


def test_garbage_is_long_and_the_same_every_time() -> None:
    first, second = knock("garbage_on_443"), knock("garbage_on_443")
    assert first["data"] == second["data"]
    assert len(str(first["data"])) == 4096


def test_a_drip_drips() -> None:
    assert knock("drip_on_443", timeout_s=1.5, enough_bytes=1)["data"] == "\x16\x03"


def test_a_flood_is_more_than_asked_for() -> None:
    assert len(str(knock("flood_on_443", enough_bytes=1 << 20)["data"])) > 1 << 20


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("proxy_bans_with_404", "404 Not Found"),
        ("proxy_bans_with_403", "403 Forbidden"),
        ("proxy_bans_with_429", "429 Too Many Requests"),
    ],
)
def test_a_proxy_bans_after_twelve_requests(name: str, status: str) -> None:
    with Lab.start(ALL[name]) as lab:
        seen = visit(
            lab, *[get(ADDRESSES[0], "/Presentity/")] * 13, get(ADDRESSES[0], "/xqzrv"), get(ADDRESSES[1], "/")
        )
    *good, banned, missing, other_family = [one["data"].split("\r\n")[0] for one in seen]
    assert good == ["HTTP/1.1 200 OK"] * 12
    assert banned == missing == f"HTTP/1.1 {status}"
    assert other_family == "HTTP/1.1 302 Found"


def test_a_ban_with_404_is_the_page_for_missing_ones() -> None:
    with Lab.start(ALL["proxy_bans_with_404"]) as lab:
        seen = visit(lab, get(ADDRESSES[0], "/xqzrv"), *[get(ADDRESSES[0], "/Presentity/")] * 12)
    assert seen[0]["data"].partition("Date:")[0] == seen[-1]["data"].partition("Date:")[0]


def test_a_ban_with_resets() -> None:
    with Lab.start(ALL["proxy_bans_with_resets"]) as lab:
        *_, banned = visit(lab, *[get(ADDRESSES[0], "/")] * 13)
    assert banned["version"] == "TLSv1.3"
    assert banned["data"] == ""


def test_hostile_text_goes_out_as_it_is() -> None:
    with Lab.start(ALL["hostile_headers"]) as lab:
        web, sip, banner = visit(
            lab,
            get(ADDRESSES[0], "/mobile/"),
            ask(ADDRESSES[0], [5060], OPTIONS.encode()),
            {"do": "converse", "address": ADDRESSES[0], "port": 13317, "timeout_s": 0.5},
        )
    answers = (web["data"], bytes.fromhex(sip["answers"][0]["hex"]).decode("latin-1"), banner["data"])
    for text in answers:
        assert "<script>alert(1)</script>" in text
        assert "\x1b]0;owned\x07" in text
    assert "X-AspNet-Version: =cmd|' /C calc'!A0\r\n" in web["data"]


def test_slow_pages_come_late_but_whole() -> None:
    with Lab.start(ALL["slow_but_sound"]) as lab:
        hasty, patient = visit(lab, get(ADDRESSES[0], "/", timeout_s=0.5), get(ADDRESSES[0], "/", timeout_s=10.0))
    assert hasty["error"] == "TimeoutError"
    assert patient["data"].startswith("HTTP/1.1 302")
