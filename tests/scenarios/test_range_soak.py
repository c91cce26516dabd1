"""Every scenario that shapes what becomes of datagrams, again and again with other seeds (`make soak`): no lie.

A verdict that stays open where the scenario allows one is missed, and counted, but no lie.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flexiscan_lab.scenarios import ALL
from tests.scenarios.digest import finding_line
from tests.scenarios.range_truth import RANGE_RULE, grade, is_about_udp, port_findings
from tests.scenarios.runs import run_scenario

SEEDS = int(os.environ.get("FLEXISCAN_SOAK_SEEDS", "20"))
FIRST_SEED = int(os.environ.get("FLEXISCAN_SOAK_FIRST_SEED", "100"))
AT_ONCE = 8
PLAIN = ("hardened", "only_ipv6_answers", "target_down")
NAMES = sorted({*PLAIN, *(name for name, scenario in ALL.items() if is_about_udp(scenario))} - {"demo"})

pytestmark = [pytest.mark.soak, pytest.mark.netns, pytest.mark.timeout(4 * 3600)]


def scan(name: str, seed: int, folder: Path) -> list[tuple[str, str, str]]:
    """Grade, rule and line of every finding about a port."""
    place = folder / f"{name}-{seed}"
    place.mkdir()
    options = ("--seed", str(seed), "--depth", "quick", "--only", "ports.*")
    run = run_scenario(ALL[name], place, options)
    found = port_findings(run.findings)
    assert any(finding["rule"] == RANGE_RULE for finding in found)
    return [(grade(ALL[name], finding), finding["rule"], finding_line(finding)) for finding in found]


def test_no_lie_about_ports_whatever_the_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Round by round, so that a run that is cut short has seen every scenario equally often."""
    jobs = [(name, seed) for seed in range(FIRST_SEED, FIRST_SEED + SEEDS) for name in NAMES]
    lies: list[str] = []
    grades: Counter[str] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {pool.submit(scan, name, seed, tmp_path): (name, seed) for name, seed in jobs}
        for future, (name, seed) in futures.items():
            graded = future.result()
            grades.update(f"{'range' if rule == RANGE_RULE else 'ports'} {what}" for what, rule, _ in graded)
            lies += [f"{name} seed {seed}: {what}: {line}" for what, _, line in graded if what.startswith("false")]
            missed = [line for what, _, line in graded if what == "missed"]
            with capsys.disabled():
                print(json.dumps({"scenario": name, "seed": seed, "missed": missed, "lies": len(lies)}), flush=True)
    with capsys.disabled():
        print(json.dumps(dict(grades)))
    assert lies == []
