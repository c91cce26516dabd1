"""What the benchmarks share: one scan in the lab with its cost, and figures as text or JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flexiscan_lab.lab import Lab

MEBIBYTE_IN_KIB = 1024
SCAN_DEADLINE_S = 900.0
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MeasuredScan:
    """One finished scan and what it cost this machine."""

    document: dict[str, Any]
    wall_s: float
    cpu_s: float
    """User and system time, the start of the interpreter and the kernel's work for every packet of the lab included."""
    peak_memory_mib: float

    def outcomes(self, kind: str) -> list[dict[str, Any]]:
        """The facts of one kind."""
        found = (observation["outcome"] for observation in self.document["targets"][0]["observations"])
        return [outcome for outcome in found if outcome["kind"] == kind]


def measure_scan(lab: Lab, options: Sequence[str]) -> MeasuredScan:
    """Scan the lab's host. Modules are compiled before, as they are where the program is installed."""
    with tempfile.TemporaryDirectory(prefix="flexiscan-bench-") as folder:
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments(), *options]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": SCAN_DEADLINE_S}
        settings["env"] = {**environment, "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        lab.run([*argv, "--dry-run"], **settings)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = lab.run([*argv, "--record", f"{folder}/record", "--format", "json=-"], **settings)
        wall_s = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        raise RuntimeError(f"the scan ended with {done.returncode} and no document: {done.stderr}")
    return MeasuredScan(
        document=json.loads(done.stdout),
        wall_s=wall_s,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_memory_mib=after.ru_maxrss / MEBIBYTE_IN_KIB,
    )


def show(runs: Mapping[str, Figures], *, as_json: bool) -> None:
    """Print every figure, a line each, or one JSON object."""
    if as_json:
        print(json.dumps({title: dict(figures) for title, figures in runs.items()}, indent=2))
        return
    for title, figures in runs.items():
        print(title)
        for name, value in figures.items():
            print(f"  {name:28} {value:10.3f}")
