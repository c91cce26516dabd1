"""The rules about ports, judged by the real evaluator with what a witness or a vantage adds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from flexiscan.model.endpoint import FAMILIES, TargetAddress, Transport, family_of
from flexiscan.model.facts import RtpSweep, UdpExchange
from flexiscan.model.facts_witness import WitnessBeat, WitnessExchange
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.stored_proof import StoredProof
from flexiscan.model.target import Authorisation, Scope, Target
from flexiscan.model.witness_message import witness_nonce
from flexiscan.policy.evaluate import Evidence, evaluate
from flexiscan.policy.rules import RULES
from flexiscan.policy.rules.ports_proven import PROVEN_PORT_RULES
from flexiscan.policy.selection import Selection
from flexiscan.policy.vantage import blind_ports, read_vantage
from flexiscan.policy.witness.log import read_log
from flexiscan.policy.witness.sight import WitnessSight
from tests.policy.port_world import PROFILE, RESET, START, V4, PortWorld, answered, silent_sweep, spoke
from tests.witness.logs import KEYS, RUN, LogWriter

RANGE = (40000, 50000)
CONTROLS_OF_A_PORT = 6
FIRST_OF_A_PORT = 1_000_700
EVERYWHERE = [["tcp4", 1, 65535], ["udp4", 1, 65535]]


class WitnessedWorld:
    """A host that drops everything but 443, a witness on it, and the questions that were put to it."""

    def __init__(self, world: PortWorld | None = None, **log: Any) -> None:
        self.world = world or PortWorld()
        self.world.addresses = (V4,)
        self.log = LogWriter(round(START.timestamp() * 1000) - 60_000, **{"bound": EVERYWHERE, **log})
        for number, at_s in ((1000, 5.0), (2000, 290.0)):
            for transport in ("tcp", "udp"):
                self._control("tcp" if transport == "tcp" else "udp", number, at_s)
        self.range_controls = 30
        for number in range(self.range_controls):
            self.log.control(60.0 + 200.0 + 2.0 * number, V4, 3000 + number)
        for number in range(CONTROLS_OF_A_PORT):
            self.log.control(60.0 + 200.0 + 0.8 * number, V4, FIRST_OF_A_PORT + number)

    def _control(self, transport: Transport, number: int, at_s: float) -> None:
        nonce = witness_nonce(KEYS, RUN, transport, V4, 51515, number)
        self.log.arrive(60.0 + at_s + 0.01, f"{transport}4", 51515, nonce)
        beat = WitnessBeat(
            port=51515,
            arrived_at_port=51515,
            sent_after_s=0.0,
            answered_after_s=0.02,
            witness_unix_ms=round((START.timestamp() + at_s + 0.01) * 1000),
        )
        self.put(
            "witness-control", transport, 51515, (at_s, at_s + 0.02), number, beats=(beat,), answered=((51515,) * 2,)
        )

    def put(
        self,
        role: str,
        transport: Transport,
        port: int | tuple[int, int],
        span_s: tuple[float, float],
        number: int = 0,
        **facts: Any,
    ) -> None:
        """One observation of questions to the witness."""
        first, last = port if isinstance(port, tuple) else (port, port)
        name = f"{role}/{transport}/{port}/{number}"
        self.world.tasks[name] = Task(
            id=name,
            probe="witness.ask",
            host=self.world.target.host,
            role=role,
            address=V4,
            transport=transport,
            port=None if first != last else first,
            params={"first_number": number} | ({"first_control": FIRST_OF_A_PORT} if role == "witness" else {}),
            lane=name,
        )
        fact = WitnessExchange(
            **{
                "transport": transport,
                "first_port": first,
                "last_port": last,
                "asked": ((first, last),),
                "tries": 2,
                **facts,
            }
        )
        started, ended = (START + dt.timedelta(seconds=at_s) for at_s in span_s)
        self.world.observations[name] = Observation(id=name, started=started, ended=ended, outcome=fact)

    def ask(self, transport: Transport, port: int, **facts: Any) -> WitnessedWorld:
        among = {"control_port": 51515, "controls_asked": CONTROLS_OF_A_PORT} if transport == "udp" else {}
        self.put("witness", transport, port, (200.0, 205.0), **{**among, **facts})
        return self

    def ask_range(self, **facts: Any) -> WitnessedWorld:
        usual = {"control_port": 51515, "controls_asked": self.range_controls}
        self.put("witness-range", "udp", RANGE, (200.0, 258.0), **{**usual, **facts})
        return self

    def arrive(self, transport: Transport, port: int) -> WitnessedWorld:
        self.log.arrive(60.0 + 201.0, f"{transport}4", port, witness_nonce(KEYS, RUN, transport, V4, port, 0))
        return self

    def finding(
        self,
        rule: str,
        transport: Transport,
        port: int | None,
        *,
        with_log: bool = True,
        vantage: Mapping[str, Any] | None = None,
        proofs: tuple[StoredProof, ...] = (),
    ) -> Finding:
        """What one rule says of one port."""
        sight = WitnessSight.of(read_log(self.log.data(), KEYS.log), KEYS, RUN)
        options: dict[str, Any] = {"witness": sight} if with_log else {}
        options |= {} if vantage is None else {"vantage": vantage}
        options |= {"proofs": proofs} if proofs else {}
        return one_finding(self.world, options, (rule, V4, transport, port))


def one_finding(world: PortWorld, options: Mapping[str, Any], wanted: tuple[Any, ...]) -> Finding:
    world._build(V4)
    target: Target = world.target
    evidence = Evidence(
        target=target,
        scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(target,)),
        addresses=(TargetAddress(address=V4, family="ipv4"),),
        families=FAMILIES,
        names_known=dict.fromkeys(FAMILIES, True),
        tasks=world.tasks,
        skips=(),
        observations=world.observations,
        interrupted=False,
        depth="standard",
        now_s=START.timestamp() + 400,
        options=options,
    )
    found = evaluate(PROFILE, PROVEN_PORT_RULES, Selection(), evidence)
    matching = [f for f in found if (f.rule, f.address, f.transport, f.port) == wanted]
    assert len(matching) == 1
    return matching[0]


def said(finding: Finding) -> tuple[str, str, str]:
    return finding.verdict, finding.result, finding.confidence


AVAYA = ("ports.tapi-avaya-unreachable", "udp", 50797)
MEDIA = ("ports.rtp-unreachable", "udp", None)


def test_silence_at_the_witness_turns_an_open_question_into_a_pass():
    world = WitnessedWorld().ask("udp", 50797)
    assert said(world.finding("ports.tapi-avaya-unreachable", "udp", 50797)) == ("pass", "filtered", "confirmed")
    without = world.finding("ports.tapi-avaya-unreachable", "udp", 50797, with_log=False)
    assert (without.verdict, without.result) == ("inconclusive", "no-exposure-seen")
    assert without.params["witness"] == "no-log"


def test_an_answer_under_the_code_fails_without_any_log():
    world = WitnessedWorld().ask("tcp", 1337, answered=((1337, 1337),))
    finding = world.finding("ports.ctstack-api-unreachable", "tcp", 1337, with_log=False)
    assert said(finding) == ("fail", "perimeter-passes", "confirmed")


def test_an_arrival_in_the_log_fails_without_any_answer():
    world = WitnessedWorld().ask("tcp", 1337).arrive("tcp", 1337)
    assert said(world.finding("ports.ctstack-api-unreachable", "tcp", 1337)) == (
        "fail",
        "perimeter-passes",
        "confirmed",
    )


def test_a_service_that_spoke_stays_what_it_is():
    world = WitnessedWorld(PortWorld(facts={("udp", V4, 5060): answered("sip")})).ask("udp", 5060).arrive("udp", 5060)
    assert said(world.finding("ports.sip-unreachable", "udp", 5060)) == ("fail", "open-confirmed", "confirmed")
    world = WitnessedWorld(PortWorld(facts={("udp", V4, 5060): answered("sip")})).ask("udp", 5060)
    assert said(world.finding("ports.sip-unreachable", "udp", 5060)) == ("fail", "open-confirmed", "confirmed")


def test_silence_at_the_witness_never_overrules_an_open_port():
    world = WitnessedWorld(PortWorld(facts={("tcp", V4, 1337): spoke(None)})).ask("tcp", 1337)
    assert world.finding("ports.ctstack-api-unreachable", "tcp", 1337).verdict == "fail"


def test_the_whole_range_silent_is_a_confirmed_pass():
    finding = WitnessedWorld().ask_range().finding("ports.rtp-unreachable", "udp", None)
    assert said(finding) == ("pass", "filtered", "confirmed")
    assert (finding.params["ports_asked"], "bound" in finding.params) == (10_001, False)


def test_one_arrival_in_the_range_fails():
    finding = WitnessedWorld().ask_range().arrive("udp", 44_444).finding("ports.rtp-unreachable", "udp", None)
    assert said(finding) == ("fail", "perimeter-passes", "confirmed")
    assert (finding.params["ports"], finding.params["reached"]) == ([44_444], 1)


def test_a_sample_of_the_range_is_tentative_with_its_bound():
    sample = tuple((port, port) for port in range(40000, 50000, 20))
    finding = WitnessedWorld().ask_range(asked=sample).finding("ports.rtp-unreachable", "udp", None)
    assert said(finding) == ("pass", "filtered", "tentative")
    assert finding.params["bound"] == 58


HELD_TO_49500 = [["udp4", 51515, 51515], ["udp4", 40000, 49_500]]
IN_USE_ABOVE = [["udp4", "in-use", [["udp4", 49_501, 50_000]]]]


@pytest.mark.parametrize(
    ("bound", "refused", "said_then"),
    [
        (HELD_TO_49500, IN_USE_ABOVE, ("pass", "filtered")),
        ([["udp4", 51515, 51515], ["udp4", 40000, 41_000]], [], ("pass", "filtered")),
        (
            [["udp4", 51515, 51515], ["udp4", 40000, 41_000]],
            [["udp4", "in-use", [["udp4", 41_001, 50_000]]]],
            ("inconclusive", "no-exposure-seen"),
        ),
        ([["udp4", 51515, 51515]], [], ("inconclusive", "no-exposure-seen")),
    ],
    ids=["most", "as-many-as-asked-for", "few", "none"],
)
def test_ports_that_were_in_use_are_not_proven(bound: list[Any], refused: list[Any], said_then: tuple[str, str]):
    finding = WitnessedWorld(bound=bound, refused=refused).ask_range().finding("ports.rtp-unreachable", "udp", None)
    assert (finding.verdict, finding.result) == said_then
    if finding.verdict == "pass":
        assert (finding.confidence, finding.params["bound"]) == ("tentative", 500 if refused else 28)


def test_something_strange_in_the_range_leaves_it_open():
    world = WitnessedWorld().ask_range()
    world.log.arrive(100.0, "udp4", 45_000, None, "not-ours")
    finding = world.finding("ports.rtp-unreachable", "udp", None)
    assert (finding.verdict, finding.params["witness"]) == ("inconclusive", "something-arrived")


def test_media_that_came_stays_the_worst():
    sweep = silent_sweep(data_ports=(), media=({"port": 40002, "packets": 1},), stopped="media-seen")
    assert isinstance(sweep, RtpSweep)
    finding = WitnessedWorld(PortWorld(sweep={V4: sweep})).ask_range().arrive("udp", 40_004)
    assert finding.finding("ports.rtp-unreachable", "udp", None).result == "media-received"


def test_a_lost_control_of_the_scan_spoils_the_proof_too():
    from flexiscan.model.facts import TcpExchange

    lost = TcpExchange(connect="silence", waited_s=4.5)
    world = WitnessedWorld(PortWorld(control={V4: (spoke("tls"), spoke("tls"), lost)})).ask("udp", 50797)
    assert world.finding("ports.tapi-avaya-unreachable", "udp", 50797).result == "control-lost"


def test_a_declared_port_is_not_held_against_its_owner():
    world = WitnessedWorld(PortWorld(target=Target(host="flexi.example.test", ports=("telephony-manager",))))
    world.ask("tcp", 9692, answered=((9692, 9692),))
    assert world.finding("ports.telephony-manager-as-declared", "tcp", 9692).result == "declared-not-open"


BLIND = read_vantage(
    {"doctor": 1, "made": "2026-11-02", "blind": [["ipv4", "udp", 50797, 50797], ["ipv4", "udp", 40000, 50000]]}
)


def test_a_port_that_the_vantage_cannot_see_is_inconclusive():
    world = WitnessedWorld().ask("udp", 50797).ask_range()
    for rule, port in (("ports.tapi-avaya-unreachable", 50797), ("ports.rtp-unreachable", None)):
        finding = world.finding(rule, "udp", port, vantage=BLIND)
        assert (finding.verdict, finding.result) == ("inconclusive", "vantage-blind")
    assert world.finding("ports.tftp-unreachable", "udp", 69, vantage=BLIND).verdict == "pass"


def test_what_spoke_is_seen_by_a_blind_vantage_too():
    exchange = UdpExchange(reply="data", service=None, data_hex="00", data_size=1)
    world = WitnessedWorld(PortWorld(facts={("udp", V4, 50797): exchange}))
    assert world.finding("ports.tapi-avaya-unreachable", "udp", 50797, vantage=BLIND).verdict == "fail"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"doctor": 2, "blind": []},
        {"doctor": 1},
        {"doctor": 1, "blind": [["ipv5", "udp", 1, 2]]},
        {"doctor": 1, "blind": [["ipv4", "udp", 2, 1]]},
        {"doctor": 1, "blind": [["ipv4", "udp", 1]]},
        {"doctor": 1, "blind": [["ipv4", "udp", "1", 2]]},
    ],
)
def test_only_a_doctors_report_is_a_vantage(given: dict[str, Any]):
    with pytest.raises(ValueError, match=r"."):
        read_vantage(given)


def test_blind_ports_are_counted_once():
    vantage = {
        "blind": [["ipv4", "udp", 10, 20], ["ipv4", "udp", 15, 30], ["ipv6", "udp", 1, 9], ["ipv4", "tcp", 1, 9]]
    }
    assert blind_ports(vantage, "ipv4", "udp", 1, 18) == 9
    assert blind_ports(vantage, "ipv4", "udp", 31, 40) == 0


def seen_out(made: dt.datetime, *rows: list[Any]) -> dict[str, Any]:
    return read_vantage({"doctor": 1, "made": made.isoformat(), "blind": [], "reached": list(rows)})


@pytest.mark.parametrize(
    ("vantage", "confidence"),
    [
        (None, "tentative"),
        (seen_out(START), "tentative"),
        (seen_out(START, ["ipv6", "udp", 137, 137]), "tentative"),
        (seen_out(START, ["ipv4", "tcp", 137, 137]), "tentative"),
        (seen_out(START - dt.timedelta(days=2), ["ipv4", "udp", 137, 137]), "tentative"),
        (seen_out(START, ["ipv4", "udp", 137, 137]), "confirmed"),
    ],
    ids=["no-doctor", "no-control-host", "other-family", "other-transport", "long-ago", "gets-out"],
)
def test_a_port_that_providers_filter_is_proven_only_where_it_gets_out(vantage: Any, confidence: str):
    finding = (
        WitnessedWorld().ask("udp", 137).finding("ports.windows-services-unreachable", "udp", 137, vantage=vantage)
    )
    assert said(finding) == ("pass", "filtered", confidence)


def test_a_refusal_may_come_from_whoever_stops_packets_here():
    blind = read_vantage({"doctor": 1, "blind": [["ipv4", "tcp", 1337, 1337]]})
    world = WitnessedWorld(PortWorld(facts={("tcp", V4, 1337): RESET}))
    finding = world.finding("ports.ctstack-api-unreachable", "tcp", 1337, vantage=blind)
    assert (finding.verdict, finding.result) == ("inconclusive", "vantage-blind")


def every_port_blind(family: str) -> dict[str, Any]:
    return read_vantage({"doctor": 1, "blind": [[family, "tcp", 1, 65535], [family, "udp", 1, 65535]]})


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_no_rule_about_ports_passes_on_silence_that_the_vantage_cannot_break(family: str):
    """Every rule, every port, the range and the comparison; the other family stays as it is."""
    world = PortWorld()
    for address in world.addresses:
        world._build(address)
    found = judged_with(world, every_port_blind(family))
    assert {f.result for f in found if f.family == family and f.verdict == "pass"} <= {"open-as-declared"}
    assert [f.result for f in found if f.rule == "parity.ports-equal"] == ["vantage-blind"]
    other = [f for f in found if f.family not in (family, None)]
    assert any(f.verdict == "pass" for f in other)
    assert all(f.result != "vantage-blind" for f in other)


def test_a_web_rule_does_not_take_a_port_that_cannot_be_seen_for_not_served():
    world = PortWorld()
    world._build(V4)
    found = judged_with(world, read_vantage({"doctor": 1, "blind": [["ipv4", "tcp", 8080, 8080]]}), "web.admin-*")
    results = {f.port: f.result for f in found if f.address == V4}
    assert (results[8080], results[4443]) == ("vantage-blind", "not-served")


def judged_with(world: PortWorld, vantage: Mapping[str, Any], *only: str) -> tuple[Finding, ...]:
    evidence = Evidence(
        target=world.target,
        scope=Scope(authorisation=Authorisation(authorised_by="test"), targets=(world.target,)),
        addresses=tuple(TargetAddress(address=a, family=family_of(a)) for a in world.addresses),
        families=FAMILIES,
        names_known=dict.fromkeys(FAMILIES, True),
        tasks=world.tasks,
        skips=(),
        observations=world.observations,
        interrupted=False,
        depth="standard",
        now_s=START.timestamp() + 400,
        options={"vantage": vantage},
    )
    wanted = Selection(only or ("ports.*", "parity.ports-equal"), ())
    return tuple(f for f in evaluate(PROFILE, RULES, wanted, evidence) if f.verdict != "not_checked")
