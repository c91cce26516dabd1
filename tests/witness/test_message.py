"""Questions and answers: the standalone file and the scan speak the same, and hostile bytes change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan import witness as server
from flexiscan.model import witness_message as wire
from flexiscan.model.endpoint import Transport
from flexiscan.policy.profile import load_profile

CODE = "a1b2-c3d4-e5f6-0718"
KEYS = wire.witness_keys(CODE)
SERVER_KEYS = server.derive_keys(CODE)
OTHER_KEYS = wire.witness_keys("ffff-eeee-dddd-cccc")
NONCE = bytes(range(16))


def answer_to(transport: Transport, port: int, nonce: bytes, unix_ms: int = 1_700_000_000_123) -> bytes:
    return server.build_answer(SERVER_KEYS["answer"], transport, port, unix_ms, nonce)


def test_both_ends_make_the_same_keys():
    assert {"question": KEYS.question, "answer": KEYS.answer, "log": KEYS.log} == SERVER_KEYS
    assert wire.witness_keys("A1B2 C3D4 E5F6 0718") == KEYS


@pytest.mark.parametrize("make", [wire.witness_keys, server.derive_keys])
@pytest.mark.parametrize("code", ["1234-5678-9012-345", "correct horse battery staple", "abcabcabcabcabcabc", ""])
def test_a_code_that_could_be_guessed_is_refused(make, code: str):
    with pytest.raises(ValueError, match="at least 16 random hexadecimal digits"):
        make(code)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_question_is_read_at_the_server_and_its_answer_here(transport: Transport):
    question = wire.build_question(KEYS, transport, 40000, NONCE)
    assert server.read_question(SERVER_KEYS["question"], transport, question) == NONCE
    answer = wire.read_answer(KEYS, transport, NONCE, answer_to(transport, 41000, NONCE))
    assert answer == wire.WitnessAnswer(41000, 1_700_000_000_123)


def test_an_answer_is_never_longer_than_its_question():
    question = wire.build_question(KEYS, "udp", 40000, NONCE)
    assert len(question) == wire.QUESTION_BYTES == server.QUESTION_BYTES
    assert len(answer_to("udp", 65535, NONCE, 2**63)) == wire.ANSWER_BYTES <= len(question)


def test_a_question_looks_like_rtcp_to_a_media_port():
    question = wire.build_question(KEYS, "udp", 40000, NONCE)
    assert question[:4] == b"\x80\xc9\x00\x01"
    assert question[8:10] == b"\x81\xcc"
    assert 8 + 4 * (int.from_bytes(question[10:12], "big") + 1) == len(question)


def test_nonces_differ_in_everything_they_are_made_of():
    base = ("run", "udp", "192.0.2.10", 40000, 0)
    others = [("other", *base[1:]), ("run", "tcp", *base[2:]), (*base[:2], "192.0.2.11", 40000, 0)]
    others += [(*base[:3], 40001, 0), (*base[:4], 1)]
    nonces = {wire.witness_nonce(KEYS, *one) for one in [base, *others]}  # type: ignore[arg-type]
    assert len(nonces) == 6
    assert wire.witness_nonce(OTHER_KEYS, "run", "udp", "192.0.2.10", 40000, 0) not in nonces


@pytest.mark.parametrize(
    "answer",
    [
        answer_to("udp", 40000, bytes(16)),
        answer_to("tcp", 40000, NONCE),
        server.build_answer(server.derive_keys("ffff-eeee-dddd-cccc")["answer"], "udp", 40000, 1, NONCE),
        answer_to("udp", 40000, NONCE) + b"\x00",
        answer_to("udp", 40000, NONCE)[:-1],
        wire.build_question(KEYS, "udp", 40000, NONCE),
        b"",
    ],
    ids=["other-nonce", "other-transport", "other-code", "longer", "shorter", "echo", "nothing"],
)
def test_what_is_no_answer_is_refused(answer: bytes):
    with pytest.raises(wire.WitnessMessageError):
        wire.read_answer(KEYS, "udp", NONCE, answer)


@given(st.binary(max_size=100), st.binary(min_size=16, max_size=16))
def test_hostile_bytes_never_count(data: bytes, nonce: bytes):
    with pytest.raises(wire.WitnessMessageError):
        wire.read_answer(KEYS, "udp", nonce, data)
    assert server.read_question(SERVER_KEYS["question"], "udp", data) is None


@given(st.integers(0, 63), st.integers(1, 255))
def test_no_changed_answer_counts(place: int, change: int):
    data = bytearray(answer_to("udp", 40000, NONCE))
    data[place] ^= change
    with pytest.raises(wire.WitnessMessageError):
        wire.read_answer(KEYS, "udp", NONCE, bytes(data))


@given(st.integers(0, 71), st.integers(1, 255))
def test_no_changed_question_counts_but_for_its_ssrc(place: int, change: int):
    data = bytearray(wire.build_question(KEYS, "udp", 40000, NONCE))
    data[place] ^= change
    read = server.read_question(SERVER_KEYS["question"], "udp", bytes(data))
    assert read == (NONCE if place in (4, 5, 6, 7, 12, 13, 14, 15) else None)


def test_the_file_listens_on_every_port_of_the_guide():
    rows = load_profile().ports
    wanted = {(row.transport, row.port) for row in rows if row.last_port is None}
    wanted |= {(row.transport, port) for row in rows if row.last_port for port in range(row.port, row.last_port + 1)}
    wanted |= {("tcp", 80), ("tcp", 443), ("tcp", wire.CONTROL_PORT), ("udp", wire.CONTROL_PORT)}
    assert set(server.wanted_ports(10_001, server.CONTROL_PORT)) == wanted
    assert server.CONTROL_PORT == wire.CONTROL_PORT
