"""Asks nmap about the single ports of the guide, and reads what it says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from flexiscan.policy.profile import load_profile
from flexiscan_lab.lab import Lab

HTTPS = 443
HOST_TIMEOUT_S = 90
UDP_DELAY_MS = 1100
"""Linux answers one port unreachable a second to an address (net.ipv4.icmp_ratelimit)."""

Port = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PortState:
    """nmap's word for a port ("open", "closed", "filtered", "open|filtered") and its reason."""

    state: str
    reason: str


def guide_ports(transport: str) -> list[int]:
    """The single ports that the guide speaks of."""
    rows = [r for r in load_profile().ports if r.transport == transport and r.last_port is None]
    return sorted({row.port for row in rows} | ({HTTPS} if transport == "tcp" else set()))


def ask_nmap(lab: Lab, nmap: str, addresses: Iterable[str]) -> dict[str, dict[Port, PortState]]:
    """The state of every such port of every address, TCP by half-open connections and UDP at a slow pace."""
    return {
        address: {
            **_scan(lab, nmap, address, "tcp", ["-sS"]),
            **_scan(lab, nmap, address, "udp", ["-sU", "--scan-delay", f"{UDP_DELAY_MS}ms"]),
        }
        for address in addresses
    }


def _scan(lab: Lab, nmap: str, address: str, transport: str, options: list[str]) -> dict[Port, PortState]:
    argv = [nmap, "-n", "-Pn", "--reason", "--max-retries", "1", "--host-timeout", f"{HOST_TIMEOUT_S}s", *options]
    argv += ["-p", ",".join(map(str, guide_ports(transport))), "-oX", "-", *(["-6"] if ":" in address else [])]
    done = lab.run([*argv, address], capture_output=True, text=True, timeout=2 * HOST_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    states = {}
    for port in ET.fromstring(done.stdout).iterfind("./host/ports/port"):  # noqa: S314 - see above
        state = port.find("state")
        assert state is not None
        states[transport, int(port.attrib["portid"])] = PortState(state.attrib["state"], state.attrib["reason"])
    assert len(states) == len(guide_ports(transport)), f"nmap gave up on {address}: {done.stdout}"
    return states
