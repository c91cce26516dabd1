"""No bytes of a hostile server make a recogniser raise, or say more than printable text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire import giop, mssql, netbios, rdp, rtcp, sip, smb, snmp, stun, tftp, winrm
from flexiscan_probes.wire.recognise import guess_service
from flexiscan_probes.wire.recognised import SERVICES, Recognised, is_echo

TOKEN = "abcd1234"
RECOGNISERS: dict[str, Callable[[bytes], Recognised | None]] = {
    "sip": lambda data: sip.recognise_status(data, TOKEN),
    "tftp": tftp.recognise_answer,
    "snmp": lambda data: snmp.recognise_answer(data, 0x2A),
    "netbios": lambda data: netbios.recognise_answer(data, 0x1234),
    "tds": mssql.recognise_prelogin,
    "browser": mssql.recognise_browser,
    "giop": giop.recognise_answer,
    "rdp": rdp.recognise_answer,
    "smb": smb.recognise_answer,
    "stun": lambda data: stun.recognise_answer(data, bytes(12)),
    "winrm": winrm.recognise_answer,
    "guess": guess_service,
}
STARTS = (
    b"",
    b"SIP/2.0 200 OK\r\nCall-ID: fxabcd1234\r\n",
    b"\x00\x05\x00\x01",
    b"\x00\x03\x00\x01",
    snmp.build_get("2c", 0x2A)[:13] + b"\xa2\x19\x02\x01\x2a",
    snmp.build_discovery(0x2A)[:24],
    b"\x12\x34\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x20CK" + b"A" * 30 + b"\x00\x00\x21\x00\x01",
    b"\x04\x01\x00\x2b\x00\x00\x01\x00\x00\x00\x1a\x00\x06",
    b"\x05\x10\x00ServerName;",
    b"GIOP\x01\x00\x00\x04",
    b"\x03\x00\x00\x13\x0e\xd0",
    b"\x00\x00\x00\x40\xfeSMB\x40\x00",
    b"HTTP/1.1 200 OK\r\nServer: ",
    b"HTTP/1.1 200 OK\r\n\r\n<a:IdentifyResponse ><ProductVendor>",
    b"HTTP/1.1 401 x\r\nServer: Microsoft-HTTPAPI/2.0\r\nWWW-Authenticate: Negotiate",
    b"HTTP/1.1 200 OK\r\n\r\n<title>Kemp Login Screen",
    b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    b"\x05\x10\x00a;b;tcp;1433;;a;b;tcp;",
    b"\x80\xc8\x00\x01",
)
hostile = st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=600))


@pytest.mark.parametrize("name", sorted(RECOGNISERS))
@given(data=hostile)
def test_recognisers_never_raise_and_stay_printable(name: str, data: bytes):
    found = RECOGNISERS[name](data)
    if found is None:
        return
    assert found.service in SERVICES
    for label, value in found.details:
        assert label.isascii()
        assert value.isascii()
        assert not value or value.isprintable()
        assert len(value) <= 1200


@given(data=hostile)
def test_media_headers_agree_with_the_first_byte(data: bytes):
    header = rtcp.read_header(data)
    if header is not None:
        assert rtcp.is_media(data)
        assert header.size_bytes == len(data)
        assert (header.sequence is None) == (header.kind == "rtcp")


@given(data=st.binary(max_size=200), cut=st.integers(0, 60))
def test_cut_and_continued_snmp_answers_never_raise(data: bytes, cut: int):
    found = snmp.recognise_answer(snmp.build_discovery(0x2A)[:cut] + data, 0x2A)
    assert found is None or dict(found.details)["version"] in {"1", "2c", "3"}


@given(
    server=st.ip_addresses(v=6) | st.ip_addresses(v=4),
    port=st.integers(0, 65535),
    token=st.from_regex(r"[0-9a-z]{4,64}", fullmatch=True),
)
def test_an_echo_of_our_own_request_is_no_sip_answer(server: object, port: int, token: str):
    request = sip.build_options(
        server=str(server),
        port=port,
        transport="udp",
        token=token,
    )
    assert request.endswith(b"\r\n\r\n")
    assert sip.recognise_status(request, token) is None


@pytest.mark.parametrize(
    ("request_bytes", "recognise"),
    [
        (tftp.build_read_request(TOKEN), RECOGNISERS["tftp"]),
        (snmp.build_get("1", 0x2A), RECOGNISERS["snmp"]),
        (snmp.build_discovery(0x2A), RECOGNISERS["snmp"]),
        (smb.build_negotiate(bytes(16)), RECOGNISERS["smb"]),
        (netbios.build_node_status(0x1234), RECOGNISERS["netbios"]),
        (mssql.BROWSER_REQUEST, RECOGNISERS["browser"]),
        (mssql.build_prelogin(), RECOGNISERS["tds"]),
        (giop.build_locate_request(1), RECOGNISERS["giop"]),
        (rdp.NEGOTIATION_REQUEST, RECOGNISERS["rdp"]),
        (stun.build_binding_request(bytes(12)), RECOGNISERS["stun"]),
        (winrm.build_identify(host="flexi.example.test", user_agent="x"), RECOGNISERS["winrm"]),
    ],
)
def test_echo_services_are_not_taken_for_the_service_asked(
    request_bytes: bytes, recognise: Callable[[bytes], Recognised | None]
):
    assert recognise(request_bytes) is None


@given(text=st.binary(max_size=3000), instances=st.lists(st.sampled_from([b"a;b;tcp;", b";;", b"tcp;1433", b";tcp;;"])))
def test_whatever_is_listed_only_ports_come_out_of_it(text: bytes, instances: list[bytes]):
    listed = b"".join(instances) + text
    ports = mssql.listed_tcp_ports(b"\x05" + len(listed).to_bytes(2, "little") + listed)
    assert len(ports) == len(set(ports)) <= mssql.MAX_LISTED_PORTS
    assert all(0 < port <= 65535 for port in ports)
    assert mssql.listed_tcp_ports(text) == () or text[:1] == b"\x05"


@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
def test_an_echo_is_one_however_it_is_cut_or_continued(data: bytes, cut: int):
    request = giop.build_locate_request(7)
    assert is_echo(request[: max(1, cut)], request)
    assert is_echo(request + data, request)
    assert not is_echo(b"\xff" + data, request)
