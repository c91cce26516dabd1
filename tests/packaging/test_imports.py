"""What is in the process: licences depend on it (docs/licences.md), and the time to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKER = "flexiscan_probes.sslyze_worker"
CRAFT = "flexiscan.net.raw.craft"
"""The two modules that run in processes of their own."""
FOREIGN = {"sslyze", "nassl", "scapy", "tlslite"}
"""AGPL, GPL and LGPL: none of them may be in the scanner's own process."""

HEAVY = {"pydantic", "pydantic_core", "rich", "httpx", "jinja2", "cryptography", "dns", "babel", "structlog", "asyncio"}

EVERYTHING = f"""
import importlib, pkgutil, sys
import flexiscan.api, flexiscan.cli.main, flexiscan_probes, flexiscan_reports, flexiscan
for package in (flexiscan, flexiscan_probes, flexiscan_reports):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name not in ({WORKER!r}, {CRAFT!r}):
            importlib.import_module(module.name)
from flexiscan.engine.registry import format_names, load_explainer, load_probes, load_renderer
load_probes(), load_explainer(), [load_renderer(name) for name in format_names()]
print(*sys.modules)
"""
VERSION = """
import sys
sys.argv = ["flexiscan", "--version"]
from flexiscan.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(*sys.modules)
"""


def modules_after(script: str) -> set[str]:
    """All modules that a fresh interpreter has loaded at the end of a script."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_nothing_of_another_licence_is_loaded_with_everything_of_ours():
    loaded = modules_after(EVERYTHING)
    assert {"flexiscan.api.scan", "flexiscan_probes.tls_second_opinion", "flexiscan_reports.html"} <= loaded
    assert FOREIGN & loaded == set()


def test_the_worker_is_where_the_second_engine_is():
    assert modules_after(f"import sys, {WORKER}; print(*sys.modules)") & FOREIGN == {"sslyze", "nassl"}


def test_the_raw_helper_is_where_scapy_is():
    script = f"import sys, {CRAFT}, flexiscan.net.raw.helper; print(*sys.modules)"
    assert modules_after(script) & FOREIGN == {"scapy"}


def test_version_loads_nothing_heavy():
    loaded = modules_after(VERSION)
    assert "flexiscan.cli.main" in loaded
    assert HEAVY & loaded == set()


def test_the_installed_command_says_its_version():
    command = Path(sys.executable).parent / "flexiscan"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("flexiscan ")
