"""Measures a scan of the hardened lab against its own pacing floor, and the start of the command line.

Figures are ratios within one run: wall time over the floor that `--dry-run` announces, start time over that of a bare
interpreter. Nothing here passes or fails; run it with `make bench`.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL

FLEXISCAN = (sys.executable, "-m", "flexiscan")
FLOOR = re.compile(r"pacing floor: ([0-9.]+) s")
MEBIBYTE_IN_KIB = 1024


def wall_s(argv: Sequence[str], runs: int) -> float:
    """Median wall time of a command, its output thrown away."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(argv, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure_start(runs: int) -> dict[str, float]:
    """How long `flexiscan --version` takes, and a bare interpreter beside it."""
    command = Path(sys.executable).with_name("flexiscan")
    version = wall_s([str(command), "--version"], runs)
    bare = wall_s([sys.executable, "-c", "pass"], runs)
    return {"version_s": version, "bare_python_s": bare, "ratio": version / bare}


def measure_scan(scenario: str) -> dict[str, float]:
    """One standard scan of a scenario: wall time over the announced floor, CPU seconds, peak memory, packets."""
    with Lab.start(ALL[scenario]) as lab, tempfile.TemporaryDirectory() as folder:
        argv = [*FLEXISCAN, "scan", lab.host, *lab.scan_arguments()]
        dry = lab.run([*argv, "--dry-run"], capture_output=True, text=True, check=True)
        found = FLOOR.search(dry.stdout)
        if found is None:
            raise RuntimeError(f"the dry run announced no floor:\n{dry.stdout}")
        floor = float(found[1])
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = lab.run(
            [*argv, "--record", f"{folder}/record", "--format", f"json={folder}/r.json", "-q"], capture_output=True
        )
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        summary = json.loads(Path(folder, "r.json").read_text())["summary"]
        packets = sum(count.packets for count in lab.counters())
    return {
        "exit_code": done.returncode,
        "floor_s": floor,
        "wall_s": wall,
        "wall_over_floor": wall / floor,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_memory_mib": after.ru_maxrss / MEBIBYTE_IN_KIB,
        "packets_sent": packets,
        **{f"findings_{name}": float(count) for name, count in summary.items()},
    }


def main() -> None:
    """Print every figure, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="repetitions of the start measurement")
    parser.add_argument("--scenario", default="hardened")
    arguments = parser.parse_args()
    for title, figures in (
        ("start of the command line", measure_start(arguments.runs)),
        (f"standard scan of {arguments.scenario}", measure_scan(arguments.scenario)),
    ):
        print(title)
        for name, value in figures.items():
            print(f"  {name:20} {value:10.3f}")


if __name__ == "__main__":
    main()
