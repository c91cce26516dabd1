"""The wall looks into packets that are our own work, and lets each through once."""

from __future__ import annotations

import pytest

from flexiscan.net.raw.packet import NoPacket
from flexiscan.net.raw.packet_wall import PacketWall
from flexiscan.net.wall import ScopeViolation, ScopeWall, open_dns_server, open_target
from flexiscan.net.wall_hook import RAW
from tests.net.raw.packets import THEM, THEM6, US, US6, icmp, ip, tcp, udp

SYN = tcp(US, 50000, THEM, 5060, flags=2)


def made() -> PacketWall:
    openings = [*open_target(THEM), *open_target(THEM6), *open_dns_server("192.0.2.53")]
    return PacketWall(ScopeWall(openings, exclude_ports=[8080], exclude_networks=["198.51.100.128/25"]))


def test_an_admitted_packet_leaves_once():
    wall = made()
    assert wall.admit(SYN) == THEM
    wall.check_destination("socket.sendto", THEM, 0, RAW)
    with pytest.raises(ScopeViolation):
        wall.check_destination("socket.sendto", THEM, 0, RAW)


def test_a_packet_that_nobody_looked_into_does_not_leave():
    with pytest.raises(ScopeViolation):
        made().check_destination("socket.sendto", THEM, 0, RAW)


def test_it_must_go_where_its_header_says():
    wall = made()
    wall.admit(SYN)
    with pytest.raises(ScopeViolation):
        wall.check_destination("socket.sendto", THEM6, 0, RAW)
    with pytest.raises(ScopeViolation):
        wall.check_destination("socket.sendto", THEM, 0, RAW)


@pytest.mark.parametrize(
    "packet",
    [
        tcp(US, 50000, "198.51.100.3", 5060, flags=2),
        tcp(US, 50000, THEM, 8080, flags=2),
        tcp(US, 50000, "198.51.100.200", 5060, flags=2),
        tcp(US, 50000, "192.0.2.53", 443, flags=2),
        tcp(US6, 50000, "2001:db8:2::3", 443, flags=2),
        ip(US, THEM, 47, b"tunnelled"),
        ip(US, THEM, 17, b"a fragment without ports", fragment=100),
        icmp(US, THEM, 8, 0, b""),
        tcp("127.0.0.1", 50000, "127.0.0.1", 22, flags=2),
    ],
    ids=["address", "port", "network", "dns", "ipv6", "protocol", "fragment", "icmp", "loopback"],
)
def test_what_is_out_of_scope_is_not_admitted(packet: bytes):
    wall = made()
    with pytest.raises(ScopeViolation):
        wall.admit(packet)
    assert wall.wall.breaches


@pytest.mark.parametrize("packet", [tcp(US6, 50000, THEM6, 443, flags=2), udp(US, 50000, "192.0.2.53", 53, b"")])
def test_what_is_in_scope_is_admitted(packet: bytes):
    made().admit(packet)


def test_garbage_is_not_admitted():
    with pytest.raises(NoPacket):
        made().admit(b"\x45\x00")


def test_other_sockets_meet_the_wall_behind_it():
    wall = made()
    wall.check_destination("socket.connect", THEM, 443, "tcp")
    with pytest.raises(ScopeViolation):
        wall.check_destination("socket.connect", THEM, 8080, "tcp")
