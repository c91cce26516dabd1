"""Which packets are of the scan: the target's, a name server's DNS, and ICMP errors that quote either."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flexiscan.net.raw.half_open import HalfOpen
from flexiscan.net.raw.sniffer import Sniffed
from flexiscan.net.raw.watch import Watch
from flexiscan.net.wall import Opening, ScopeWall, open_dns_server, open_public_dns, open_target
from tests.net.raw.packets import ROUTER, THEM, THEM6, US, US6, icmp, ip, tcp, udp

SERVER = "192.0.2.53"
WALL = ScopeWall(
    [
        *open_target(THEM),
        *open_target(THEM6),
        *open_dns_server(SERVER),
        *open_public_dns(),
        Opening("10.0.0.0/8", "tcp"),
    ]
)
OURS = {
    "a datagram of ours": udp(US, 51000, THEM, 5060, b"OPTIONS"),
    "an answer": tcp(THEM6, 443, US6, 51000, flags=0x12),
    "a fragment": ip(THEM, US, 17, bytes(8), fragment=9),
    "a lookup": udp(US, 51000, SERVER, 53, b"?"),
    "an answer to a lookup": udp(SERVER, 53, US, 51000, b"!"),
    "a lookup over TCP": tcp(US, 51000, SERVER, 53, flags=2),
    "an error about a datagram of ours": icmp(ROUTER, US, 3, 13, udp(US, 51000, THEM, 5060, b"OPTIONS")),
    "an error about a lookup": icmp(SERVER, US, 3, 3, udp(US, 51000, SERVER, 53, b"?")),
}
FOREIGN = {
    "somebody else": udp(US, 51000, "203.0.113.9", 5060, b""),
    "another name server": udp(US, 51000, "203.0.113.53", 53, b""),
    "a network that is open": tcp(US, 51000, "10.0.0.7", 443, flags=2),
    "the name server's web pages": tcp(US, 51000, SERVER, 443, flags=2),
    "our own port 53 towards the name server": udp(US, 53, SERVER, 123, b""),
    "a fragment from the name server": ip(SERVER, US, 17, bytes(8), fragment=9),
    "an error about somebody else": icmp(ROUTER, US, 3, 1, udp(US, 51000, "203.0.113.9", 5060, b"")),
    "an echo of the name server": icmp(SERVER, US, 0, 0, b""),
    "no packet": b"\x45\x00",
}


def kept(packet: bytes, path: Path) -> int:
    """How many packets are in the capture after this one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    watch = Watch()
    try:
        watch.open(descriptor, path.name, 1000)
        watch.look_at(WALL)
        watch.take(Sniffed(packet, at_ns=0, is_outgoing=False), HalfOpen(lambda *_, **__: b"", lambda _: None))
        return watch.close(0).packets
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("packet", OURS.values(), ids=OURS)
def test_what_is_of_the_scan_is_kept(packet: bytes, tmp_path: Path):
    assert kept(packet, tmp_path / "packets.pcap") == 1


@pytest.mark.parametrize("packet", FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_is_passed_over(packet: bytes, tmp_path: Path):
    assert kept(packet, tmp_path / "packets.pcap") == 0
