"""DNS queries and replies as bytes: what is ours, what is not, and hostile bytes that must only ever be refused."""

from __future__ import annotations

import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexiscan_probes.wire.dns_message import (
    EDNS_PAYLOAD_BYTES,
    MAX_MESSAGE_BYTES,
    DnsWireError,
    Question,
    decode_reply,
    encode_query,
)

ID = 0x1234
QUESTION = Question("flexi.example.test.", "A")
HEADER = struct.Struct("!HHHHHH")


def answer(*rrsets: dns.rrset.RRset, question: Question = QUESTION, message_id: int = ID) -> dns.message.Message:
    response = dns.message.make_response(
        dns.message.from_wire(encode_query(question, message_id)), recursion_available=True
    )
    response.answer.extend(rrsets)
    return response


def rrset(name: str, rdtype: str, *data: str, ttl: int = 300, rdclass: str = "IN") -> dns.rrset.RRset:
    return dns.rrset.from_text(name, ttl, rdclass, rdtype, *data)


def refused(wire: bytes, question: Question = QUESTION) -> str:
    with pytest.raises(DnsWireError) as caught:
        decode_reply(wire, question, ID)
    return caught.value.reason


def test_the_query():
    query = dns.message.from_wire(encode_query(QUESTION, ID))
    assert query.id == ID
    assert dns.flags.to_text(query.flags) == "RD"
    assert (query.edns, query.payload) == (0, EDNS_PAYLOAD_BYTES)
    assert query.question[0].to_text() == "flexi.example.test. IN A"


def test_the_query_without_edns():
    assert dns.message.from_wire(encode_query(QUESTION, ID, edns=False)).edns == -1


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".test", ".".join(["x" * 60] * 5), "räksmörgås.test", ""])
def test_a_name_that_dns_cannot_hold(name: str):
    with pytest.raises(DnsWireError, match="no DNS name"):
        encode_query(Question(name, "A"), ID)


def test_a_reply():
    message = answer(
        rrset("FLEXI.example.test.", "CNAME", "Edge.CDN.test."),
        rrset("edge.cdn.test.", "A", "192.0.2.1", "192.0.2.2", ttl=0),
    )
    reply = decode_reply(message.to_wire(), QUESTION, ID)
    assert reply.rcode == "NOERROR"
    assert reply.flags == ("qr", "rd", "ra")
    shown = [(one.name, one.rdtype, one.ttl, one.data) for one in reply.records]
    # The library writes the addresses of a set in random order.
    assert [shown[0], *sorted(shown[1:])] == [
        ("flexi.example.test.", "CNAME", 300, "edge.cdn.test."),
        ("edge.cdn.test.", "A", 0, "192.0.2.1"),
        ("edge.cdn.test.", "A", 0, "192.0.2.2"),
    ]


def test_two_aliases_of_a_name_are_both_kept():
    first = answer(rrset("flexi.example.test.", "CNAME", "a.test.")).to_wire()
    # The library would put them in one set and keep the last one only: the second record is appended by hand.
    second = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 300, 8) + b"\x01b\x04test\x00"
    opt = first[-11:]
    wire = HEADER.pack(*HEADER.unpack(first[:12])[:3], 2, 0, 1) + first[12:-11] + second + opt
    assert [one.data for one in decode_reply(wire, QUESTION, ID).records] == ["a.test.", "b.test."]


def test_authority_keeps_the_zone_and_leaves_the_rest():
    message = answer()
    message.authority += [
        rrset("example.test.", "SOA", "ns1.example.test. host.example.test. 1 2 3 4 5"),
        rrset("example.test.", "NS", "ns1.example.test."),
        rrset("x.example.test.", "TXT", '"noise"'),
    ]
    assert [one.rdtype for one in decode_reply(message.to_wire(), QUESTION, ID).authority] == ["SOA", "NS"]


def test_other_types_are_kept_in_generic_form():
    reply = decode_reply(answer(rrset("flexi.example.test.", "TXT", '"<b>\\"hi\\""')).to_wire(), QUESTION, ID)
    assert reply.records[0].data.startswith("\\# ")


def test_control_characters_in_names_are_escaped():
    message = answer(rrset("flexi.example.test.", "CNAME", "a\\027[31m\\010b.test."))
    assert decode_reply(message.to_wire(), QUESTION, ID).records[0].data == "a\\027[31m\\010b.test."


def test_the_question_may_come_back_in_another_case():
    wire = answer(question=Question("FLEXI.Example.test.", "A")).to_wire()
    assert decode_reply(wire, QUESTION, ID).rcode == "NOERROR"


OTHERS = {
    "other id": answer(message_id=ID + 1).to_wire(),
    "other name": answer(question=Question("other.example.test.", "A")).to_wire(),
    "other type": answer(question=Question("flexi.example.test.", "AAAA")).to_wire(),
    "no question": HEADER.pack(ID, 0x8180, 0, 0, 0, 0),
    "no header": b"\x12\x34\x81\x80",
    "nothing": b"",
}


@pytest.mark.parametrize("wire", OTHERS.values(), ids=OTHERS)
def test_not_ours(wire: bytes):
    assert refused(wire) == "not-ours"


def test_a_question_of_another_class_is_not_ours():
    wire = bytearray(answer().to_wire())
    end_of_question = 12 + len(b"\x05flexi\x07example\x04test\x00") + 4
    wire[end_of_question - 1] = 3  # CH
    assert refused(bytes(wire)) == "not-ours"


def _with_count(section: int, count: int) -> bytes:
    wire = answer().to_wire()
    fields = list(HEADER.unpack(wire[:12]))
    fields[section] = count
    return HEADER.pack(*fields) + wire[12:]


UNREADABLE = {
    "our own query": encode_query(QUESTION, ID),
    "another opcode": HEADER.pack(ID, 0xA980, 1, 0, 0, 0) + encode_query(QUESTION, ID)[12:],
    "a record that is missing": _with_count(3, 1),
    "ten thousand records that are missing": _with_count(3, 10_000),
    "junk behind the message": answer().to_wire() + b"junk",
    "too large": answer().to_wire() + b"\x00" * MAX_MESSAGE_BYTES,
    "another class in the answer": answer(
        rrset("flexi.example.test.", "TXT", '"x"', rdclass="CH"),
    ).to_wire(),
    "too many records": answer(
        rrset("flexi.example.test.", "A", *(f"10.0.{number >> 8}.{number & 255}" for number in range(300)))
    ).to_wire(max_size=65535),
}


@pytest.mark.parametrize("wire", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(wire: bytes):
    assert refused(wire) == "unreadable"


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED])
def test_an_error_may_come_without_the_question(rcode: dns.rcode.Rcode):
    reply = decode_reply(HEADER.pack(ID, 0x8180 | rcode, 0, 0, 0, 0), QUESTION, ID)
    assert reply.rcode == dns.rcode.to_text(rcode)


def test_nxdomain_without_the_question_is_not_ours():
    assert refused(HEADER.pack(ID, 0x8183, 0, 0, 0, 0)) == "not-ours"


def test_an_extended_error_code():
    message = answer()
    message.set_rcode(dns.rcode.BADVERS)
    reply = decode_reply(message.to_wire(), QUESTION, ID)
    assert (reply.rcode, reply.refuses_edns) == ("BADVERS", True)


def test_extended_errors():
    message = answer()
    message.use_edns(
        0, options=[dns.edns.EDEOption(dns.edns.EDECode(17), "filtered"), dns.edns.EDEOption(dns.edns.EDECode(3))]
    )
    assert decode_reply(message.to_wire(), QUESTION, ID).extended_errors == (17, 3)


def test_a_truncated_reply_has_no_records():
    message = answer(rrset("flexi.example.test.", "A", "192.0.2.1"))
    message.flags |= dns.flags.TC
    reply = decode_reply(message.to_wire(), QUESTION, ID)
    assert (reply.truncated, reply.records) == (True, ())


def test_a_reply_cut_in_the_middle_still_says_that_it_is_truncated():
    message = answer(rrset("flexi.example.test.", "A", "192.0.2.1", "192.0.2.2"))
    message.flags |= dns.flags.TC
    assert decode_reply(message.to_wire()[:-20], QUESTION, ID).truncated


def _pointer_chain() -> bytes:
    """Names that point back through thousands of pointers, in the largest message that is parsed at all."""
    wire = bytearray(answer().to_wire()[:-11])
    wire[2:12] = struct.pack("!HHHHH", 0x8180, 1, 600, 0, 0)
    previous = 12
    while len(wire) < MAX_MESSAGE_BYTES - 16:
        here = len(wire)
        wire += struct.pack("!H", 0xC000 | previous) + struct.pack("!HHIH", 16, 1, 0, 2)
        wire += struct.pack("!H", 0xC000 | here)
        previous = here
    return bytes(wire)


def _many_long_names() -> bytes:
    """Distinct owners of 121 labels each."""
    wire = bytearray(answer().to_wire()[:-11])
    labels = b"\x01x" * 120
    count = 0
    start = len(wire)
    wire += b"\x01a" + labels + b"\x00" + struct.pack("!HHIH", 1, 1, 0, 4) + b"\x0a\x00\x00\x01"
    while len(wire) < MAX_MESSAGE_BYTES - 20:
        wire += bytes([1, 65 + count % 26]) + struct.pack("!H", 0xC000 | (start + 2))
        wire += struct.pack("!HHIH", 1, 1, 0, 4) + b"\x0a\x00\x00\x01"
        count += 1
    wire[2:12] = struct.pack("!HHHHH", 0x8180, 1, count + 1, 0, 0)
    return bytes(wire)


@pytest.mark.parametrize("wire", [_pointer_chain(), _many_long_names()], ids=["pointer-chain", "long-names"])
def test_the_worst_message_that_is_parsed_costs_little(wire: bytes):
    assert len(wire) > MAX_MESSAGE_BYTES // 2
    started_s = time.process_time()
    assert refused(wire) == "unreadable"
    assert time.process_time() - started_s < 1.0


# -- fuzz: DnsWireError and nothing else -------------------------------------------------------------------------


def _read(wire: bytes) -> None:
    try:
        reply = decode_reply(wire, QUESTION, ID)
    except DnsWireError:
        return
    shown = "".join(one.name + one.data for one in (*reply.records, *reply.authority))
    assert shown.isascii()
    assert shown.isprintable()


REAL = answer(
    rrset("flexi.example.test.", "CNAME", "edge.cdn.test."),
    rrset("edge.cdn.test.", "A", "192.0.2.1", "192.0.2.2"),
    rrset("edge.cdn.test.", "AAAA", "2001:db8::1"),
    rrset("edge.cdn.test.", "HTTPS", "1 . alpn=h2 ipv4hint=192.0.2.1"),
    rrset("edge.cdn.test.", "CAA", '0 issue "ca.test"'),
    rrset("edge.cdn.test.", "NSEC", "a.test. A AAAA RRSIG"),
    rrset("example.test.", "SOA", "ns1.example.test. host.example.test. 1 2 3 4 5"),
    rrset("example.test.", "DNAME", "other.test."),
).to_wire()


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes):
    _read(data)


@given(st.binary(max_size=600))
def test_any_bytes_behind_our_id(data: bytes):
    _read(ID.to_bytes(2, "big") + data)


@given(st.binary(max_size=600), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_behind_our_question(data: bytes, answers: int, authority: int):
    question = encode_query(QUESTION, ID, edns=False)[12:]
    _read(HEADER.pack(ID, 0x8180, 1, answers, authority, 0) + question + data)


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(2, len(REAL) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(REAL)))
def test_a_real_reply_with_bytes_changed_and_its_end_cut(changes: list[tuple[int, int]], cut: int):
    wire = bytearray(REAL)
    for place, value in changes:
        wire[place] = value
    _read(bytes(wire))
    _read(bytes(wire[:cut]))


@given(st.text(max_size=300), st.sampled_from(["A", "AAAA", "CNAME"]))
def test_any_name_is_asked_for_or_refused(name: str, rdtype: str):
    try:
        wire = encode_query(Question(name, rdtype), ID)
    except DnsWireError:
        return
    assert len(dns.message.from_wire(wire).question) == 1
