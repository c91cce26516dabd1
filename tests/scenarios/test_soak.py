"""A hundred scans of the hardened host, each with another seed and other delays: not one failure (`make soak`)."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from flexiscan_lab.scenario import HostPicture, Scenario, Web
from flexiscan_lab.scenarios import ALL
from tests.scenarios.digest import finding_line
from tests.scenarios.runs import ScenarioRun, run_scenario

RUNS = 100
AT_ONCE = 10
LONGEST_DELAY_MS = 250

pytestmark = [pytest.mark.soak, pytest.mark.netns, pytest.mark.timeout(3600)]


def delayed(seed: int) -> Scenario:
    """The hardened host; every service of every family answers after a delay of its own, so answers overtake."""
    chance = random.Random(seed)

    def slow(picture: HostPicture | None) -> HostPicture | None:
        if picture is None:
            return None
        services = tuple(
            replace(service, talk=replace(service.talk, delay_ms=chance.randrange(LONGEST_DELAY_MS)))
            if isinstance(service.talk, Web)
            else service
            for service in picture.services
        )
        return replace(picture, services=services)

    hardened = ALL["hardened"]
    return replace(hardened, ipv4=slow(hardened.ipv4), ipv6=slow(hardened.ipv6))


def test_never_a_failure_on_the_hardened_host(tmp_path: Path):
    def scan(seed: int) -> ScenarioRun:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return run_scenario(delayed(seed), folder, ("--seed", str(seed)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(scan, range(RUNS)))
    failures = [
        f"seed {seed}: {finding_line(finding)}"
        for seed, run in enumerate(runs)
        for finding in run.findings
        if finding["verdict"] == "fail"
    ]
    assert failures == []
    assert {run.exit_code for run in runs} == {0}
