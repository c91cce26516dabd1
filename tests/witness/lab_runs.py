"""Runs a scan of the lab with a witness on the target, and judges it with and without the witness's log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios.witness import CODE, WitnessScenario

DEADLINE_S = 150.0
SCAN_OPTIONS = ("--seed", "7", "--udp-pps", "2000", "--only", "ports.*", "--witness", CODE)


@dataclass(frozen=True, slots=True)
class WitnessRun:
    """One scan and its two judgements."""

    document: dict[str, Any]
    judged: subprocess.CompletedProcess[str]
    record: Path
    log: Path

    @property
    def without_log(self) -> list[dict[str, Any]]:
        """Findings of the scan itself."""
        found: list[dict[str, Any]] = self.document["targets"][0]["findings"]
        return found

    @property
    def with_log(self) -> list[dict[str, Any]]:
        """Findings once the log is known."""
        found: list[dict[str, Any]] = json.loads(self.judged.stdout)["targets"][0]["findings"]
        return found


def judge_again(
    record: Path, log: Path, code: str = CODE, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """`flexiscan judge` with a log."""
    return judge(record, "--witness-log", str(log), "--witness", code, *options)


def judge(record: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`flexiscan judge`."""
    argv = [sys.executable, "-m", "flexiscan", "judge", str(record), *options, "--format", "json=-"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def run_witnessed(case: WitnessScenario, folder: Path, scan_options: Sequence[str] = SCAN_OPTIONS) -> WitnessRun:
    """Start lab and witness, scan, end the witness in order, judge."""
    record, log = folder / "record", folder / "witness.log"
    with Lab.start(case.scenario) as lab:
        command = [sys.executable, "-m", "flexiscan.witness", "--code", case.witness_code, "--log", str(log)]
        witness = subprocess.Popen(lab.command([*command, *case.options], "target"), stderr=subprocess.PIPE, text=True)
        try:
            assert witness.stderr is not None
            assert "listening on" in witness.stderr.readline()
            argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *scan_options]
            argv += ["--record", str(record), "--format", "json=-"]
            done = lab.run(argv, capture_output=True, text=True, timeout=DEADLINE_S)
            witness.send_signal(signal.SIGINT)
            assert witness.wait(20) == 130
        finally:
            witness.kill()
            witness.communicate()
    assert done.stdout, done.stderr
    return WitnessRun(json.loads(done.stdout), judge_again(record, log), record, log)
