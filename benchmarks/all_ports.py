"""Measures a sweep over all 65,535 TCP ports in the lab, both families side by side, against its own floor.

Run it with `python -m benchmarks.all_ports`, as root. The floor is the number of SYNs to one address over the rate.
Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.measuring import Figures, measure_scan, show
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL

SCENARIOS = {"closed ports": "sweep_of_closed_ports", "default drop": "hardened"}
MAX_PPS = 2000


def measure(scenario: str, pps: int) -> Figures:
    """The rule about undeclared ports alone, at full depth."""
    options = ["--depth", "full", "--only", "ports.no-undeclared-port", "--udp-pps", str(pps)]
    with Lab.start(ALL[scenario]) as lab:
        scan = measure_scan(lab, options)
    sweeps = scan.outcomes("tcp-sweep")
    slowest = max(sweeps, key=lambda sweep: float(sweep["waited_s"]))
    floor_s = slowest["syns"] / pps
    return {
        "addresses": len(sweeps),
        "syns": sum(sweep["syns"] for sweep in sweeps),
        "ports_told": min(sweep["asked"]["count"] for sweep in sweeps),
        "sweep_s": slowest["waited_s"],
        "floor_s": floor_s,
        "sweep_over_floor": slowest["waited_s"] / floor_s,
        "scan_wall_s": scan.wall_s,
        "scan_cpu_s": scan.cpu_s,
        "peak_memory_mib": scan.peak_memory_mib,
    }


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pps", type=int, default=MAX_PPS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    runs: dict[str, Figures] = {}
    for name, scenario in SCENARIOS.items():
        print(f"measuring {name}", file=sys.stderr)
        runs[f"{name}, {arguments.pps}/s"] = measure(scenario, arguments.pps)
    show(runs, as_json=arguments.json)


if __name__ == "__main__":
    main()
