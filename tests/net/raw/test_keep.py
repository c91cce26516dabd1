"""Nothing that people say to each other gets into a capture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.net.raw.keep import RTP_HEADER, SNAP_BYTES, kept_bytes
from flexiscan.net.raw.packet import NoPacket, read_head
from tests.net.raw.packets import MEDIA, REMOTE, THEM, THEM6, US, US6, icmp, ip, tcp, udp

PAIRS = [(US, THEM), (US6, THEM6)]
VOICE = b"what somebody said"


def kept(packet: bytes) -> bytes:
    return packet[: kept_bytes(packet, read_head(packet), REMOTE)]


@pytest.mark.parametrize(("us", "them"), PAIRS)
@pytest.mark.parametrize("port", [5060, 40000, 16384])
def test_voice_is_cut_behind_its_header_in_both_directions(us: str, them: str, port: int):
    for packet in (udp(them, port, us, 51000, MEDIA), udp(us, 51000, them, port, MEDIA)):
        assert kept(packet).endswith(MEDIA[:RTP_HEADER])
        assert VOICE[:1] not in kept(packet)[-RTP_HEADER:]


@pytest.mark.parametrize(("us", "them"), PAIRS)
def test_media_ports_are_cut_whatever_the_first_byte_says(us: str, them: str):
    packet = udp(them, 44000, us, 51000, VOICE * 9)
    assert len(kept(packet)) == len(packet) - len(VOICE) * 9 + RTP_HEADER


@pytest.mark.parametrize(("us", "them"), PAIRS)
def test_what_our_own_machine_quotes_of_voice_is_cut(us: str, them: str):
    """Voice that arrives after its socket was closed: the kernel sends it back in an ICMP error."""
    packet = icmp(us, them, 1 if ":" in us else 3, 4 if ":" in us else 3, udp(them, 44000, us, 51000, MEDIA))
    assert kept(packet).endswith(MEDIA[:RTP_HEADER])


def test_later_fragments_keep_no_content():
    assert len(kept(ip(THEM, US, 17, VOICE * 9, fragment=185))) == 20


def test_other_protocols_keep_no_content():
    assert len(kept(ip(THEM, US, 47, VOICE * 9))) == 20


def test_an_icmp_message_that_quotes_no_packet_keeps_no_content():
    assert len(kept(icmp(THEM, US, 3, 3, VOICE * 9))) == 28


def test_our_receiver_report_and_answers_of_services_stay_whole():
    report = udp(US, 51000, THEM, 40000, bytes.fromhex("80c9000100000001"))
    options = udp(THEM, 5060, US, 51000, b"SIP/2.0 200 OK\r\n\r\n")
    lookup = udp(THEM, 53, US, 51000, b"\x80\x11" + bytes(60))
    assert [kept(packet) for packet in (report, options, lookup)] == [report, options, lookup]


def test_long_packets_are_cut():
    packet = tcp(THEM, 443, US, 51000, flags=0x10) + bytes(1400)
    assert len(kept(packet)) == SNAP_BYTES


@given(st.binary(min_size=20, max_size=100), st.sampled_from(PAIRS), st.integers(1, 65535), st.booleans())
def test_never_more_than_a_header_of_what_may_be_voice(content: bytes, pair: tuple[str, str], port: int, inbound: bool):
    us, them = pair
    packet = udp(them, port, us, 51000, content) if inbound else udp(us, 51000, them, port, content)
    may_be_voice = port != 53 and (content[0] & 0xC0 == 0x80 or 40000 <= port <= 50000)
    most = len(packet) - len(content) + RTP_HEADER if may_be_voice or 40000 <= port <= 50000 else len(packet)
    assert len(kept(packet)) == min(most, SNAP_BYTES)


@given(st.binary(max_size=300))
def test_garbage_never_fails(data: bytes):
    try:
        head = read_head(data)
    except NoPacket:
        return
    assert 0 <= kept_bytes(data, head, REMOTE) <= len(data)
