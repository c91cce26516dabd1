"""Runs the scanner against scenarios of the lab, several at a time: most of a scan is waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flexiscan_lab.capture import CapturedPacket, read_capture
from flexiscan_lab.counters import PacketCount
from flexiscan_lab.errors import Unavailable
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import Scenario

RUNS_AT_ONCE = 10
SEED = "7"
SCAN_DEADLINE_S = 300.0
WHOLE_RANGE = frozenset(
    {
        "three_rtp_holes",
        "three_rtp_holes_to_a_stealth_host_behind_a_router",
        "rtp_holes_over_ipv6",
        "lossy_path",
        "silent_rtp_holes_seen_from_an_own_prefix",
    }
)
"""Scanned at standard depth, every media port twice and more: minutes. The others are scanned quickly."""
AT_FULL_PACE = frozenset(
    {
        "one_rtp_hole_over_ipv6_only",
        "three_rtp_holes_over_ipv4_only",
        "twenty_rtp_holes_over_ipv6_only",
    }
)
"""The same at the highest pace that there is."""
FULL_PACE_PPS = 2000
SWEPT = "sweep_"
"""How names of scenarios begin where all TCP ports are asked: at full depth, for that rule alone, at full pace."""


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One finished scan of a scenario."""

    document: dict[str, Any]
    exit_code: int
    stderr: str
    events: list[dict[str, Any]]
    record: Path
    counters: tuple[PacketCount, ...]
    packets: tuple[CapturedPacket, ...]
    resolver: str
    wall_s: float

    @property
    def target(self) -> dict[str, Any]:
        """The result of the one host."""
        target: dict[str, Any] = self.document["targets"][0]
        return target

    @property
    def findings(self) -> list[dict[str, Any]]:
        """All findings."""
        found: list[dict[str, Any]] = self.target["findings"]
        return found


def run_scenario(
    scenario: Scenario, folder: Path, options: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> ScenarioRun:
    """Start the lab, scan it, take everything down. Raises Unavailable where the lab cannot run.

    `environment`: variables of the scanner beside those of this process.
    """
    if options is None:
        options = options_for(scenario.name)
    record = folder / "record"
    with Lab.start(scenario) as lab:
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *options]
        argv += ["--record", str(record), "--format", "json=-"]
        with lab.capture(folder / "packets.pcap"):
            began = time.monotonic()
            variables = {**os.environ, **(environment or {})}
            done = lab.run(argv, capture_output=True, text=True, timeout=SCAN_DEADLINE_S, env=variables)
            wall_s = time.monotonic() - began
        counters = lab.counters()
        resolver = lab.resolver
    if not done.stdout:
        raise AssertionError(f"the scan of {scenario.name} gave no document (exit {done.returncode}): {done.stderr}")
    return ScenarioRun(
        document=json.loads(done.stdout),
        exit_code=done.returncode,
        stderr=done.stderr,
        events=[json.loads(line) for line in (record / "record.jsonl").read_bytes().splitlines()],
        record=record,
        counters=counters,
        packets=read_capture(folder / "packets.pcap"),
        resolver=resolver,
        wall_s=wall_s,
    )


def options_for(name: str) -> tuple[str, ...]:
    """How deep, and how fast, a scenario is scanned."""
    if name.startswith(SWEPT):
        only = ("--only", "ports.no-undeclared-port", "--udp-pps", str(FULL_PACE_PPS))
        return ("--seed", SEED, "--depth", "full", *only)
    if name in AT_FULL_PACE:
        return ("--seed", SEED, "--depth", "standard", "--udp-pps", str(FULL_PACE_PPS))
    return ("--seed", SEED, "--depth", "standard" if name in WHOLE_RANGE else "quick")


class ScenarioRuns:
    """Runs every scenario that is asked for once, in the background, and keeps the results."""

    def __init__(self, folder: Path, scenarios: Sequence[Scenario]) -> None:
        self._pool = ThreadPoolExecutor(RUNS_AT_ONCE, thread_name_prefix="scenario")
        self._runs: dict[str, Future[ScenarioRun]] = {}
        self._folder = folder
        for scenario in scenarios:
            place = folder / scenario.name
            place.mkdir()
            self._runs[scenario.name] = self._pool.submit(run_scenario, scenario, place)

    def get(self, name: str) -> ScenarioRun:
        """The finished run of a scenario; raises what it raised. Skips the test where a program is not installed."""
        try:
            return self._runs[name].result()
        except Unavailable as missing:
            pytest.skip(f"left out: {missing}")

    def again(self, name: str) -> ScenarioRun:
        """One more run of a scenario, now."""
        from flexiscan_lab.scenarios import ALL

        place = self._folder / f"{name}-again"
        place.mkdir()
        return run_scenario(ALL[name], place)

    def close(self) -> None:
        """Wait for what runs, start nothing more."""
        self._pool.shutdown(cancel_futures=True)


def namespaces_missing() -> str:
    """Why the lab cannot have network namespaces here; empty when it can."""
    for program in ("ip", "nft"):
        found = subprocess.run(["sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin command -v {program}"], capture_output=True)
        if found.returncode:
            return f"{program} is not installed"
    from flexiscan_lab.scenarios import ALL

    try:
        with Lab.start(ALL["hardened"]) as lab:
            lab.counters()
    except Unavailable as reason:
        return str(reason)
    return ""
