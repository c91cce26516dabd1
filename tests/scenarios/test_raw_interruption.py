"""A scan with raw sockets that is cut short: the capture stays readable, and no process with a privilege stays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexiscan.api import judge
from flexiscan.net.raw.link import MODULE
from flexiscan.net.raw.pcap import take_off_torn_end
from flexiscan.net.raw.right import why_not
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import namespaces_missing

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(240)]

OBSERVATION = '"event":"observation"'
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def hardened() -> Iterator[Lab]:
    missing = namespaces_missing() or (why_not() or ("",))[0]
    if missing:
        pytest.skip(f"left out, raw sockets in a lab of namespaces: {missing}")
    with Lab.start(ALL["hardened"]) as lab:
        yield lab


def started_scan(lab: Lab, record: Path) -> tuple[subprocess.Popen[str], int]:
    """A scan that has seen something, and the id of its process with raw sockets."""
    argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), "--raw"]
    argv += ["--record", str(record), "--format", f"json={record.parent / 'result.json'}"]
    scan: subprocess.Popen[str] = lab.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + DEADLINE_S
    file = record / "record.jsonl"
    while not file.exists() or file.read_text().count(OBSERVATION) < 5:
        assert time.monotonic() < ends, "the scan did not begin"
        assert scan.poll() is None, scan.communicate()
        time.sleep(0.05)  # a process of its own: there is no event to wait for
    return scan, helper_of(record / "packets.pcap")


def helper_of(capture: Path) -> int:
    """The process with raw sockets that writes this file."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_helper = MODULE.encode() in (folder / "cmdline").read_bytes().split(b"\0")
            writes = is_helper and any(link.resolve() == capture.resolve() for link in (folder / "fd").iterdir())
        except OSError:  # it has ended meanwhile
            continue
        if writes:
            return int(folder.name)
    raise AssertionError("nobody writes the capture")


def wait_until_gone(process_id: int) -> None:
    ends = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{process_id}/cmdline").exists() and Path(f"/proc/{process_id}/cmdline").read_bytes():
        assert time.monotonic() < ends, "the process with raw sockets is still there"
        time.sleep(0.05)


def test_ctrl_c_closes_the_capture(hardened: Lab, tmp_path: Path):
    scan, helper = started_scan(hardened, tmp_path / "record")
    scan.send_signal(signal.SIGINT)
    scan.communicate(timeout=60)
    assert scan.returncode == 130
    wait_until_gone(helper)
    shown = json.loads((tmp_path / "result.json").read_text())["run"]["packets"]
    path = tmp_path / "record" / "packets.pcap"
    assert shown["is_whole"]
    assert take_off_torn_end(path) == (shown["packets"], shown["size_bytes"])


def test_a_killed_scan_leaves_no_privileged_process(hardened: Lab, tmp_path: Path):
    scan, helper = started_scan(hardened, tmp_path / "record")
    scan.kill()
    scan.communicate(timeout=60)
    wait_until_gone(helper)
    run = judge(tmp_path / "record").run
    assert (run.raw, run.packets) == (True, None)
    path = tmp_path / "record" / "packets.pcap"
    size = path.stat().st_size
    packets, whole = take_off_torn_end(path)
    assert packets > 10
    assert size == whole


def test_a_helper_that_dies_changes_no_verdict(hardened: Lab, tmp_path: Path):
    scan, helper = started_scan(hardened, tmp_path / "record")
    subprocess.run(["kill", "-KILL", str(helper)], check=True)
    _, stderr = scan.communicate(timeout=200)
    assert scan.returncode == 0, stderr
    document = judge(tmp_path / "record")
    assert document.run.packets is not None
    assert not document.run.packets.is_whole
    outcomes = [o.outcome for o in document.targets[0].observations if o.id.startswith("tcp.raw/")]
    assert {outcome.kind == "failure" and outcome.reason for outcome in outcomes} == {"worker-died"}
    verdicts = {finding.verdict for finding in document.targets[0].findings if finding.rule.startswith("ports.")}
    assert "fail" not in verdicts
