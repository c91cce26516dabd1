"""The lab in namespaces, looked at from the scanner's place: firewall, counters, capture, hops, families."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from flexiscan_lab.capture import read_capture
from flexiscan_lab.errors import LabError, Unavailable
from flexiscan_lab.ground.topology import build_network
from flexiscan_lab.lab import Lab
from flexiscan_lab.programs import find_program
from flexiscan_lab.scenario import Block, Firewall, Tls
from flexiscan_lab.scenarios import ALL
from flexiscan_lab.scenarios.base import HARDENED, with_tls
from tests.lab.visiting import ADDRESSES, ask, get, visit, wait_until_gone

pytestmark = [pytest.mark.netns, pytest.mark.scenario]  # many labs, one after the other
SYN = 0x02


def connect(address: str, port: int, **options: float) -> dict[str, object]:
    return {"do": "converse", "address": address, "port": port, "timeout_s": 0.5, **options}


def test_hardened_pages_over_both_families() -> None:
    with Lab.start(HARDENED) as lab:
        ca = str(lab.ca_bundle)
        steps = [get(address, path, ca=ca) for address in ADDRESSES for path in ("/Presentity/", "/admin/", "/xqzrv/")]
        steps += [get(address, "/a%20b?c=1", port=80) for address in ADDRESSES]
        *pages, clear4, clear6 = visit(lab, *steps)
    for page, admin, missing in (pages[:3], pages[3:]):
        assert page["data"].startswith("HTTP/1.1 200 OK")
        assert page["version"] == "TLSv1.3"
        assert admin["data"].startswith("HTTP/1.1 404 Not Found")
        assert admin["data"].partition("Date:")[0] == missing["data"].partition("Date:")[0]
    for clear in (clear4, clear6):
        assert clear["data"].startswith("HTTP/1.1 301 ")
        assert "Location: https://flexi.example.test/a%20b?c=1\r\n" in clear["data"]


@pytest.mark.parametrize(
    ("policy", "tcp", "icmp4", "icmp6"),
    [
        ("drop", "TimeoutError", None, None),
        ("admin-prohibited", "EHOSTUNREACH", [3, 13], [1, 1]),
        ("port-unreachable", "ECONNREFUSED", [3, 3], [1, 4]),
        ("reset", "ECONNREFUSED", [3, 3], [1, 4]),
    ],
)
def test_the_firewall_refuses_as_told(policy: str, tcp: str, icmp4: list[int], icmp6: list[int]) -> None:
    firewall = Firewall(policy=policy)  # type: ignore[arg-type]
    with Lab.start(replace(HARDENED, firewall4=firewall, firewall6=firewall)) as lab:
        steps = [connect(address, 5060, timeout_s=1.5) for address in ADDRESSES]
        steps += [ask(address, [5060], timeout_s=0.5) for address in ADDRESSES]
        tcp4, _, udp4, udp6 = visit(lab, *steps)
    assert "connected" not in tcp4
    assert tcp4["error"] == tcp
    for udp, icmp, offender in ((udp4, icmp4, "203.0.113.2"), (udp6, icmp6, "2001:db8:3::2")):
        assert [(a["icmp"], a["offender"], a["ttl"]) for a in udp["answers"]] == (
            [(icmp, offender, 63)] if icmp else []
        )


def test_the_host_answers_for_itself_one_hop_further() -> None:
    with Lab.start(ALL["no_firewall"]) as lab:
        steps = [connect(address, 5060) for address in ADDRESSES] + [ask(address, [5060]) for address in ADDRESSES]
        *tcp, udp4, udp6 = visit(lab, *steps)
    assert [seen["error"] for seen in tcp] == ["ECONNREFUSED", "ECONNREFUSED"]
    assert [(a["icmp"], a["offender"], a["ttl"]) for a in udp4["answers"]] == [([3, 3], ADDRESSES[0], 62)]
    assert [(a["icmp"], a["offender"], a["ttl"]) for a in udp6["answers"]] == [([1, 4], ADDRESSES[1], 62)]


@pytest.mark.parametrize(("inner_router", "expected"), [(False, []), (True, [[11, 0]])])
def test_one_more_hop_tells_how_far_a_packet_came(inner_router: bool, expected: list[list[int]]) -> None:
    scenario = replace(ALL["rtp_range_open_to_a_stealth_host"], inner_router=inner_router)
    with Lab.start(scenario) as lab:
        (udp,) = visit(lab, ask(ADDRESSES[0], [40000], ttl=3, timeout_s=0.5))
    assert [answer["icmp"] for answer in udp["answers"]] == expected


def test_one_media_port_comes_through_and_its_neighbour_does_not() -> None:
    with Lab.start(ALL["one_rtp_hole"]) as lab:
        seen = visit(lab, *(ask(address, [40000, 40001], timeout_s=0.5) for address in ADDRESSES))
    assert [[answer["port"] for answer in udp["answers"]] for udp in seen] == [[40000], [40000]]


def test_a_stealth_host_swallows_what_is_let_through() -> None:
    with Lab.start(ALL["no_firewall_before_a_stealth_host"]) as lab:
        closed, udp, web = visit(
            lab, connect(ADDRESSES[0], 5060), ask(ADDRESSES[1], [5060], timeout_s=0.3), get(ADDRESSES[1], "/")
        )
    assert closed["error"] == "TimeoutError"
    assert udp["answers"] == []
    assert web["data"].startswith("HTTP/1.1 302")


def test_a_host_that_accepts_everything() -> None:
    with Lab.start(ALL["everything_answers"]) as lab:
        *odd, web = visit(lab, *(connect(a, p) for a in ADDRESSES for p in (1, 3389, 61234)), get(ADDRESSES[0], "/"))
    assert all(seen["connected"] and not seen["data"] for seen in odd)
    assert web["data"].startswith("HTTP/1.1 302")


def test_every_packet_is_counted_also_off_the_target() -> None:
    with Lab.start(HARDENED) as lab:
        visit(
            lab,
            ask(ADDRESSES[0], [5060, 5060, 5060], timeout_s=0.1),
            ask(ADDRESSES[1], [40000], timeout_s=0.1),
            ask("10.1.2.3", [1900], timeout_s=0.1),
            connect(ADDRESSES[1], 81),
        )
        counts = {(c.family, c.protocol, c.address, c.port): c.packets for c in lab.counters()}
    assert counts.pop(("ipv6", "tcp", ADDRESSES[1], 81)) >= 1
    assert counts == {
        ("ipv4", "udp", ADDRESSES[0], 5060): 3,
        ("ipv6", "udp", ADDRESSES[1], 40000): 1,
        ("ipv4", "udp", "10.1.2.3", 1900): 1,
    }


def test_a_capture_holds_what_was_counted(tmp_path: Path) -> None:
    path = tmp_path / "leaving.pcap"
    with Lab.start(HARDENED) as lab:
        with lab.capture(path):
            visit(lab, get(ADDRESSES[0], "/"), ask(ADDRESSES[1], list(range(40000, 40100)), timeout_s=0.1))
        counts = {(c.family, c.address, c.port): c.packets for c in lab.counters()}
    packets = read_capture(path)
    captured = Counter((packet.family, packet.destination, packet.port) for packet in packets if packet.port)
    assert captured == counts
    assert sum(packet.tcp_flags == SYN for packet in packets) == 1
    assert [packet.time_s for packet in packets] == sorted(packet.time_s for packet in packets)


def test_a_firewall_blocks_after_so_many_denied_packets() -> None:
    with Lab.start(replace(HARDENED, firewall4=Firewall(block=Block(20)))) as lab:
        before, _, after, other_family = visit(
            lab,
            get(ADDRESSES[0], "/"),
            ask(ADDRESSES[0], list(range(40000, 40021)), timeout_s=0.1),
            connect(ADDRESSES[0], 443),
            get(ADDRESSES[1], "/"),
        )
    assert before["data"].startswith("HTTP/1.1 302")
    assert after["error"] == "TimeoutError"
    assert other_family["data"].startswith("HTTP/1.1 302")


def test_a_firewall_counts_allowed_packets_when_told_so() -> None:
    with Lab.start(replace(HARDENED, firewall6=Firewall(block=Block(3, counts="all")))) as lab:
        (seen,) = visit(lab, get(ADDRESSES[1], "/", timeout_s=0.5))
    assert seen["error"] == "TimeoutError"


def test_a_slow_wire_adds_to_every_round_trip_and_to_no_hop_limit() -> None:
    with Lab.start(replace(ALL["no_firewall"], round_trip_ms=120)) as lab:
        visit(lab, *(get(address, "/", port=80) for address in ADDRESSES))  # neighbours know each other after that
        began_s = time.monotonic()
        seen = visit(lab, *(ask(address, [5060], timeout_s=1.0) for address in ADDRESSES))
        took_s = time.monotonic() - began_s
    assert [[answer["ttl"] for answer in udp["answers"]] for udp in seen] == [[62], [62]]
    assert took_s > 0.24


def test_a_forwarded_port_answers_in_the_targets_name() -> None:
    with Lab.start(ALL["rtp_range_forwarded_to_another_machine"]) as lab:
        seen = visit(lab, *(ask(address, [40000, 39999], timeout_s=0.5) for address in ADDRESSES))
    assert [[(a["port"], a["offender"], a["ttl"]) for a in udp["answers"]] for udp in seen] == [
        [(40000, address, 62)] for address in ADDRESSES
    ]


def test_a_firewall_that_knows_one_source_port_of_each_source() -> None:
    with Lab.start(ALL["firewall_blocks_all_source_ports_but_the_first"]) as lab:
        pages = visit(lab, *(get(address, "/", timeout_s=1.0) for address in ADDRESSES for _ in range(2)))
    assert [page["data"][:12] for page in pages[::2]] == ["HTTP/1.1 302"] * 2
    assert [page["error"] for page in pages[1::2]] == ["TimeoutError"] * 2


@pytest.mark.parametrize(("name", "lost"), [("scanner_without_ipv6", 1), ("scanner_without_ipv4", 0)])
def test_a_scanner_without_a_family(name: str, lost: int) -> None:
    with Lab.start(ALL[name]) as lab:
        seen = visit(lab, *(get(address, "/") for address in ADDRESSES))
        assert (":" in lab.resolver) == (lost == 0)
        assert {c.family for c in lab.counters()} == {"ipv6" if lost == 0 else "ipv4"}
    assert seen[lost]["error"] == "ENETUNREACH"
    assert seen[1 - lost]["data"].startswith("HTTP/1.1 302")


def test_the_families_may_differ() -> None:
    with Lab.start(ALL["admin_open_only_over_ipv6"]) as lab:
        over4, over6 = visit(lab, *(get(address, "/admin/") for address in ADDRESSES))
    assert over4["data"].startswith("HTTP/1.1 404")
    assert "Admital Web" in over6["data"]


def test_two_labs_do_not_meet() -> None:
    with Lab.start(ALL["as_delivered"]) as delivered, Lab.start(HARDENED) as hardened:
        (first,) = visit(delivered, get(ADDRESSES[0], "/admin/", port=80))
        (second,) = visit(hardened, get(ADDRESSES[0], "/admin/", port=80))
        assert [c.packets > 0 for c in delivered.counters()] == [True]
    assert "Admital Web" in first["data"]
    assert second["data"].startswith("HTTP/1.1 301")


def test_every_rule_set_is_accepted_by_nftables() -> None:
    rules = {
        text
        for scenario in ALL.values()
        for namespace in build_network(scenario).namespaces
        if (text := namespace.rules)
    }
    with Lab.start(HARDENED) as lab:
        nft = lab.command([find_program("nft") or "nft", "--check", "-f", "-"], "router")
        for text in sorted(rules):
            done = subprocess.run(nft, input=text, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    assert len(rules) > 20


def test_loopback_says_what_it_cannot_show() -> None:
    with (
        pytest.raises(Unavailable, match="firewall of hardened needs network namespaces"),
        Lab.start(HARDENED, "loopback"),
    ):
        pytest.fail("it started")


def test_a_server_that_cannot_start_is_reported() -> None:
    broken = replace(HARDENED, ipv4=with_tls(Tls(ciphers="NO-SUCH-SUITE")))
    with (
        pytest.raises(LabError, match=r"(?s)server flexi ended with 1: .*No cipher can be selected"),
        Lab.start(broken),
    ):
        pytest.fail("it started")


def test_a_server_that_died_is_reported() -> None:
    with Lab.start(HARDENED) as lab:
        os.kill(lab.server_pids["flexi"], signal.SIGKILL)
        wait_until_gone([lab.server_pids["flexi"]])
        with pytest.raises(LabError, match="flexi ended with -9"):
            lab.close()
