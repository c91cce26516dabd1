"""nmap and masscan over the media range of one IPv4 address in the lab, at a given rate."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.measuring import Figures
from flexiscan_lab.ground.topology import SCANNER_IPV4
from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import TARGET_IPV4

RANGE_PORTS = 10001
FIRST_PORT = 40000
DEADLINE_S = 900.0
MASSCAN_WAIT_S = 10
"""What masscan waits at its end by default."""
TRICKLE = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    sock.sendto(b"", (sys.argv[1], 9))
    time.sleep(0.1)
"""


def measure_nmap(lab: Lab, ports: int, pps: int) -> Figures:
    """`nmap -sU` with its defaults, not faster than `pps`, over the first ports; extrapolated to the whole range.

    Its time grows in proportion: it probes silent ports at a rate of its own that does not depend on their number.
    """
    argv = ["nmap", "-sU", "-n", "-Pn", "--max-rate", str(pps), "-p", f"{FIRST_PORT}-{FIRST_PORT + ports - 1}"]
    began = time.perf_counter()
    done = lab.run([*argv, TARGET_IPV4], capture_output=True, text=True, timeout=DEADLINE_S)
    wall_s = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"nmap: {done.stderr}")
    return {
        "ports": ports,
        "packets": _datagrams(lab),
        "wall_s": wall_s,
        "whole_range_extrapolated_s": wall_s * RANGE_PORTS / ports,
    }


def measure_masscan(lab: Lab, pps: int, *, retries: int) -> Figures:
    """masscan over the whole range at `pps`, every port asked `1 + retries` times, with its usual wait at the end."""
    router_mac = _hardware_address(lab, "router", "west")
    own_mac = _hardware_address(lab, "scanner", "east")
    argv = ["masscan", TARGET_IPV4, f"-pU:{FIRST_PORT}-{FIRST_PORT + RANGE_PORTS - 1}", "--rate", str(pps)]
    argv += ["--retries", str(retries), "--wait", str(MASSCAN_WAIT_S), "-i", "east", "--router-mac", router_mac]
    argv += ["--adapter-mac", own_mac, "--adapter-ip", SCANNER_IPV4]
    with _trickle(lab):
        began = time.perf_counter()
        done = lab.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=DEADLINE_S)
        wall_s = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"masscan: {done.stderr.decode(errors='replace')}")
    return {"packets": _datagrams(lab), "wall_s": wall_s}


@contextlib.contextmanager
def _trickle(lab: Lab) -> Iterator[None]:
    """A few packets for the scanner: where none ever comes, masscan's receiver sleeps on and it does not end."""
    sender = subprocess.Popen(lab.command([sys.executable, "-c", TRICKLE, SCANNER_IPV4], "router"))
    try:
        yield
    finally:
        sender.kill()
        sender.wait()


def _hardware_address(lab: Lab, namespace: str, device: str) -> str:
    argv = lab.command(["ip", "-o", "link", "show", device], namespace)
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"link/ether ([0-9a-f:]+)", shown)
    if found is None:
        raise RuntimeError(f"{device} has no hardware address: {shown}")
    return found[1].replace(":", "-")


def _datagrams(lab: Lab) -> float:
    counts = lab.counters()
    return float(sum(c.packets for c in counts if c.protocol == "udp" and c.address == TARGET_IPV4))
