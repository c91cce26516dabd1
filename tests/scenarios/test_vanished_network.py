"""The scanner loses its network in mid-scan: the scan ends in order, soon, without keeping the machine busy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import namespaces_missing

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(180)]

STAGE_DEADLINE_S = 90.0
END_DEADLINE_S = 40.0
BUSY_S = 6.0
"""Of processor time between the loss and the end; a judgement and its report take about one, a spin all there is."""
EACH_LINK = "for link in $(ip -o link | cut -d: -f2 | cut -d@ -f1); do [ $link = lo ] || ip link {}; done"
LOST_DELETED = EACH_LINK.format("delete $link")
LOST_DOWN = EACH_LINK.format("set $link down")
LOST_ADDRESSES = "ip addr flush scope global; ip -6 addr flush scope global"
SWEEP = ("--depth", "full", "--only", "ports.no-undeclared-port", "--udp-pps", "2000")
MEDIA = ("--depth", "standard", "--only", "ports.rtp-unreachable", "--udp-pps", "2000")


@pytest.fixture(scope="module", autouse=True)
def _namespaces():
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")


def asked(lab: Lab, protocol: str) -> int:
    """How many ports were asked so far."""
    return len({(count.address, count.port) for count in lab.counters() if count.protocol == protocol})


def processor_s(pid: int) -> float:
    """Processor time so far; also of a process that has ended and was not waited for yet."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(is_true: Callable[[], bool], deadline_s: float) -> None:
    ends_s = time.monotonic() + deadline_s
    while not is_true():
        assert time.monotonic() < ends_s, "it did not come to that"
        time.sleep(0.1)  # a process of its own: there is no event to wait for


def has_ended(scan: subprocess.Popen[str]) -> bool:
    """Without taking it away, so that its processor time can still be read."""
    return os.waitid(os.P_PID, scan.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


class Running:
    """A scan that has come to a stage."""

    def __init__(self, lab: Lab, folder: Path, options: tuple[str, ...]) -> None:
        self.document = folder / "result.json"
        self.errors = folder / "stderr"
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *options]
        argv += ["--record", str(folder / "record"), "--format", f"json={self.document}"]
        with self.errors.open("w") as errors:
            self.scan: subprocess.Popen[str] = lab.popen(argv, stdout=subprocess.DEVNULL, stderr=errors, text=True)

    def lose_network(self, lab: Lab, how: str) -> None:
        assert not has_ended(self.scan), self.errors.read_text()
        lab.run(["sh", "-c", how], check=True, capture_output=True)
        self._used_s = processor_s(self.scan.pid)

    def end(self) -> int:
        """The exit code, once it has ended; it was not busy meanwhile."""
        wait_until(lambda: has_ended(self.scan), END_DEADLINE_S)
        used_s = processor_s(self.scan.pid) - self._used_s
        self.scan.wait()
        assert used_s < BUSY_S
        return self.scan.returncode

    def verdicts(self) -> set[str]:
        document = json.loads(self.document.read_text())
        return {finding["verdict"] for finding in document["targets"][0]["findings"]}


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., Running]:
    return lambda lab, *options: Running(lab, tmp_path, options)


@pytest.mark.parametrize("how", [LOST_DELETED, LOST_DOWN], ids=["deleted", "down"])
@pytest.mark.parametrize(
    ("scenario", "options", "protocol", "ports"),
    [
        ("hardened", ("--depth", "quick"), "tcp", 10),
        ("three_rtp_holes", MEDIA, "udp", 300),
        ("rtp_holes_over_ipv6", MEDIA, "udp", 300),
        ("sweep_of_closed_ports", SWEEP, "tcp", 1500),
    ],
    ids=["controls-and-connects", "media-sweep", "media-sweep-over-ipv6", "sweep-of-all-ports"],
)
def test_a_lost_link_ends_the_scan_soon_and_nothing_passes(
    scenario: str, options: tuple[str, ...], protocol: str, ports: int, how: str, begun: Callable[..., Running]
):
    with Lab.start(ALL[scenario]) as lab:
        running = begun(lab, *options)
        wait_until(lambda: asked(lab, protocol) >= ports, STAGE_DEADLINE_S)
        running.lose_network(lab, how)
        code = running.end()
    assert "Traceback" not in running.errors.read_text()
    assert code in (1, 3)  # 1: a fault had been seen before
    assert "inconclusive" in running.verdicts()
    if options is SWEEP or options is MEDIA:
        assert "pass" not in running.verdicts()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", [LOST_ADDRESSES, LOST_DOWN], ids=["addresses", "down"])
def test_a_scan_without_a_network_can_still_be_interrupted(
    how: str, number: signal.Signals, begun: Callable[..., Running]
):
    with Lab.start(ALL["hardened"]) as lab:
        running = begun(lab, "--depth", "quick")
        wait_until(lambda: asked(lab, "tcp") >= 10, STAGE_DEADLINE_S)
        running.lose_network(lab, how)
        running.scan.send_signal(number)
        assert running.end() == 130
    assert "what was seen is kept" in running.errors.read_text()
    assert "inconclusive" in running.verdicts()
