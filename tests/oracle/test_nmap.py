"""nmap and the port rules must see the same ports in the same state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.oracle.comparison import ADDRESSES, Comparison, Comparisons, asked_for, needed, needs_root
from tests.oracle.nmap import Port, PortState, ask_nmap

pytestmark = [pytest.mark.oracle, pytest.mark.netns, pytest.mark.timeout(900)]

Told = dict[str, dict[Port, PortState]]

SCENARIOS = (
    "hardened",
    "no_firewall",
    "prohibiting_firewall",
    "port_unreachable_firewall",
    "resetting_firewall",
    "sip_open_on_udp",
    "sip_open_on_tcp_over_ipv6",
    "windows_services_reachable",
    "telephony_services_reachable",
    "database_reachable",
    "declared_ports_open",
    "silent_udp_port_among_unreachable_ones",
    "everything_answers",
)

OPEN = frozenset({"open", "open-confirmed", "open-as-declared", "open-in-clear"})
AGREEING: Mapping[tuple[str, str], frozenset[str]] = {
    ("tcp", "open"): OPEN,
    ("tcp", "closed"): frozenset({"closed-unfiltered"}),
    ("tcp", "filtered"): frozenset({"filtered"}),
    ("udp", "open"): OPEN,
    ("udp", "closed"): frozenset({"closed-unfiltered"}),
    ("udp", "filtered"): frozenset({"filtered"}),
    ("udp", "open|filtered"): frozenset({"filtered", "no-exposure-seen"}),
}
"""Transport and nmap's state, and the results that say the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where the two may say different things, and why. Port 0 stands for every port."""

    scenario: str
    transport: str
    port: int
    nmap: str
    ours: str
    reason: str

    def covers(self, scenario: str, port: Port, state: str, result: str) -> bool:
        """Whether this is the difference that was seen."""
        here = (self.scenario, self.transport, self.nmap, self.ours) == (scenario, port[0], state, result)
        return here and self.port in (0, port[1])


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "sip_open_on_udp",
        "udp",
        5060,
        "open|filtered",
        "open-confirmed",
        "nmap sends an empty datagram there, which no SIP server answers",
    ),
    Difference(
        "telephony_services_reachable",
        "udp",
        69,
        "open|filtered",
        "open-confirmed",
        "TFTP answers from another port (RFC 1350 section 4), which nmap takes for a stranger",
    ),
    Difference(
        "database_reachable",
        "udp",
        1434,
        "open|filtered",
        "open-confirmed",
        "nmap sends an empty datagram there, which is no request of the SQL Server Resolution Protocol",
    ),
    Difference(
        "silent_udp_port_among_unreachable_ones",
        "udp",
        50797,
        "open|filtered",
        "open-or-filtered",
        "the same word; here it is a failure, as the ports beside it are answered unreachable",
    ),
    Difference(
        "everything_answers",
        "tcp",
        0,
        "open",
        "everything-answers",
        "ports that nobody uses accept as well, so that accepting says nothing about a port",
    ),
)


@pytest.fixture(scope="module")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons[Told]]:
    nmap = needed("nmap")
    needs_root("a half-open scan")
    options = ("--only", "ports.*", "--skip", "ports.rtp-unreachable")
    yield from asked_for(request, options, lambda lab, _: ask_nmap(lab, nmap, ADDRESSES))


def pairs(comparison: Comparison[Told], address: str) -> list[tuple[Port, PortState, str]]:
    """Every port that both looked at: nmap's state and our result."""
    told = comparison.told[address]
    return [
        (port, told[port], finding["result"])
        for finding in comparison.findings("ports.", address)
        if (port := (finding["transport"], finding["port"])) in told
    ]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_same_state_of_every_port(scenario: str, comparisons: Comparisons[Told]):
    comparison = comparisons.get(scenario)
    met: set[Difference] = set()
    unlike: list[str] = []
    for address in ADDRESSES:
        both = pairs(comparison, address)
        assert {port for port, _, _ in both} == comparison.told[address].keys(), "a port was judged by one of them only"
        for port, told, result in both:
            if result in AGREEING[port[0], told.state]:
                continue
            known = [d for d in DIFFERENCES if d.covers(scenario, port, told.state, result)]
            met.update(known)
            if not known:
                unlike.append(f"{address} {port}: nmap says {told.state} ({told.reason}), we say {result}")
    assert not unlike, "\n".join(unlike)
    assert met == {d for d in DIFFERENCES if d.scenario == scenario}, "a listed difference is none any more"
