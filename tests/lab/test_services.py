"""Answers of telephony and Windows services, recognised by the scanner's own codecs where there is one."""

from __future__ import annotations

import pytest

from flexiscan_lab.scenario import Garbage, Mute, Scripted, Sip
from flexiscan_lab.servers import scripts, sip
from flexiscan_lab.servers.datagrams import datagram_answer
from flexiscan_lab.servers.odd import scripted_answer
from flexiscan_probes.wire import giop, mssql, netbios, rdp, smb

OPTIONS = (
    b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nv: SIP/2.0/UDP d\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:h>\r\nCall-ID: abc\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def test_sip_answers_a_request_and_nothing_else() -> None:
    answer = (sip.respond(OPTIONS, "Lab") or b"").decode()
    assert answer.startswith("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nv: SIP/2.0/UDP d\r\n")
    assert "\r\nCall-ID: abc\r\n" in answer
    assert "To: <sip:h>;tag=" in answer
    assert (sip.respond(OPTIONS.replace(b"OPTIONS", b"MESSAGE"), "Lab") or b"").startswith(b"SIP/2.0 405")
    assert sip.respond(b"\x00\x01\x02", "Lab") is None


def test_scripts_match_by_start_and_copy_what_is_asked() -> None:
    script = Scripted((("aa..cc", "01..02"), ("aa", "ff")))
    assert scripted_answer(script, bytes.fromhex("aa42ccdd")) == bytes.fromhex("014202")
    assert scripted_answer(script, bytes.fromhex("aa42")) == b"\xff"
    assert scripted_answer(script, b"\xbb") is None


@pytest.mark.parametrize(
    ("talk", "answers"), [(Mute(), False), (Garbage(), True), (Sip(), False), (scripts.NETBIOS, False)]
)
def test_datagrams_of_strangers(talk: Mute | Garbage | Sip | Scripted, answers: bool) -> None:
    assert (datagram_answer(talk, b"hello") is not None) == answers


GUID = bytes(range(16))
RECOGNISED = {
    "corba": giop.recognise_answer(scripted_answer(scripts.CORBA, giop.build_locate_request(0x01020304)) or b""),
    "rdp": rdp.recognise_answer(scripted_answer(scripts.RDP, rdp.NEGOTIATION_REQUEST) or b""),
    "smb": smb.recognise_answer(scripted_answer(scripts.SMB, smb.build_negotiate(GUID)) or b""),
    "sql": mssql.recognise_prelogin(scripted_answer(scripts.SQL_SERVER, mssql.build_prelogin()) or b""),
    "browser": mssql.recognise_browser(scripted_answer(scripts.SQL_BROWSER, mssql.BROWSER_REQUEST) or b""),
    "netbios": netbios.recognise_answer(
        scripted_answer(scripts.NETBIOS, netbios.build_node_status(0x4242)) or b"", 0x4242
    ),
}


@pytest.mark.parametrize("name", RECOGNISED)
def test_the_scanner_recognises_the_scripts(name: str) -> None:
    assert RECOGNISED[name] is not None
