"""Every scenario of the lab, scanned for real: the truth it must tell, and the golden files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from flexiscan.api import judge
from flexiscan.model.result import ResultDocument
from flexiscan_lab.expectation import unmet
from flexiscan_lab.scenarios import ALL
from tests.scenarios import digest
from tests.scenarios.runs import AT_FULL_PACE, FULL_PACE_PPS, SWEPT, ScenarioRun, ScenarioRuns

GOLDEN = Path(__file__).parent.parent / "golden"

RACING = (
    *("firewall_blocks_", "proxy_bans_", "lossy_", "media_for_", "running_call", "sweep_"),
    *(
        "no_firewall",
        "prohibiting_",
        "port_unreachable_",
        "resetting_",
        "edge_device_",
        "silent_",
        "own_prefix",
        "rtp_",
    ),
    *("one_rtp_", "three_rtp_", "twenty_rtp_", "hardened_", "filter_before_", "everything_answers", "syn_proxy"),
    *("services_", "database_", "telephony_", "windows_", "sip_", "target_down", "only_ipv6_", "slow_"),
)
DEPENDS_ON_TIMING = frozenset(name for name in ALL if name.startswith(RACING))
"""Where a ban, a block, an ICMP limit or chance decides which packet is answered, or the order of the answers what is
asked next: expectations hold, golden files cannot."""

UDP_PPS = {True: FULL_PACE_PPS, False: 200}
"""By whether the scenario is scanned at full pace."""
PROTOCOL_UDP = 17
PROTOCOL_TCP = 6
MEDIA_PORTS = range(40000, 50001)
FEW_HOPS = 4
SYN = 0x02
ACK = 0x10

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(600)]
every_scenario = pytest.mark.parametrize("scenario", sorted(ALL))


@every_scenario
def test_tells_the_truth(scenario: str, runs: ScenarioRuns) -> None:
    """Everything that the scenario says must be found is found, and the exit code is one of its own."""
    run = runs.get(scenario)
    assert unmet(ALL[scenario].expectations, run.findings) == []
    assert ALL[scenario].expectations, "a scenario without expectations proves nothing"
    assert run.exit_code in ALL[scenario].exit_codes
    assert run.document["exit_code"] == run.exit_code


@every_scenario
def test_document_keeps_its_schema(scenario: str, runs: ScenarioRuns) -> None:
    """The JSON document is valid, its summary adds up, and what a finding rests on is in it."""
    document = runs.get(scenario).document
    jsonschema.Draft202012Validator(ResultDocument.model_json_schema(mode="serialization")).validate(document)
    tally = Counter(f["verdict"] for target in document["targets"] for f in target["findings"])
    assert {name: count for name, count in document["summary"].items() if count} == dict(tally)
    for target in document["targets"]:
        known = {observation["id"] for observation in target["observations"]}
        assert {because for finding in target["findings"] for because in finding["because"]} <= known


@every_scenario
def test_no_pass_without_a_reason(scenario: str, runs: ScenarioRuns) -> None:
    """Every pass names an observation that is a fact; attested host rules name who attested."""
    target = runs.get(scenario).target
    outcomes = {observation["id"]: observation["outcome"]["kind"] for observation in target["observations"]}
    for finding in target["findings"]:
        if finding["verdict"] == "pass" and finding["result"] != "attested":
            assert finding["because"], finding
            assert all(outcomes[because] != "failure" for because in finding["because"]), finding


@every_scenario
def test_nothing_left_the_scope(scenario: str, runs: ScenarioRuns) -> None:
    """The router saw packets only to addresses in scope and to the resolver's DNS port (or neighbours asking)."""
    run = runs.get(scenario)
    resolver, _, resolver_port = run.resolver.rpartition("#")
    allowed = {endpoint["address"] for endpoint in run.target["endpoints"] if endpoint["state"] == "in-scope"}
    strays = [
        count
        for count in run.counters
        if count.protocol in ("tcp", "udp")
        and count.address not in allowed
        and not (count.address == resolver and count.port == int(resolver_port))
    ]
    assert strays == []


@every_scenario
def test_pace_is_never_exceeded(scenario: str, runs: ScenarioRuns) -> None:
    """No one-second window of the capture holds more datagrams and SYNs to an address than the cap.

    Repeated SYNs, datagrams that end before the server and what shows the way there are all among them.
    """
    run = runs.get(scenario)
    cap = UDP_PPS[scenario in AT_FULL_PACE or scenario.startswith(SWEPT)]
    moments: dict[str, list[float]] = {}
    for packet in run.packets:
        is_syn = packet.tcp_flags is not None and packet.tcp_flags & (SYN | ACK) == SYN
        if packet.protocol == PROTOCOL_UDP or (packet.protocol == PROTOCOL_TCP and is_syn):
            moments.setdefault(packet.destination, []).append(packet.time_s)
    for address, times in moments.items():
        first = 0
        for last, moment in enumerate(times):
            while moment - times[first] >= 1.0:
                first += 1
            assert last - first + 1 <= cap, f"{address}: more than {cap} packets in one second"


@pytest.mark.parametrize("scenario", ["filter_before_a_router"])
def test_the_capture_holds_what_else_the_pace_must_count(scenario: str, runs: ScenarioRuns) -> None:
    """SYNs that the kernel repeats, and datagrams and SYNs that end before the server, over both families."""
    packets = [packet for packet in runs.get(scenario).packets if packet.port is not None]
    syns = [packet for packet in packets if packet.tcp_flags is not None and packet.tcp_flags & (SYN | ACK) == SYN]
    repeated = Counter((syn.family, syn.source_port, syn.port) for syn in syns)
    assert {family for (family, _, _), count in repeated.items() if count > 1} == {"ipv4", "ipv6"}
    for kind in (syns, [packet for packet in packets if packet.protocol == PROTOCOL_UDP]):
        assert {packet.family for packet in kind if packet.hop_limit < FEW_HOPS} == {"ipv4", "ipv6"}


@every_scenario
def test_nothing_but_receiver_reports_goes_to_the_media_range(scenario: str, runs: ScenarioRuns) -> None:
    """Almost any other datagram could redirect the audio of a call (RFC 3550 6.4.2: version 2, no blocks, type 201)."""
    to_range = [p for p in runs.get(scenario).packets if p.protocol == PROTOCOL_UDP and (p.port or 0) in MEDIA_PORTS]
    assert {(p.udp_bytes, p.udp_payload[:4]) for p in to_range} <= {(8, bytes.fromhex("80c90001"))}


@every_scenario
def test_judging_again_gives_the_same(scenario: str, runs: ScenarioRuns) -> None:
    """The record alone leads to the same document, without the network."""
    run = runs.get(scenario)
    again = json.loads(judge(run.record).model_dump_json())
    assert again == run.document


@pytest.mark.parametrize("scenario", sorted(set(ALL) - DEPENDS_ON_TIMING))
def test_golden(scenario: str, runs: ScenarioRuns, request: pytest.FixtureRequest) -> None:
    """Plan, observations and findings are those of the golden files (`make golden` renews them).

    They tell of changes of ours, which show each time; a packet that a busy machine loses does not. So what differs is
    scanned once more. What is true of a scenario (test_tells_the_truth) gets no second chance.
    """
    pages = pages_of(runs.get(scenario))
    folder = GOLDEN / scenario
    if request.config.getoption("--renew-golden"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in pages.items():
            (folder / f"{name}.json").write_text(json.dumps(lines, indent=1) + "\n")
        return
    golden = {name: json.loads((folder / f"{name}.json").read_text()) for name in pages}
    if pages != golden:
        pages = pages_of(runs.again(scenario))
    for name, lines in pages.items():
        assert lines == golden[name], f"{name} of {scenario} changed: review, then make golden"


def pages_of(run: ScenarioRun) -> dict[str, list[str]]:
    """What is compared of a run."""
    return {
        "plan": digest.plan_lines(run.events),
        "observations": digest.observation_lines(run.target["observations"]),
        "findings": digest.finding_lines(run.findings),
    }
