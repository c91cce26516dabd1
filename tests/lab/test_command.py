"""The command `flexiscan-lab`, run as users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flexiscan_lab.scenarios import ALL

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); sys.exit(7)"


def flexiscan_lab(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-m", "flexiscan_lab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60, cwd=cwd)


def test_list_names_every_scenario() -> None:
    done = flexiscan_lab("list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(ALL)


@pytest.mark.netns
def test_run_hands_over_places_and_the_exit_code() -> None:
    done = flexiscan_lab("run", "hardened", "--", sys.executable, "-c", SHOW, "--format", "{scan}")
    assert done.returncode == 7, done.stderr
    arguments, environment = json.loads(done.stdout)
    assert arguments[:3] == ["--format", "flexi.example.test", "--scope"]
    assert environment["FLEXISCAN_LAB_HOST"] == "flexi.example.test"
    assert environment["FLEXISCAN_LAB_RESOLVER"] == "198.51.100.53#53"
    assert environment["FLEXISCAN_LAB_SCOPE"] == arguments[3]
    assert environment["FLEXISCAN_LAB_CA"] in arguments


def test_what_cannot_be_shown_has_an_exit_code_of_its_own() -> None:
    done = flexiscan_lab("--ground", "loopback", "run", "hardened", "--", "true")
    assert done.returncode == 69
    assert "needs network namespaces" in done.stderr
    assert flexiscan_lab("run", "nonsense", "--", "true").returncode == 2


@pytest.mark.netns
def test_up_says_how_to_scan_and_ends_with_control_c() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-u", "-m", "flexiscan_lab", "up", "hardened"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert lines[3].startswith("Ctrl-C")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert "flexiscan scan flexi.example.test --scope " in lines[2]


@pytest.mark.parametrize("ground", [pytest.param("auto", marks=pytest.mark.netns), "loopback"])
def test_demo_scans_and_names_the_reports(ground: str, tmp_path: Path) -> None:
    stand_in = tmp_path / "flexiscan"
    stand_in.mkdir()
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(SHOW)
    done = flexiscan_lab("--ground", ground, "demo", "--out", str(tmp_path / "out"), "--lang", "sv", cwd=tmp_path)
    assert done.returncode == 7, done.stderr
    arguments, _ = json.loads(done.stdout)
    assert arguments[:2] == ["scan", "flexi.example.test"]
    assert arguments[-2:] == ["--lang", "sv"]
    assert f"html={tmp_path / 'out' / 'report.html'}" in arguments
    assert f"json={tmp_path / 'out' / 'result.json'}" in arguments
    assert ("without a firewall" in done.stderr) == (ground == "loopback")
