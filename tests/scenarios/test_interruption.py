"""A scan that is cut short: what was seen is kept, nothing that was not seen passes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flexiscan.api import judge
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import namespaces_missing

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(120)]

FIRST_CONTROL = '"event":"observation"'
START_DEADLINE_S = 30.0


@pytest.fixture(scope="module", autouse=True)
def _namespaces():
    missing = namespaces_missing()
    if missing:
        pytest.skip(f"left out, the lab needs network namespaces: {missing}")


def started_scan(lab: Lab, record: Path, document: Path) -> subprocess.Popen[str]:
    """A scan in the background whose first observations are on disk."""
    argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments()]
    argv += ["--record", str(record), "--format", f"json={document}"]
    scan: subprocess.Popen[str] = lab.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + START_DEADLINE_S
    file = record / "record.jsonl"
    while not file.exists() or file.read_text().count(FIRST_CONTROL) < 5:
        assert time.monotonic() < ends, "the scan did not begin"
        assert scan.poll() is None, scan.communicate()
        time.sleep(0.05)  # a process of its own: there is no event to wait for
    return scan


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_scan_keeps_what_was_seen(number: signal.Signals, tmp_path: Path):
    with Lab.start(ALL["hardened"]) as lab:
        scan = started_scan(lab, tmp_path / "record", tmp_path / "result.json")
        scan.send_signal(number)
        _, stderr = scan.communicate(timeout=20)
    assert scan.returncode == 130
    assert "what was seen is kept" in stderr
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["run"]["interrupted"] is True
    assert document["exit_code"] == 130
    verdicts = {f["rule"]: f["verdict"] for f in document["targets"][0]["findings"]}
    assert verdicts["dns.ipv4-present"] == "pass"
    assert verdicts["web.admin-unreachable"] == "inconclusive"
    assert verdicts["ports.sip-unreachable"] == "inconclusive"


def test_a_killed_run_stays_readable(tmp_path: Path):
    with Lab.start(ALL["hardened"]) as lab:
        scan = started_scan(lab, tmp_path / "record", tmp_path / "result.json")
        scan.kill()
        scan.communicate(timeout=20)
    assert not (tmp_path / "result.json").exists()
    document = judge(tmp_path / "record")
    assert document.run.interrupted
    assert document.run.ended is None
    assert document.exit_code == 130
    waiting = [f for f in document.targets[0].findings if f.rule == "web.admin-unreachable"]
    assert waiting
    assert {f.verdict for f in waiting} == {"inconclusive"}


def test_a_second_run_on_the_same_record_is_refused(tmp_path: Path):
    with Lab.start(ALL["hardened"]) as lab:
        scan = started_scan(lab, tmp_path / "record", tmp_path / "result.json")
        before = (tmp_path / "record" / "record.jsonl").read_bytes()
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments()]
        second = lab.run([*argv, "--record", str(tmp_path / "record")], capture_output=True, text=True)
        scan.kill()
        scan.communicate(timeout=20)
    assert second.returncode == 2
    assert "already holds a run" in second.stderr
    assert (tmp_path / "record" / "record.jsonl").read_bytes().startswith(before)
