"""Scans with raw sockets beside scans without: the same verdicts, more evidence, the same manners."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flexiscan.net.raw.pcap import take_off_torn_end
from flexiscan.net.raw.right import why_not
from flexiscan_lab.expectation import unmet
from flexiscan_lab.scenarios import ALL
from tests.scenarios.runs import ScenarioRun, namespaces_missing, options_for, run_scenario
from tests.scenarios.test_scenarios import ACK, DEPENDS_ON_TIMING, PROTOCOL_TCP, PROTOCOL_UDP, SYN, UDP_PPS

REPRESENTATIVE = ("as_delivered", "everything_answers", "hardened", "prohibiting_firewall")
SCANS_AT_ONCE = 4
READ_WITH_SCAPY = """
import sys
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapReader
print(sum(1 for _ in PcapReader(sys.argv[1])))
"""

pytestmark = [pytest.mark.netns, pytest.mark.timeout(3600)]
some = pytest.mark.parametrize("name", REPRESENTATIVE)


class BothWays:
    """Scans each scenario once without and once with raw sockets, in the background."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(SCANS_AT_ONCE)
        self._runs: dict[tuple[str, bool], Future[ScenarioRun]] = {}

    def begin(self, name: str) -> None:
        for is_raw in (False, True):
            if (name, is_raw) not in self._runs:
                place = self._folder / f"{name}-{is_raw}"
                place.mkdir()
                options = (*options_for(name), *(("--raw",) if is_raw else ()))
                self._runs[name, is_raw] = self._pool.submit(run_scenario, ALL[name], place, options)

    def get(self, name: str) -> tuple[ScenarioRun, ScenarioRun]:
        """Without and with."""
        self.begin(name)
        return self._runs[name, False].result(), self._runs[name, True].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def both_ways(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothWays]:
    missing = namespaces_missing() or (why_not() or ("",))[0]
    if missing:
        pytest.skip(f"left out, raw sockets in a lab of namespaces: {missing}")
    runs = BothWays(tmp_path_factory.mktemp("raw"))
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            runs.begin(str(item.callspec.params["name"]))
    yield runs
    runs.close()


def verdicts(run: ScenarioRun) -> set[tuple[Any, ...]]:
    """What was judged of what; how sure may depend on which of the refused ports met an ICMP limit."""
    names = ("rule", "address", "family", "transport", "port", "verdict", "result")
    return {tuple(finding[name] for name in names) for finding in run.findings}


def of_kind(run: ScenarioRun, kind: str) -> dict[str, Mapping[str, Any]]:
    return {o["id"]: o["outcome"] for o in run.target["observations"] if o["outcome"]["kind"] == kind}


@pytest.mark.scenario
@some
def test_the_same_verdicts(name: str, both_ways: BothWays) -> None:
    without, with_raw = both_ways.get(name)
    assert verdicts(with_raw) == verdicts(without)
    assert with_raw.exit_code == without.exit_code
    assert unmet(ALL[name].expectations, with_raw.findings) == []


@pytest.mark.scenario
@some
def test_more_evidence(name: str, both_ways: BothWays) -> None:
    without, with_raw = both_ways.get(name)
    assert of_kind(without, "syn-probe") == {}
    probes = of_kind(with_raw, "syn-probe")
    assert len(probes) >= 40
    assert not [o for o in with_raw.target["observations"] if "raw" in o["id"] and o["outcome"]["kind"] == "failure"]
    assert all(answer["hop_limit"] for probe in probes.values() for answer in probe["answers"])
    rested_on = {because for finding in with_raw.findings for because in finding["because"]}
    judged = {name for name in probes if name.split("/")[-2] != "80"}  # no rule about ports judges the web port 80
    assert judged <= rested_on
    if name == "prohibiting_firewall":
        notes = [note for capture in of_kind(with_raw, "icmp-capture").values() for note in capture["notes"]]
        assert {note["quoted"]["transport"] for note in notes} == {"tcp", "udp"}


@pytest.mark.scenario
@some
def test_the_capture_is_whole(name: str, both_ways: BothWays) -> None:
    _, run = both_ways.get(name)
    path, shown = run.record / "packets.pcap", run.document["run"]["packets"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (shown["file"], shown["is_whole"], shown["is_capped"], shown["lost"]) == ("packets.pcap", True, False, 0)
    assert shown["size_bytes"] == path.stat().st_size
    assert take_off_torn_end(path) == (shown["packets"], shown["size_bytes"])
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_SCAPY, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) == shown["packets"]


@pytest.mark.scenario
@some
def test_manners_are_kept(name: str, both_ways: BothWays) -> None:
    """No stray packet, and no second with more packets to an address than the cap, half-open SYNs and all."""
    _, run = both_ways.get(name)
    resolver = run.resolver.rpartition("#")[0]
    allowed = {endpoint["address"] for endpoint in run.target["endpoints"]} | {resolver}
    assert {c.address for c in run.counters if c.protocol in ("tcp", "udp")} <= allowed
    moments: dict[str, list[float]] = {}
    for packet in run.packets:
        is_syn = packet.tcp_flags is not None and packet.tcp_flags & (SYN | ACK) == SYN
        if packet.protocol == PROTOCOL_UDP or (packet.protocol == PROTOCOL_TCP and is_syn):
            moments.setdefault(packet.destination, []).append(packet.time_s)
    for times in moments.values():
        assert all(late - early >= 1.0 for early, late in zip(times, times[UDP_PPS[False] :], strict=False))


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(set(ALL) - DEPENDS_ON_TIMING))
def test_every_scenario_both_ways(name: str, both_ways: BothWays) -> None:
    without, with_raw = both_ways.get(name)
    assert verdicts(with_raw) == verdicts(without)
    assert with_raw.exit_code == without.exit_code


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(DEPENDS_ON_TIMING))
def test_where_moments_decide_the_truth_is_told_both_ways(name: str, both_ways: BothWays) -> None:
    for run in both_ways.get(name):
        assert unmet(ALL[name].expectations, run.findings) == []
        assert run.exit_code in ALL[name].exit_codes
