from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.net.raw.packet import ICMP, TCP, UDP, NoPacket, read_head, read_ports, read_quote
from flexiscan.net.raw.segment import read_segment
from tests.net.raw.packets import ROUTER, ROUTER6, THEM, THEM6, US, US6, icmp, ip, tcp, udp

MSS_SACK_SCALE = bytes.fromhex("020405b40402080a000000010000000001030307")
FRAGMENT_HEADER = struct.Struct("!BBHI")


def test_the_head_of_an_ipv4_packet():
    packet = udp(THEM, 5060, US, 40001, b"hello", hop_limit=57)
    head = read_head(packet)
    assert (head.family, head.source, head.destination) == ("ipv4", THEM, US)
    assert (head.protocol, head.hop_limit, head.ip_id, head.length_bytes) == (UDP, 57, 4711, 33)
    assert read_ports(packet, head) == (5060, 40001)


def test_extension_headers_are_walked():
    inner = udp(THEM6, 5060, US6, 40001, b"hello")[40:]
    options = struct.pack("!BB6x", 44, 0)
    packet = ip(THEM6, US6, 0, options + FRAGMENT_HEADER.pack(UDP, 0, 0, 7) + inner)
    head = read_head(packet)
    assert (head.protocol, head.upper_offset, head.is_later_fragment) == (UDP, 56, False)
    assert read_ports(packet, head) == (5060, 40001)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_later_fragment_has_no_ports(family: str):
    body = b"\x80" * 64
    if family == "ipv4":
        packet = ip(THEM, US, UDP, body, fragment=185)
    else:
        packet = ip(THEM6, US6, 44, FRAGMENT_HEADER.pack(UDP, 0, 1480, 7) + body)
    head = read_head(packet)
    assert head.is_later_fragment
    assert read_ports(packet, head) is None


@pytest.mark.parametrize(("us", "them", "router", "kind"), [(US, THEM, ROUTER, 3), (US6, THEM6, ROUTER6, 1)])
def test_an_icmp_error_is_read_with_what_it_quotes(us: str, them: str, router: str, kind: int):
    packet = icmp(router, us, kind, 1, tcp(us, 50000, them, 5060, flags=2, hop_limit=63))
    head = read_head(packet)
    quote = read_quote(packet, head)
    assert quote is not None
    assert (quote.icmp_type, quote.code, head.source) == (kind, 1, router)
    assert (quote.inner.destination, quote.inner.hop_limit, quote.inner.protocol) == (them, 63, TCP)
    assert read_ports(packet[quote.inner_offset :], quote.inner) == (50000, 5060)


def test_an_echo_reply_quotes_nothing():
    packet = icmp(THEM, US, 0, 0, udp(US, 1, THEM, 2, b""))
    assert read_head(packet).protocol == ICMP
    assert read_quote(packet, read_head(packet)) is None


def test_a_segment_and_its_options():
    packet = tcp(THEM, 443, US, 50000, flags=0x12, acknowledges=8, options=MSS_SACK_SCALE)
    segment = read_segment(packet, read_head(packet))
    assert segment is not None
    assert (segment.is_syn_ack, segment.is_reset, segment.acknowledges, segment.window) == (True, False, 8, 8192)
    assert segment.options == ("MSS=1460", "SAckOK", "Timestamp=1", "NOP", "WScale=7")


def test_a_reset_without_acknowledgement():
    packet = tcp(THEM, 443, US, 50000, flags=0x04)
    segment = read_segment(packet, read_head(packet))
    assert segment is not None
    assert (segment.is_syn_ack, segment.is_reset, segment.acknowledges) == (False, True, None)


@given(st.binary(max_size=200))
def test_garbage_is_no_packet_or_a_harmless_one(data: bytes):
    try:
        head = read_head(data)
    except NoPacket:
        return
    assert head.upper_offset >= 20
    read_ports(data, head)
    read_quote(data, head)
    read_segment(data, head)


@given(st.binary(max_size=44))
def test_hostile_options_never_fail(options: bytes):
    padded = options + bytes(-len(options) % 4)
    packet = tcp(THEM, 443, US, 50000, flags=0x12, options=padded[:40])
    segment = read_segment(packet, read_head(packet))
    assert segment is not None
    assert len(segment.options) <= 40
