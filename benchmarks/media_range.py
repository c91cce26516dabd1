"""Measures the sweep over the media range in the lab: against its own floor, and against nmap at the same rate.

nmap is measured over a bounded number of ports and extrapolated to the whole range; the figure says so. Nothing here
passes or fails.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import sys
import tempfile
import time
from typing import Any

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import TARGET_IPV4
from flexiscan_lab.scenarios import ALL
from flexiscan_probes.path_trial import ANSWER_S, IDLE_S
from flexiscan_probes.rtp_run import EDGE_WAIT_S
from flexiscan_probes.rtp_sweep import CANARY_PAUSE_S, CANARY_TRIES, CANARY_WAIT_S, PASS_WAIT_S

RANGE_PORTS = 10001
FIRST_PORT = 40000
MEBIBYTE_IN_KIB = 1024


def measure_sweep(scenario: str, pps: int) -> dict[str, float]:
    """The rule of the media range alone, both families side by side, every port twice."""
    with Lab.start(ALL[scenario]) as lab, tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "flexiscan", "scan", lab.host, *lab.scan_arguments()]
        argv += ["--only", "ports.rtp-unreachable", "--udp-pps", str(pps)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = lab.run([*argv, "--record", f"{folder}/record", "--format", "json=-"], capture_output=True, text=True)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    target = json.loads(done.stdout)["targets"][0]
    sweeps = [o["outcome"] for o in target["observations"] if o["outcome"]["kind"] == "rtp-sweep"]
    slowest = max(sweeps, key=lambda sweep: float(sweep["waited_s"]))
    # Declared waits: after each pass, two rounds over the canaries, the batches at the last router.
    canaries = 0.0 if slowest["stopped"] else CANARY_TRIES * (len(slowest["canaries"]) * CANARY_PAUSE_S + CANARY_WAIT_S)
    batches = sum(len(slowest[name]) for name in ("near_trials", "way_before", "way_after"))
    waits = EDGE_WAIT_S + canaries + PASS_WAIT_S * slowest["passes"] + (IDLE_S + ANSWER_S) * batches
    floor = slowest["datagrams"] / pps + waits
    return {
        "datagrams": float(sum(sweep["datagrams"] for sweep in sweeps)),
        "sweep_s": slowest["waited_s"],
        "floor_s": floor,
        "sweep_over_floor": slowest["waited_s"] / floor,
        "decided_after_s": max((decided_s(sweep) for sweep in sweeps), default=0.0),
        "scan_wall_s": wall,
        "scan_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_memory_mib": after.ru_maxrss / MEBIBYTE_IN_KIB,
    }


def decided_s(sweep: dict[str, Any]) -> float:
    """When the sweep was decided; 0 when it was not before its end."""
    return float(sweep["decided_after_s"] or 0.0)


def measure_nmap(scenario: str, ports: int) -> dict[str, float]:
    """`nmap -sU` with its defaults over the first ports of the range, one family, extrapolated to the whole."""
    with Lab.start(ALL[scenario]) as lab:
        argv = ["nmap", "-sU", "-n", "-Pn", "-p", f"{FIRST_PORT}-{FIRST_PORT + ports - 1}", TARGET_IPV4]
        began = time.perf_counter()
        done = lab.run(argv, capture_output=True, text=True)
        wall = time.perf_counter() - began
    sent = re.search(r"Raw packets sent: (\d+)", done.stdout)
    figures = {"ports": float(ports), "wall_s": wall, "extrapolated_s": wall * RANGE_PORTS / ports}
    return figures | ({"packets": float(sent[1])} if sent else {})


def main() -> None:
    """Print every figure, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pps", type=int, default=200)
    parser.add_argument("--nmap-ports", type=int, default=200)
    arguments = parser.parse_args()
    runs = {f"{name}, {arguments.pps}/s": measure_sweep(name, arguments.pps) for name in ("hardened", "no_firewall")}
    if shutil.which("nmap"):
        runs["nmap -sU, defaults, IPv4 alone"] = measure_nmap("hardened", arguments.nmap_ports)
    for title, figures in runs.items():
        print(title)
        for name, value in figures.items():
            print(f"  {name:20} {value:10.3f}")


if __name__ == "__main__":
    main()
