"""Whole scans of made-up hosts: the truth about good and bad ones, and no false pass whatever gets in the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from flexiscan.api import judge
from flexiscan.model.facts import Fact
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.finding import Finding
from flexiscan.model.plan import Task
from flexiscan.model.result import ResultDocument
from flexiscan.model.target import Target
from flexiscan.net.link import CannotLook
from flexiscan.policy.rules import RULES
from tests.arch.sources import sources_of
from tests.engine.made_up_host import V4, V6, Answer, MadeUpHost, request_for, scan_host
from tests.engine.vulnerable_host import Block, blocking, vulnerable_host
from tests.policy.cert_chains import NOW
from tests.policy.web_world import HOST

Place = tuple[str, str | None, str | None, str | None, int | None]


def place(finding: Finding) -> Place:
    return finding.rule, finding.address, finding.family, finding.transport, finding.port


def shown(document: ResultDocument) -> dict[Place, tuple[str, str]]:
    """Verdict and result by place, of the first target."""
    return {place(f): (f.verdict, f.result) for f in document.targets[0].findings}


def calm(document: ResultDocument) -> set[Place]:
    """Where the document says that nothing is wrong, in any way that leaves the exit code at 0."""
    return {
        place(f)
        for target in document.targets
        for f in target.findings
        if f.verdict in ("pass", "not_applicable") or f.result == "no-exposure-seen"
    }


def failed(document: ResultDocument) -> set[Place]:
    return {place(f) for f in document.targets[0].findings if f.verdict == "fail"}


def verdicts_at(document: ResultDocument, area: str, **where: Any) -> set[tuple[str, str]]:
    """Verdicts and results of one area's rules at some place."""
    return {
        (f.verdict, f.result)
        for f in document.targets[0].findings
        if f.rule.startswith(area) and f.result != "not-built" and all(getattr(f, k) == v for k, v in where.items())
    }


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> ResultDocument:
    return scan_host(MadeUpHost(), request_for(tmp_path_factory.mktemp("hardened") / "run"))


@pytest.fixture(scope="module")
def vulnerable(tmp_path_factory: pytest.TempPathFactory) -> ResultDocument:
    return scan_host(vulnerable_on_ipv4(), request_for(tmp_path_factory.mktemp("vulnerable") / "run"))


def vulnerable_on_ipv4(answer: Answer | None = None) -> MadeUpHost:
    """One address is enough to be wrong, and takes half the time."""
    host = vulnerable_host(answer)
    host.names = {"A": (V4,)}
    return host


def test_the_hardened_host_passes_everything(hardened: ResultDocument) -> None:
    left = {(f.verdict, f.result) for f in hardened.targets[0].findings if f.verdict not in ("pass", "not_checked")}
    redirector = ("not_applicable", "not-encrypted")
    assert left <= {("inconclusive", "no-exposure-seen"), ("not_applicable", "not-declared"), redirector}
    assert hardened.exit_code == 0
    passed = {f.rule for f in hardened.targets[0].findings if f.verdict == "pass"}
    silent_for_good = {"ports.rtp-unreachable", "dns.addresses-as-declared", "ports.mitai-unreachable"}
    silent_for_good |= {"ports.no-undeclared-port"}  # at full depth
    assert {rule.id for rule in RULES} - passed <= silent_for_good


def test_nothing_of_the_vulnerable_host_looks_right(vulnerable: ResultDocument) -> None:
    assert vulnerable.exit_code == 1
    of_https = {"web.no-downgrade", "web.hsts-enabled", "web.security-headers"}
    in_clear = {(rule, port) for rule in of_https for port in (80, 8080)}  # what is asked of HTTPS does not apply there
    right = {rule for rule, address, *_, port in calm(vulnerable) if address and (rule, port) not in in_clear}
    assert not [rule for rule in right if rule.startswith("ports.") and rule.endswith("-unreachable")]
    assert not [rule for rule in right if rule.startswith("web.") or rule.endswith("-refused")]


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_a_rule_asked_for_alone_finds_what_it_finds_in_company(
    rule: str, vulnerable: ResultDocument, tmp_path: Path
) -> None:
    alone = scan_host(vulnerable_on_ipv4(), request_for(tmp_path / "run", only=(rule,)))
    expected = {where: what for where, what in shown(vulnerable).items() if where[0] == rule}
    assert {where: what for where, what in shown(alone).items() if where[0] == rule} == expected


WITHOUT_WEB = ("ports.*", "dns.*", "parity.*")
"""Enough where the question is which addresses and ports are looked at; takes a third of the time."""

FOR_GOOD_S = 1e9
BLOCKS: list[tuple[Block, float, float]] = [
    *(("silence", start_s, length_s) for start_s in (0.0, 0.03, 6.0, 20.0) for length_s in (6.0, FOR_GOOD_S)),
    *(("icmp", start_s, FOR_GOOD_S) for start_s in (0.0, 0.03, 6.0)),
    # A firewall that resets everything from the first packet to the last looks like a host that is closed.
    *(("reset", start_s, FOR_GOOD_S) for start_s in (0.03, 6.0, 20.0)),
    ("reset", 0.0, 6.0),
]


@pytest.mark.parametrize(("how", "start_s", "length_s"), BLOCKS)
def test_a_firewall_that_blocks_the_scanner_makes_nothing_look_right(
    how: Block, start_s: float, length_s: float, vulnerable: ResultDocument, tmp_path: Path
) -> None:
    host = vulnerable_on_ipv4(blocking(start_s, length_s, how))
    document = scan_host(host, request_for(tmp_path / "run"))
    assert calm(document) & failed(vulnerable) == set()
    assert document.exit_code in (1, 3)


def test_no_ipv6_at_the_scanner_is_inconclusive(hardened: ResultDocument, tmp_path: Path) -> None:
    def answer(task: Task, at_s: float) -> Fact | None:
        if task.address == V6:
            raise CannotLook("no-route")
        return None

    document = scan_host(MadeUpHost(answer), request_for(tmp_path / "run"))
    on_ipv6 = {what for where, what in shown(document).items() if where[2] == "ipv6"}
    assert on_ipv6 == {("inconclusive", "no-ipv6-here")}
    on_ipv4 = {where: what for where, what in shown(document).items() if where[2] == "ipv4"}
    assert on_ipv4 == {where: what for where, what in shown(hardened).items() if where[2] == "ipv4"}
    assert document.exit_code == 3


def test_a_defect_in_a_probe_is_an_internal_error_and_no_verdict(tmp_path: Path) -> None:
    def answer(task: Task, at_s: float) -> Fact | None:
        if task.port == 5060 and task.transport == "udp":
            raise ZeroDivisionError("defect")
        return None

    document = scan_host(MadeUpHost(answer), request_for(tmp_path / "run"))
    assert document.exit_code == 5
    assert verdicts_at(document, "ports.sip", transport="udp") == {("inconclusive", "internal")}


class TestNames:
    """What DNS says decides where packets go, and nothing else does."""

    @pytest.mark.parametrize("only", ["dns.*", "host.*"])
    def test_the_target_gets_no_packet_where_no_rule_looks_at_it(self, only: str, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", only=(only,)))
        assert {task.gate for task in host.asked} == {"dns"}
        assert document.exit_code == 0
        if only == "dns.*":
            assert verdicts_at(document, "dns.ipv6-present") == {("pass", "present")}

    def test_no_ipv6_address_fails_and_leaves_its_rules_not_applicable(self, tmp_path: Path) -> None:
        document = scan_host(MadeUpHost(names={"A": (V4,)}), request_for(tmp_path / "run", only=WITHOUT_WEB))
        assert document.exit_code == 1
        assert verdicts_at(document, "dns.ipv6-present") == {("fail", "absent")}
        assert verdicts_at(document, "ports.", family="ipv6") == {("not_applicable", "no-address")}

    @pytest.mark.parametrize("only", [(), ("ports.*",), ("web.admin-unreachable",), ("tls.*", "cert.*")], ids=str)
    def test_a_resolver_that_fails_for_one_family_leaves_that_family_open(
        self, only: tuple[str, ...], tmp_path: Path
    ) -> None:
        def answer(task: Task, at_s: float) -> Fact | None:
            if task.params.get("rdtype") != "AAAA":
                return None
            return DnsReply(
                name=f"{HOST}.",
                rdtype="AAAA",
                server="192.0.2.53#53",
                transport="udp",
                outcome="answer",
                rcode="SERVFAIL",
                flags=("qr", "rd", "ra"),
            )

        document = scan_host(MadeUpHost(answer), request_for(tmp_path / "run", only=only))
        assert document.exit_code == 3
        open_ones = {f.result for f in document.targets[0].findings if f.family == "ipv6" and f.address is None}
        assert open_ones - {"not-selected"} == {"addresses-unknown"}

    @pytest.mark.parametrize("inside", ["fd00::10", "::ffff:192.0.2.10", "64:ff9b::c000:20a", "::1", "fe80::1"])
    def test_an_address_that_is_not_public_gets_no_packet(self, inside: str, tmp_path: Path) -> None:
        host = MadeUpHost(names={"A": (V4,), "AAAA": (inside,)})
        document = scan_host(host, request_for(tmp_path / "run", only=WITHOUT_WEB))
        assert {task.address for task in host.asked} == {None, V4}
        assert verdicts_at(document, "ports.", family="ipv6") == {("inconclusive", "out-of-scope")}
        assert verdicts_at(document, "dns.addresses-public") == {("fail", "not-public")}
        assert document.exit_code == 1

    def test_not_even_when_the_scope_file_names_an_ipv4_address_in_disguise(self, tmp_path: Path) -> None:
        disguised = "::ffff:192.0.2.10"
        host = MadeUpHost(names={"A": (V4,), "AAAA": (disguised,)})
        target = Target(host=HOST, addresses=(V4, "::ffff:c000:20a"))
        document = scan_host(host, request_for(tmp_path / "run", target, only=WITHOUT_WEB))
        assert {task.address for task in host.asked} == {None, V4}
        assert verdicts_at(document, "ports.", family="ipv6") == {("inconclusive", "out-of-scope")}

    def test_an_address_that_nobody_authorised_gets_no_packet(self, tmp_path: Path) -> None:
        host = MadeUpHost(names={"A": (V4, "192.0.2.66"), "AAAA": (V6,)})
        document = scan_host(
            host, request_for(tmp_path / "run", Target(host=HOST, addresses=(V4, V6)), only=WITHOUT_WEB)
        )
        assert {task.address for task in host.asked} == {None, V4, V6}
        assert verdicts_at(document, "ports.", address="192.0.2.66") == {("inconclusive", "out-of-scope")}
        assert verdicts_at(document, "dns.addresses-as-declared")
        assert document.exit_code == 1

    def test_every_address_is_scanned_and_never_one_picked(self, tmp_path: Path) -> None:
        host = MadeUpHost(names={"A": (V4, "192.0.2.11"), "AAAA": (V6, "2001:db8:2::11")})
        scan_host(host, request_for(tmp_path / "run", only=("ports.oip-corba-unreachable",)))
        asked = {task.address for task in host.asked if task.port == 2809}
        assert asked == {V4, "192.0.2.11", V6, "2001:db8:2::11"}

    def test_one_bad_address_among_good_ones_fails(self, tmp_path: Path) -> None:
        bad = vulnerable_host()

        def answer(task: Task, at_s: float) -> Fact | None:
            return bad.answer(task, at_s) if task.address == "2001:db8:2::11" else None

        host = MadeUpHost(answer, names={"A": (V4,), "AAAA": (V6, "2001:db8:2::11")})
        document = scan_host(host, request_for(tmp_path / "run", only=WITHOUT_WEB))
        assert {address for _, address, *_ in failed(document)} == {"2001:db8:2::11", None}
        assert document.exit_code == 1

    def test_an_origin_is_scanned_although_dns_does_not_know_it(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        target = Target(host=HOST, origins=("198.51.100.7", V4))
        document = scan_host(host, request_for(tmp_path / "run", target, only=WITHOUT_WEB))
        assert {task.address for task in host.asked} == {None, V4, V6, "198.51.100.7"}
        assert ("pass", "filtered") in verdicts_at(document, "ports.", address="198.51.100.7")

    def test_a_literal_address_needs_no_name_server(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", Target(host=V4), only=WITHOUT_WEB))
        assert {task.address for task in host.asked} == {V4}
        assert verdicts_at(document, "ports.", family="ipv6") == {("not_applicable", "no-address")}

    def test_one_family_alone_leaves_the_other_not_checked(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", families=("ipv4",), only=WITHOUT_WEB))
        assert {task.address for task in host.asked} == {None, V4}
        assert verdicts_at(document, "ports.", family="ipv6") == {("not_checked", "not-selected")}
        assert document.exit_code == 0


class TestExclusions:
    """What the customer excluded gets no packet and no pass."""

    def test_an_excluded_port_is_inconclusive(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", exclude_ports=(5060,), only=WITHOUT_WEB))
        assert 5060 not in {task.port for task in host.asked}
        assert verdicts_at(document, "ports.sip-unreachable", port=5060) == {("inconclusive", "excluded")}
        assert ("pass", "filtered") in verdicts_at(document, "ports.sip-unreachable", port=5061)
        assert document.exit_code == 3

    def test_without_the_web_ports_there_is_no_control_and_no_pass_by_silence(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", exclude_ports=(80, 443), only=WITHOUT_WEB))
        assert not {80, 443} & {task.port for task in host.asked}
        assert not [f for f in document.targets[0].findings if f.verdict == "pass" and f.address]
        assert document.exit_code == 3

    def test_the_http_port_is_the_control_where_https_is_excluded(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(host, request_for(tmp_path / "run", exclude_ports=(443,), only=WITHOUT_WEB))
        assert {task.port for task in host.asked if task.role == "control"} == {80}
        assert ("pass", "filtered") in verdicts_at(document, "ports.")

    def test_an_excluded_network_gets_no_packet(self, tmp_path: Path) -> None:
        host = MadeUpHost()
        document = scan_host(
            host, request_for(tmp_path / "run", exclude_networks=("2001:db8:2::/64",), only=WITHOUT_WEB)
        )
        assert {task.address for task in host.asked} == {None, V4}
        assert verdicts_at(document, "ports.", address=V6) == {("inconclusive", "out-of-scope")}


class TestWindow:
    """The agreed hours end in the middle of the scan: nothing more is sent, and nothing passes for it."""

    @pytest.mark.parametrize("seconds_left", [1, 5, 12, 40])
    def test_the_window_closes(self, seconds_left: int, vulnerable: ResultDocument, tmp_path: Path) -> None:
        # The made-up scan begins at a full minute, so the window is moved by delaying the first DNS answer.
        host = vulnerable_on_ipv4()
        usual, ends_s = host.answer, 60.0

        def answer(task: Task, at_s: float) -> Fact | None:
            assert task.probe == "dns.lookup" or at_s < ends_s
            return usual(task, at_s)

        host.answer = answer
        host.dns_delay_s = (ends_s - seconds_left) / 2  # two questions in one lane
        target = Target(host=HOST, window=window_of_one_minute())
        document = scan_host(host, request_for(tmp_path / "run", target))
        assert calm(document) & failed(vulnerable) == set()
        assert document.exit_code in (1, 3)


def window_of_one_minute() -> str:
    """The minute in which the made-up scan begins."""
    return f"{NOW:%H:%M}-{NOW.replace(minute=NOW.minute + 1):%H:%M} UTC"


class TestSeveralHosts:
    """Hosts are judged apart, also where they share an address."""

    def targets(self) -> Iterable[Target]:
        return Target(host=HOST), Target(host=f"other.{HOST}")

    def test_two_hosts_on_one_address(self, hardened: ResultDocument, tmp_path: Path) -> None:
        request = request_for(tmp_path / "run", *self.targets(), only=("ports.*", "dns.*", "parity.*"))
        document = scan_host(MadeUpHost(), request)
        assert [target.host for target in document.targets] == [HOST, f"other.{HOST}"]
        for target in document.targets:
            found = {place(f): (f.verdict, f.result) for f in target.findings if f.rule.startswith("ports.")}
            assert found == {w: what for w, what in shown(hardened).items() if w[0].startswith("ports.")}

    def test_the_worst_host_decides(self, tmp_path: Path) -> None:
        bad = vulnerable_host()

        def answer(task: Task, at_s: float) -> Fact | None:
            return bad.answer(task, at_s) if task.host != HOST else None

        document = scan_host(MadeUpHost(answer), request_for(tmp_path / "run", *self.targets(), only=("ports.*",)))
        good, worse = document.targets
        assert not [f for f in good.findings if f.verdict == "fail"]
        assert [f for f in worse.findings if f.verdict == "fail"]
        assert document.exit_code == 1


def test_the_record_judged_again_gives_the_same_document(tmp_path: Path) -> None:
    document = scan_host(vulnerable_host(), request_for(tmp_path / "run", only=("ports.*", "tls.*")))
    assert judge(tmp_path / "run") == document


def test_every_role_that_a_rule_needs_is_asked_by_some_probe(tmp_path: Path) -> None:
    good, bad = MadeUpHost(), vulnerable_host()
    for number, host in enumerate((good, bad)):
        scan_host(host, request_for(tmp_path / str(number)))
    asked = {task.role for task in (*good.asked, *bad.asked)}
    needs = [need for rule in RULES for need in rule.needs]
    at_full_depth = {"tcp-sweep"}
    assert {need.role for need in needs if not need.optional} <= asked | at_full_depth
    # Asked only where there is something to ask: an alias, a router that speaks, a witness.
    texts = "".join(source.text for source in sources_of("flexiscan_probes"))
    assert [need.role for need in needs if need.role not in asked and f'"{need.role}"' not in texts] == []
