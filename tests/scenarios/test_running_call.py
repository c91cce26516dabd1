"""A call under way behind a firewall that lets the media range through: our sweep must not touch its audio.

The relay is a real rtpengine. One side of the call is silent, so the relay still learns where that side is.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from flexiscan.model.witness_message import WitnessKeys, build_question
from flexiscan_lab.call_control import call_counts, have_callee_talk
from flexiscan_lab.capture import CapturedPacket, read_capture
from flexiscan_lab.lab import Lab
from flexiscan_lab.programs import find_program
from flexiscan_lab.scenario import Family, MediaStream
from flexiscan_lab.scenarios import ALL
from flexiscan_lab.scenarios.calls import CALL_PORTS
from flexiscan_lab.servers.rtpengine import RTPENGINE
from tests.scenarios.runs import namespaces_missing

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
TARGETS = {"ipv4": "192.0.2.10", "ipv6": "2001:db8:2::10"}
FIRST, LAST = 40000, 50000
RECEIVER_REPORT = bytes.fromhex("80c90001")
PROTOCOL_UDP = 17
SCAN_DEADLINE_S = 240.0
PATIENCE_S = 10.0
UNDER_WAY = 3
"""Packets sent and not yet heard at the moment of asking."""
PATTERN = MediaStream().content
WITNESS_QUESTION = build_question(WitnessKeys(b"q", b"a", b"l", b"n"), "udp", CALL_PORTS[0], bytes(16))

CARELESS = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
scanner = socket.socket(family, socket.SOCK_DGRAM)
scanner.settimeout(float(sys.argv[4]))
scanner.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[1], int(sys.argv[2])))
heard = 0
try:
    while heard < 50:
        heard += scanner.recv(2000)[1] & 0x7F == 8
except TimeoutError:
    pass
print(heard)
"""
"""One datagram, and how many packets of A-law voice come back for it (fifty are enough)."""

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(600)]
needs_rtpengine = pytest.mark.skipif(find_program(RTPENGINE) is None, reason="left out: rtpengine is not installed")


@pytest.fixture(scope="module", autouse=True)
def _namespaces():
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")


@dataclass(frozen=True, slots=True)
class Swept:
    """A finished scan, with all that left the scanner and all that came back."""

    document: dict[str, Any]
    left: tuple[CapturedPacket, ...]
    came: tuple[CapturedPacket, ...]

    def finding(self, family: Family) -> dict[str, Any]:
        found = self.document["targets"][0]["findings"]
        return next(f for f in found if f["rule"] == "ports.rtp-unreachable" and f["family"] == family)

    def sent_to_range(self) -> list[CapturedPacket]:
        return [p for p in self.left if p.protocol == PROTOCOL_UDP and FIRST <= (p.port or 0) <= LAST]

    def voice(self) -> list[CapturedPacket]:
        """RTP that came: version 2, A-law."""
        return [p for p in self.came if p.udp_bytes > 12 and p.udp_payload[0] >> 6 == 2 and p.udp_payload[1] & 127 == 8]


def swept(lab: Lab, folder: Path, *options: str) -> Swept:
    argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *options]
    argv += ["--only", "ports.rtp-unreachable", "--record", str(folder / "record")]
    argv += ["--format", f"json={folder / 'result.json'}", "--format", f"html={folder / 'result.html'}"]
    argv += ["--format", f"markdown={folder / 'result.md'}", "--format", f"text={folder / 'result.txt'}", "-vv"]
    with lab.capture(folder / "left.pcap"), lab.capture(folder / "came.pcap", inbound=True):
        done = lab.run(argv, capture_output=True, text=True, timeout=SCAN_DEADLINE_S)
    (folder / "stdout.txt").write_text(done.stdout)
    (folder / "stderr.txt").write_text(done.stderr)
    assert (folder / "result.json").exists(), done.stderr
    document = json.loads((folder / "result.json").read_text())
    return Swept(document, read_capture(folder / "left.pcap"), read_capture(folder / "came.pcap"))


def careless(lab: Lab, family: Family, port: int, payload: str, *, wait_s: float = 1.0) -> int:
    """Send one datagram from the scanner's place; the packets of voice that it brings."""
    argv = [sys.executable, "-c", CARELESS, TARGETS[family], str(port), payload, str(wait_s)]
    return int(lab.run(argv, capture_output=True, text=True, check=True).stdout)


def lost(counts: dict[str, int]) -> int:
    """Packets of the caller that the callee has not heard."""
    return counts["caller_sent"] - counts["callee_heard"]


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another process of the lab: there is no event to wait for."""
    ends_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_s
        time.sleep(0.05)


def nothing_lost(lab: Lab) -> None:
    """The callees heard all that their callers said. What was redirected once never comes back."""
    for family in FAMILIES:
        until(lambda family=family: abs(lost(call_counts(lab, family))) <= UNDER_WAY)  # type: ignore[misc]


@contextmanager
def a_call(name: str, *, inner_router: bool = True) -> Iterator[Lab]:
    """The lab with its calls under way."""
    with Lab.start(replace(ALL[name], inner_router=inner_router)) as lab:
        for family in FAMILIES:
            until(lambda family=family: call_counts(lab, family)["callee_heard"] > 10)  # type: ignore[misc]
        yield lab


@needs_rtpengine
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "payload",
    ["", "800000010000000112345678", "000100002112a442" + "00" * 12, "72fe1d130000000000000002"],
    ids=["empty", "rtp-header", "stun", "rpc-call"],
)
def test_one_careless_datagram_redirects_the_audio(family: Family, payload: str) -> None:
    with a_call("running_call") as lab:
        port = call_counts(lab, family)["callee_port"]
        before = call_counts(lab, family)
        assert careless(lab, family, port, payload) == 50
        after = call_counts(lab, family)
    assert lost(after) - lost(before) >= 45


@needs_rtpengine
@pytest.mark.skipif(shutil.which("nmap") is None, reason="left out: nmap is not installed")
def test_one_nmap_scan_redirects_the_audio() -> None:
    """Long after nmap is gone the callee still hears nothing."""
    with a_call("running_call") as lab:
        port = call_counts(lab, "ipv4")["callee_port"]
        argv = ["nmap", "-n", "-Pn", "-sU", "-p", str(port), TARGETS["ipv4"]]
        lab.run(argv, capture_output=True, check=True, timeout=60)
        until(lambda: lost(call_counts(lab, "ipv4")) > 50)


@needs_rtpengine
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("payload", [bytes.fromhex("80c9000112345678"), WITNESS_QUESTION], ids=["sweep", "witness"])
def test_what_we_send_does_not(family: Family, payload: bytes) -> None:
    with a_call("running_call") as lab:
        for port in CALL_PORTS:
            assert careless(lab, family, port, payload.hex(), wait_s=0.5) == 0
        nothing_lost(lab)


SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3, 4, 5))]


@needs_rtpengine
@pytest.mark.parametrize("seed", SEEDS)
def test_the_whole_sweep_leaves_the_call_alone(seed: int, tmp_path: Path) -> None:
    """Every port of the range was asked, the four of the call too; its audio went on to where it belongs.

    Without a router behind the firewall nothing decides the sweep early. What does is the call's RTCP port: it sends
    our own report on to where it now takes the other side to be, to us.
    """
    with a_call("running_call", inner_router=False) as lab:
        before = {family: call_counts(lab, family) for family in FAMILIES}
        run = swept(lab, tmp_path, "--seed", str(seed), "--udp-pps", "2000")
        after = {family: call_counts(lab, family) for family in FAMILIES}
        nothing_lost(lab)
        for family in FAMILIES:
            have_callee_talk(lab, family)
            until(lambda family=family: call_counts(lab, family)["caller_heard"] > 10)  # type: ignore[misc]
    assert run.voice() == []
    for family in FAMILIES:
        assert after[family]["caller_sent"] - before[family]["caller_sent"] > 250
        assert (run.finding(family)["verdict"], run.finding(family)["result"]) == ("fail", "open")
        asked = {p.port for p in run.sent_to_range() if p.destination == TARGETS[family]}
        assert asked == set(range(FIRST, LAST + 1))
    assert {(p.udp_bytes, p.udp_payload[:4]) for p in run.sent_to_range()} == {(8, RECEIVER_REPORT)}


@needs_rtpengine
def test_reports_of_a_call_end_the_sweep(tmp_path: Path) -> None:
    """RTCP that comes back is a sign of a call as well: nothing more is sent to that address."""
    with a_call("running_call_with_reports") as lab:
        run = swept(lab, tmp_path, "--seed", "1", "--udp-pps", "2000")
        nothing_lost(lab)
    assert run.voice() == []
    for family in FAMILIES:
        assert run.finding(family)["verdict"] == "fail"
    assert {(p.udp_bytes, p.udp_payload[:4]) for p in run.sent_to_range()} == {(8, RECEIVER_REPORT)}


@pytest.mark.parametrize("options", [(), ("--raw",)], ids=["ordinary", "raw"])
def test_media_ends_the_sweep_at_once_and_none_of_it_is_kept(options: tuple[str, ...], tmp_path: Path) -> None:
    with Lab.start(ALL["media_for_anybody"]) as lab:
        run = swept(lab, tmp_path, "--seed", "1", "--udp-pps", "2000", *options)
        voice = run.voice()
        assert voice
        for path in lab.folder.rglob("*.log"):
            shutil.copy(path, tmp_path / path.name)
    finding = run.finding("ipv4")
    assert (finding["verdict"], finding["result"], finding["severity"]) == ("fail", "media-received", "critical")
    first_s = min(p.time_s for p in voice)
    late = [p for p in run.sent_to_range() if p.destination == TARGETS["ipv4"] and p.time_s > first_s + 0.1]
    assert len(late) <= 1  # the one that was waiting for its turn
    assert_nowhere(PATTERN.encode(), tmp_path)


def assert_nowhere(pattern: bytes, folder: Path) -> None:
    """No file that a scan wrote holds the pattern: not in clear, not as hex, not in base 64."""
    ours = {"left.pcap", "came.pcap"}
    written = [path for path in folder.rglob("*") if path.is_file() and path.name not in ours]
    assert len(written) >= 6
    for path in written:
        content = path.read_bytes()
        for form in (pattern, pattern.hex().encode(), pattern.hex().upper().encode()):
            assert form not in content, path
        for shift in range(3):
            assert base64_core(pattern[shift:]) not in content, path


def base64_core(data: bytes) -> bytes:
    """What of a base 64 text is the same wherever in it the data begin (at one of three shifts)."""
    return base64.b64encode(data)[: len(data) // 3 * 4]


@dataclass(frozen=True, slots=True)
class Tried:
    """What `--intrusive rtp-bleed` found in a scenario, and what its call was like before and after."""

    run: Swept
    lost_before: dict[Family, int]
    lost_after: dict[Family, int]


def tried(scenario: str, folder: Path, *, left_alone: bool = False) -> Tried:
    with a_call(scenario) as lab:
        before: dict[Family, int] = {family: lost(call_counts(lab, family)) for family in FAMILIES}
        run = swept(lab, folder, "--seed", "1", "--depth", "quick", "--udp-pps", "2000", "--intrusive", "rtp-bleed")
        if left_alone:
            nothing_lost(lab)
        after: dict[Family, int] = {family: lost(call_counts(lab, family)) for family in FAMILIES}
    packets = [p for p in run.sent_to_range() if p.udp_bytes != 8]
    assert {(p.udp_bytes, p.udp_payload[:2], p.udp_payload[12:16]) for p in packets} == {
        (172, b"\x80\x00", b"\xff" * 4)
    }
    for family in FAMILIES:
        for port in (CALL_PORTS[0], CALL_PORTS[2]):
            assert 1 <= len([p for p in packets if (p.destination, p.port) == (TARGETS[family], port)]) <= 5
    assert {p.port for p in packets} == {CALL_PORTS[0], CALL_PORTS[2]}
    assert run.document["run"]["intrusive"] == ["rtp-bleed"]
    return Tried(run, before, after)


@needs_rtpengine
def test_an_agreed_call_that_can_be_redirected_is_critical(tmp_path: Path) -> None:
    """Half a second of its voice is counted, and nothing of it is kept."""
    result = tried("running_call", tmp_path)
    for family in FAMILIES:
        finding = result.run.finding(family)
        assert (finding["verdict"], finding["result"]) == ("fail", "media-redirectable")
        assert (finding["severity"], finding["confidence"]) == ("critical", "confirmed")
        assert (finding["params"]["voice_packets"], finding["params"]["payload_type"]) == (25, 8)
        assert result.lost_after[family] - result.lost_before[family] >= 20
    assert_nowhere(PATTERN.encode(), tmp_path)


@needs_rtpengine
@pytest.mark.parametrize("scenario", ["running_call_of_two_talkers", "running_call_without_learning"])
def test_a_call_that_cannot_be_redirected_is_left_alone(scenario: str, tmp_path: Path) -> None:
    """And the range, which the firewall lets through, is no better for it."""
    result = tried(scenario, tmp_path, left_alone=True)
    assert result.run.voice() == []
    for family in FAMILIES:
        finding = result.run.finding(family)
        assert (finding["verdict"], finding["result"]) == ("fail", "perimeter-passes")
        assert finding["params"]["not_redirected"] == [CALL_PORTS[0], CALL_PORTS[2]]
