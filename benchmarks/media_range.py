"""Measures the media range in the lab: against its own floor, and against nmap and masscan at the same rate.

Run it with `python -m benchmarks.media_range`, as root. What counts are ratios within one run. FlexiScan asks both
families side by side, every port twice; nmap and masscan ask IPv4 alone. nmap is measured over a bounded number of
ports and extrapolated to the whole range; the figure says so. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.measuring import Figures, MeasuredScan, measure_scan, show
from benchmarks.other_scanners import measure_masscan, measure_nmap
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from flexiscan_probes.path_trial import ANSWER_S, IDLE_S
from flexiscan_probes.rtp_run import EDGE_WAIT_S
from flexiscan_probes.rtp_sweep import CANARY_PAUSE_S, CANARY_TRIES, CANARY_WAIT_S, PASS_WAIT_S

DROPPING = "hardened"
UNFIREWALLED = ("no_firewall", "no_firewall_without_icmp_limit")
MAX_PPS = 2000


def measure_sweep(scenario: str, pps: int) -> Figures:
    """The rule of the media range alone, both families side by side."""
    with Lab.start(ALL[scenario]) as lab:
        scan = measure_scan(lab, ["--only", "ports.rtp-unreachable", "--udp-pps", str(pps)])
    sweeps = scan.outcomes("rtp-sweep")
    slowest = max(sweeps, key=lambda sweep: float(sweep["waited_s"]))
    floor_s = slowest["datagrams"] / pps + _declared_waits_s(slowest)
    return {
        "datagrams": sum(sweep["datagrams"] for sweep in sweeps),
        "sweep_s": slowest["waited_s"],
        "floor_s": floor_s,
        "sweep_over_floor": slowest["waited_s"] / floor_s,
        **_costs(scan),
    }


def _declared_waits_s(sweep: Mapping[str, Any]) -> float:
    """After each pass, in two rounds over the canaries, and around the batches at the last router."""
    canaries_s = CANARY_TRIES * (len(sweep["canaries"]) * CANARY_PAUSE_S + CANARY_WAIT_S)
    batches = sum(len(sweep[name]) for name in ("near_trials", "near_confirming", "way_before", "way_after"))
    return EDGE_WAIT_S + canaries_s + PASS_WAIT_S * float(sweep["passes"]) + (IDLE_S + ANSWER_S) * batches


def _costs(scan: MeasuredScan) -> Figures:
    return {"scan_wall_s": scan.wall_s, "scan_cpu_s": scan.cpu_s, "peak_memory_mib": scan.peak_memory_mib}


def measure_decision(scenario: str, pps: int) -> Figures:
    """How long after its first datagram the sweep of an unfirewalled host was decided, the slower family."""
    with Lab.start(ALL[scenario]) as lab:
        scan = measure_scan(lab, ["--only", "ports.rtp-unreachable", "--udp-pps", str(pps)])
    moments = [sweep["decided_after_s"] for sweep in scan.outcomes("rtp-sweep")]
    if None in moments:
        raise RuntimeError(f"{scenario}: a family was not decided")
    return {"decided_after_s": max(moments), **_costs(scan)}


def compare(pps: int, nmap_ports: int) -> dict[str, Figures]:
    """The same default drop for all three, at the same rate."""
    ours = measure_sweep(DROPPING, pps)
    runs = {f"flexiscan, both families, every port twice, {pps}/s": ours}
    ratios: dict[str, float] = {}
    if shutil.which("nmap"):
        with Lab.start(ALL[DROPPING]) as lab:
            nmap = measure_nmap(lab, nmap_ports, pps)
        runs[f"nmap -sU, defaults, IPv4 alone, at most {pps}/s"] = nmap
        ratios["nmap_over_sweep"] = nmap["whole_range_extrapolated_s"] / ours["sweep_s"]
        ratios["nmap_over_scan"] = nmap["whole_range_extrapolated_s"] / ours["scan_wall_s"]
    if shutil.which("masscan"):
        for retries in (0, 1):
            with Lab.start(ALL[DROPPING]) as lab:
                masscan = measure_masscan(lab, pps, retries=retries)
            runs[f"masscan, every port {1 + retries} times, IPv4 alone, {pps}/s"] = masscan
            ratios[f"masscan_{1 + retries}_times_over_sweep"] = masscan["wall_s"] / ours["sweep_s"]
    return runs | {f"ratios at {pps}/s": ratios}


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pps", type=int, nargs="+", default=[MAX_PPS], help="rates to compare at")
    parser.add_argument("--nmap-ports", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    runs: dict[str, Figures] = {}
    for pps in arguments.pps:
        print(f"comparing at {pps}/s", file=sys.stderr)
        runs |= compare(pps, arguments.nmap_ports)
    for scenario in UNFIREWALLED:
        print(f"measuring {scenario}", file=sys.stderr)
        runs[f"{scenario}, default rate"] = measure_decision(scenario, 200)
    show(runs, as_json=arguments.json)


if __name__ == "__main__":
    main()
