"""Requests byte for byte as real servers have answered them, and the answers those servers gave."""

from __future__ import annotations

import pytest

from flexiscan_probes.wire import giop, mssql, netbios, rdp, rtcp, sip, smb, snmp, stun, tftp, winrm
from flexiscan_probes.wire.recognised import is_echo

TOKEN = "abcd1234"
SIP_ANSWER = (
    b"SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP 192.0.2.7:40001;branch=z9hG4bKabcd1234;rport=40001\r\n"
    b"Call-ID: fxabcd1234\r\nCSeq: 1 OPTIONS\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def sip_request(server: str = "192.0.2.1", transport: str = "udp") -> bytes:
    assert transport in ("udp", "tcp")
    return sip.build_options(
        server=server,
        port=5060,
        transport="udp" if transport == "udp" else "tcp",
        token=TOKEN,
        sent_by="192.0.2.7:40001",
    )


def test_sip_options_ends_with_the_empty_line_and_asks_for_rport():
    lines = sip_request().split(b"\r\n")
    assert lines[0] == b"OPTIONS sip:192.0.2.1:5060;transport=udp SIP/2.0"
    assert lines[1] == b"Via: SIP/2.0/UDP 192.0.2.7:40001;branch=z9hG4bKabcd1234;rport"
    assert lines[-3:] == [b"Content-Length: 0", b"", b""]


def test_sip_options_to_ipv6_has_brackets_everywhere():
    request = sip_request("2001:db8::1", "tcp")
    assert request.startswith(b"OPTIONS sip:[2001:db8::1]:5060;transport=tcp SIP/2.0\r\n")
    assert b"\r\nTo: <sip:[2001:db8::1]>\r\n" in request


@pytest.mark.parametrize("status", [b"200", b"401", b"403", b"405", b"481", b"501", b"603"])
def test_any_sip_status_with_our_call_id_confirms(status: bytes):
    found = sip.recognise_status(SIP_ANSWER.replace(b"404", status), "abcd1234")
    assert found is not None
    assert found.service == "sip"
    assert ("status", status.decode()) in found.details


def test_sip_product_is_kept_and_compact_call_id_is_read():
    found = sip.recognise_status(SIP_ANSWER.replace(b"Call-ID", b"i"), "abcd1234")
    assert found is not None
    assert dict(found.details)["product"] == "kamailio (5.6.3 (x86_64/linux))"


@pytest.mark.parametrize(
    "data",
    [
        SIP_ANSWER.replace(b"fxabcd1234", b"fxother999"),  # somebody else's answer
        b"SIP/2.0 200 OK\r\n\r\nCall-ID: fxabcd1234\r\n",  # the id only in the body
        b"HTTP/1.1 200 OK\r\nCall-ID: fxabcd1234\r\n\r\n",
        b"SIP/2.0 2",
        b"",
    ],
)
def test_sip_answers_that_are_not_ours_are_not_confirmed(data: bytes):
    assert sip.recognise_status(data, "abcd1234") is None


@pytest.mark.parametrize("token", ["", "abc", "AB12", "ab\r\n", "x" * 65, "räka"])
def test_tokens_cannot_carry_another_header(token: str):
    with pytest.raises(ValueError, match="token"):
        sip.call_id_of(token)
    with pytest.raises(ValueError, match="token"):
        tftp.build_read_request(token)


@pytest.mark.parametrize("user_agent", ["a\r\nX: y", "räka", "a\tb"])
def test_a_user_agent_cannot_carry_another_header(user_agent: str):
    with pytest.raises(ValueError, match="user agent"):
        sip.build_options(server="192.0.2.1", port=5060, transport="udp", token=TOKEN, user_agent=user_agent)


def test_tftp_request_only_ever_reads():
    assert tftp.build_read_request("abcd1234") == b"\x00\x01fx-abcd1234\x00octet\x00"


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        (b"\x00\x05\x00\x01File not found\x00", "error"),
        (b"\x00\x05\x00\x02Access violation\x00", "error"),
        (b"\x00\x03\x00\x01secret content", "data"),
        (b"\x00\x06\x00\x00", "option-acknowledgement"),
    ],
)
def test_tftp_answers_confirm_and_content_is_not_kept(data: bytes, packet: str):
    found = tftp.recognise_answer(data)
    assert found is not None
    assert dict(found.details)["packet"] == packet
    assert "secret" not in repr(found)


@pytest.mark.parametrize("data", [b"\x00\x05\x00\x09x\x00", b"\x00\x05\x00\x01no end", b"\x00\x01a\x00octet\x00"])
def test_tftp_like_bytes_are_refused(data: bytes):
    assert tftp.recognise_answer(data) is None


def test_snmp_requests_byte_for_byte():
    get = "3026020100040670 75626c6963a01902012a020100020100300e300c06082b060102010101000500".replace(" ", "")
    assert snmp.build_get("1", 0x2A).hex() == get
    assert snmp.build_get("2c", 0x2A).hex() == get.replace("3026020100", "3026020101")
    discovery = snmp.build_discovery(0x2B)
    assert len(discovery) == 58
    assert discovery.hex().startswith("3038020103300e02012b020300ffe3040104020103")


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 32767, 32768, snmp.MAX_ID])
def test_snmp_ids_of_every_length_come_back(value: int):
    request = bytearray(snmp.build_get("2c", value))
    assert snmp.recognise_answer(bytes(request), value) is None  # a get is a question, not an answer
    request[request.index(0xA0)] = 0xA2
    found = snmp.recognise_answer(bytes(request), value)
    assert found is not None
    assert found.details == (("version", "2c"), ("packet", "response"))
    assert snmp.recognise_answer(bytes(request), value + 1) is None


def test_snmp_v3_report_gives_the_engine():
    request = bytes.fromhex("303e02010330110204112233440203 00ffe3040100020103".replace(" ", ""))
    security = bytes.fromhex("04193017040980001f888012345678020101020102040004000400")
    tail = bytes.fromhex("300b0400040 0a8050201010000".replace(" ", ""))
    body = request[2:] + security + tail
    data = bytes((0x30, len(body))) + body
    found = snmp.recognise_answer(data, 0x11223344)
    assert found is not None
    assert dict(found.details) == {"version": "3", "engine": "80001f888012345678"}
    assert snmp.recognise_answer(data, 1) is None


@pytest.mark.parametrize("bad", [-1, snmp.MAX_ID + 1])
def test_snmp_ids_out_of_range_are_refused(bad: int):
    with pytest.raises(ValueError, match="SNMP id"):
        snmp.build_get("1", bad)
    with pytest.raises(ValueError, match="SNMP id"):
        snmp.build_discovery(bad)


def test_netbios_node_status():
    request = netbios.build_node_status(0x1234)
    assert request.hex() == "1234000000010000000000002043" + "4b" + "41" * 30 + "0000210001"
    answer = bytes.fromhex("1234840000000001000000002043") + b"K" + b"A" * 30 + bytes.fromhex("0000210001")
    answer += (
        bytes.fromhex("00000000")
        + b"\x00\x41"
        + b"\x02"
        + b"FLEXI          \x00\x04\x00"
        + b"WORKGROUP      \x00\x84\x00"
    )
    found = netbios.recognise_answer(answer, 0x1234)
    assert found is not None
    assert dict(found.details) == {"names": "2", "first": "FLEXI"}
    assert netbios.recognise_answer(answer, 0x1235) is None
    assert netbios.recognise_answer(request, 0x1234) is None
    with pytest.raises(ValueError, match="16 bits"):
        netbios.build_node_status(0x10000)


def test_tds_prelogin_and_version():
    assert mssql.build_prelogin().hex() == (
        "1201002f0000000000001a00060100200001020021000103002200040400260001ff00000000000000000000000000"
    )
    answer = bytes.fromhex("040100250000010000000b00060100110001ff0f0007d0000002")
    found = mssql.recognise_prelogin(answer)
    assert found is not None
    assert found.details == (("version", "15.0.2000"),)
    assert mssql.recognise_prelogin(answer[:20]) is not None
    assert mssql.recognise_prelogin(mssql.build_prelogin()) is None


def test_sql_browser_lists_ports():
    text = b"ServerName;FLEXI;InstanceName;SQLEXPRESS;IsClustered;No;Version;15.0.2000.5;tcp;51433;;"
    answer = b"\x05" + len(text).to_bytes(2, "little") + text
    found = mssql.recognise_browser(answer)
    assert found is not None
    assert dict(found.details) == {"instance": "SQLEXPRESS", "version": "15.0.2000.5", "tcp": "51433"}
    assert mssql.recognise_browser(answer + b"x") is None


def browser_answer(*instances: bytes) -> bytes:
    text = b"".join(instance + b";;" for instance in instances)
    return b"\x05" + len(text).to_bytes(2, "little") + text


def instance(name: bytes, *fields: bytes) -> bytes:
    """As SQL Server Browser lists it (MC-SQLR section 2.2.5 and its examples)."""
    return b";".join((b"ServerName;FLEXI;InstanceName", name, b"IsClustered;No;Version;15.0.2000.5", *fields))


def test_the_tcp_ports_of_all_instances_are_listed_once():
    answer = browser_answer(
        instance(b"MSSQLSERVER", b"tcp;1433"),
        instance(b"FLEXI", rb"np;\\\\FLEXI\\pipe\\MSSQL$FLEXI\\sql\\query", b"tcp;51433"),
        instance(b"TEST", b"tcp;51433"),
        instance(b"PIPES", rb"np;\\\\FLEXI\\pipe\\sql\\query"),
    )
    assert mssql.listed_tcp_ports(answer) == (1433, 51433)
    found = mssql.recognise_browser(answer)
    assert found is not None
    assert dict(found.details)["instance"] == "MSSQLSERVER FLEXI TEST PIPES"


@pytest.mark.parametrize(
    "port", [b"0", b"-1", b"65536", b"99999", b"443.5", b" 443", b"", b"0x1bb", b"\xb2\xb3", b"1" * 4000]
)
def test_listed_ports_that_are_none_lead_nowhere(port: bytes):
    assert mssql.listed_tcp_ports(browser_answer(instance(b"A", b"tcp;" + port), instance(b"B", b"tcp;50999"))) == (
        50999,
    )


def test_a_hostile_list_is_cut():
    answer = browser_answer(*(b"a;b;tcp;%d" % port for port in range(1, 4000)))
    assert mssql.listed_tcp_ports(answer) == tuple(range(1, mssql.MAX_LISTED_PORTS + 1))
    assert mssql.listed_tcp_ports(answer[:-1]) == ()
    assert mssql.listed_tcp_ports(b"") == ()


def test_names_in_a_list_are_no_ports():
    answer = browser_answer(b"ServerName;tcp;443;InstanceName;tcp", b"tcp")
    assert mssql.listed_tcp_ports(answer) == ()


def test_giop_locate_request_and_replies():
    assert giop.build_locate_request(1).hex() == "47494f500100000300000013000000010000000b4e616d6553657276696365"
    big = giop.recognise_answer(b"GIOP\x01\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01")
    little = giop.recognise_answer(b"GIOP\x01\x00\x01\x04\x08\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00")
    assert big is not None
    assert little is not None
    assert big.details == little.details == (("message", "locate-reply"), ("version", "1.0"), ("status", "1"))
    for kind in (5, 6):
        assert giop.recognise_answer(b"GIOP\x01\x02\x00" + bytes((kind,)) + bytes(4)) is not None
    assert giop.recognise_answer(giop.build_locate_request(1)) is None
    with pytest.raises(ValueError, match="32 bits"):
        giop.build_locate_request(-1)


@pytest.mark.parametrize(
    ("answer", "details"),
    [
        ("030000130ed000001234000200080002000000", (("security", "credssp"),)),
        ("030000130ed000001234000200080001000000", (("security", "tls"),)),
        ("030000130ed000001234000300080005000000", (("refused", "5"),)),
        ("0300000b06d00000123400", (("security", "rdp"),)),
        ("030000130ed000001234000900080001000000", ()),
    ],
)
def test_rdp_answers(answer: str, details: tuple[tuple[str, str], ...]):
    found = rdp.recognise_answer(bytes.fromhex(answer))
    assert found is not None
    assert found.details == details
    assert len(rdp.NEGOTIATION_REQUEST) == rdp.NEGOTIATION_REQUEST[3] == 19
    assert rdp.recognise_answer(rdp.NEGOTIATION_REQUEST) is None


def test_smb_negotiate_and_its_answer():
    request = smb.build_negotiate(bytes(16))
    assert len(request) == 112
    assert int.from_bytes(request[:4], "big") == 108
    answer = bytearray(request[:68]) + bytes.fromhex("4100030002030000") + bytes(60)
    answer[0:4] = (len(answer) - 4).to_bytes(4, "big")
    assert smb.recognise_answer(bytes(answer)) is None  # not marked as coming from a server
    answer[20] = 1
    found = smb.recognise_answer(bytes(answer))
    assert found is not None
    assert dict(found.details) == {"dialect": "0x0302", "signing": "required"}
    old = smb.recognise_answer(b"\x00\x00\x00\x20\xffSMB" + bytes(28))
    assert old is not None
    assert dict(old.details) == {"dialect": "1"}
    assert smb.recognise_answer(request[:30]) is None
    with pytest.raises(ValueError, match="16 bytes"):
        smb.build_negotiate(b"short")


def test_smb_error_status_is_an_answer_too():
    answer = bytearray(smb.build_negotiate(bytes(16)))
    answer[20] = 1
    answer[12:16] = (0xC00000BB).to_bytes(4, "little")
    found = smb.recognise_answer(bytes(answer))
    assert found is not None
    assert dict(found.details) == {"status": "0xc00000bb"}


def test_the_only_sweep_datagram_is_an_empty_receiver_report():
    assert rtcp.build_receiver_report(0xDEADBEEF).hex() == "80c90001deadbeef"
    with pytest.raises(ValueError, match="32 bits"):
        rtcp.build_receiver_report(1 << 32)


def test_media_headers_without_content():
    rtp = bytes.fromhex("8008000700000050cafebabe") + b"voice of a person"
    header = rtcp.read_header(rtp)
    assert header == rtcp.MediaHeader("rtp", 8, 0xCAFEBABE, 7, len(rtp))
    report = rtcp.read_header(bytes.fromhex("80c80006cafebabe") + bytes(20))
    assert report == rtcp.MediaHeader("rtcp", 200, 0xCAFEBABE, None, 28)
    assert rtcp.is_media(b"\xbf")
    assert not rtcp.is_media(b"")
    assert not rtcp.is_media(b"\xc0")
    assert rtcp.read_header(b"\x80\x08\x00") is None
    assert rtcp.read_header(b"\x80\x08" + bytes(8)) is None


def test_stun_binding_and_its_answer():
    transaction = bytes(range(12))
    request = stun.build_binding_request(transaction)
    assert request.hex() == "000100002112a442" + transaction.hex()
    mapped = bytes.fromhex("002000080001a1470a000001")
    answer = b"\x01\x01" + len(mapped).to_bytes(2, "big") + request[4:] + mapped
    assert stun.recognise_answer(answer, transaction) is not None
    assert stun.recognise_answer(b"\x01\x11\x00\x00" + request[4:], transaction) is not None
    assert stun.recognise_answer(request, transaction) is None
    assert stun.recognise_answer(answer, bytes(12)) is None
    assert stun.recognise_answer(answer[:-1], transaction) is None
    with pytest.raises(ValueError, match="12 bytes"):
        stun.build_binding_request(b"short")


IDENTITY = (
    b"HTTP/1.1 200 \r\nContent-Type: application/soap+xml;charset=UTF-8\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"
    b'<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
    b'<wsmid:IdentifyResponse xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    b"<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
    b"<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    b"<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    b"</wsmid:IdentifyResponse></s:Body></s:Envelope>"
)
REFUSAL = b"HTTP/1.1 401 \r\nServer: Microsoft-HTTPAPI/2.0\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"


def test_winrm_identify_carries_no_credentials_and_its_own_length():
    request = winrm.build_identify(host="[2001:db8::1]:5985", user_agent="FlexiScan/test")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /wsman HTTP/1.1\r\nHost: [2001:db8::1]:5985\r\n")
    assert b"\r\nWSMANIDENTIFY: unauthenticated\r\n" in head
    assert b"authorization" not in head.lower()
    assert f"Content-Length: {len(body)}".encode() in head
    for name in ("a\r\nX: y", "räka"):
        with pytest.raises(ValueError, match="header value"):
            winrm.build_identify(host=name, user_agent="x")


def test_winrm_answers():
    found = winrm.recognise_answer(IDENTITY)
    assert found is not None
    assert dict(found.details) == {"vendor": "Microsoft Corporation", "version": "OS: 0.0.0 SP: 0.0 Stack: 3.0"}
    refused = winrm.recognise_answer(REFUSAL)
    assert refused is not None
    assert refused.service == "winrm"


@pytest.mark.parametrize(
    "data",
    [
        REFUSAL.replace(b"Microsoft-HTTPAPI/2.0", b"nginx"),
        REFUSAL.replace(b"401", b"404"),
        REFUSAL.replace(b"Negotiate", b"Basic realm=x"),
        b"HTTP/1.1 200 OK\r\n\r\n" + winrm.build_identify(host="x", user_agent="y"),  # our own words in a page
        b"HTTP/1.1 400 Bad Request\r\n\r\n<h1>Bad Request</h1>",
        IDENTITY.replace(b"HTTP/1.1", b"SIP/2.0"),
        winrm.build_identify(host="x", user_agent="y"),
    ],
)
def test_other_web_servers_are_not_taken_for_winrm(data: bytes):
    assert winrm.recognise_answer(data) is None


@pytest.mark.parametrize(
    ("data", "request_bytes", "echoed"),
    [
        (b"GIOP\x01\x00", b"GIOP\x01\x00\x00\x03", True),
        (b"GIOP\x01\x00\x00\x03", b"GIOP\x01\x00\x00\x03", True),
        (b"GIOP\x01\x00\x00\x03\r\n", b"GIOP\x01\x00\x00\x03", True),
        (b"GIOP\x01\x00\x00\x04", b"GIOP\x01\x00\x00\x03", False),
        (b"\r\n", b"\r\n", True),
        (b"\r\nwelcome", b"\r\n", False),
        (b"\x00\x05", b"\x00", False),
        (b"", b"\x00", False),
        (b"SSH-2.0-x", b"", False),
    ],
)
def test_our_own_bytes_are_known_again(data: bytes, request_bytes: bytes, echoed: bool):
    assert is_echo(data, request_bytes) is echoed
