"""Ctrl-C once, twice, and pressed by the impatient: the scan ends soon, and what was seen is kept."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.hardship.command import Command

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

SLOW = ("--only", "ports.rtp-unreachable", "--udp-pps", "20")
"""Keeps a scan busy for a minute."""

ENDS_WITHIN_S = 20.0
BY_SIGNAL = -signal.SIGINT
"""A second Ctrl-C that meets the interpreter while it shuts down; a shell shows it as 130, too."""


def started(command: Command) -> subprocess.Popen[bytes]:
    """A scan that has seen something."""
    record = command.home / "run" / "record.jsonl"
    argv = [*command.scan, *SLOW, "--record", str(record.parent), "--format", f"json={command.home / 'result.json'}"]
    scan: subprocess.Popen[bytes] = command.lab.popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=command.environment(), cwd=command.home
    )
    ends_s = time.monotonic() + ENDS_WITHIN_S
    while not record.exists() or record.read_bytes().count(b'"event":"observation"') < 8:
        assert time.monotonic() < ends_s, "the scan did not begin"
        assert scan.poll() is None, scan.communicate()
        time.sleep(0.05)  # a process of its own: there is no event to wait for
    return scan


@pytest.mark.parametrize("pauses_s", [(), (0.0,), (0.02,), (0.1,), (0.3,), (0.0, 0.0, 0.0), (0.05,) * 10], ids=str)
def test_ctrl_c_as_often_as_you_like(pauses_s: tuple[float, ...], command: Command):
    scan = started(command)
    scan.send_signal(signal.SIGINT)
    for pause_s in pauses_s:
        time.sleep(pause_s)  # a finger on a key
        scan.send_signal(signal.SIGINT)
    _, stderr = scan.communicate(timeout=ENDS_WITHIN_S)
    assert scan.returncode in (130, BY_SIGNAL), stderr
    assert b"Traceback" not in stderr
    assert b"what was seen is kept" in stderr
    document = json.loads((command.home / "result.json").read_text())
    assert (document["run"]["interrupted"], document["exit_code"]) == (True, 130)
    judged = command.run([*command.base, "judge", command.home / "run", "-q", "--format", "json=-"])
    assert judged.returncode == 130
    assert json.loads(judged.stdout) == document
    assert "pass" not in {f["verdict"] for f in document["targets"][0]["findings"] if f["rule"].startswith("ports.")}
    assert sorted(path.name for path in command.home.iterdir()) == ["result.json", "run"], "something was left behind"
