"""What is said between a scan and the witness on the server (flexiscan.witness is the other end). No I/O.

A question is a compound RTCP packet (RFC 3550 6.1): an empty receiver report, which no media port takes for voice,
and an application packet with a nonce. Question and answer carry an HMAC under keys that come from a one-time code.
The nonce is made from the run, the address asked and the port asked, so a log of another run, or of a question to
another address, can be told without a list of what was sent.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from flexiscan.model.endpoint import Transport

QUESTION_BYTES: Final = 72
ANSWER_BYTES: Final = 64
CONTROL_PORT: Final = 51515
"""Where the witness listens over TCP and UDP for questions that must arrive."""
MIN_CODE_DIGITS: Final = 16
MIN_DIFFERENT_DIGITS: Final = 4
_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_KEY_ROUNDS: Final = 200_000
_KEY_SALT: Final = b"flexiscan witness 1"
_REPORT: Final = b"\x80\xc9\x00\x01"  # RFC 3550 6.4.2, no report blocks
_APP: Final = b"\x81\xcc\x00\x0f"  # RFC 3550 6.7, 16 words
_NAME: Final = b"FXWT"
_ANSWER: Final = b"FXWA"
_VERSION: Final = 1
_PROTOCOLS: Final = {"tcp": 6, "udp": 17}  # IANA protocol numbers


class WitnessMessageError(ValueError):
    """Bytes that are no answer of the witness to this question."""


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """One key for each purpose. `log` is for the lines of the log, `nonce` stays with the scan."""

    question: bytes
    answer: bytes
    log: bytes
    nonce: bytes

    def as_text(self) -> str:
        """All of them, for whoever must not spend the time that it takes to make them from a code."""
        return " ".join(key.hex() for key in (self.question, self.answer, self.log, self.nonce))

    @staticmethod
    def from_text(text: str) -> WitnessKeys:
        """The keys that `as_text` wrote. Raises ValueError for anything else."""
        question, answer, log, nonce = (bytes.fromhex(part) for part in text.split(" "))
        return WitnessKeys(question, answer, log, nonce)


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """Where a question arrived, and when by the clock of the server."""

    port: int
    unix_ms: int


def witness_keys(code: str) -> WitnessKeys:
    """The keys of a code; blanks, dashes and case do not matter. ValueError when it could be guessed."""
    plain = "".join(code.split()).replace("-", "").lower()
    if len(plain) < MIN_CODE_DIGITS or len(set(plain)) < MIN_DIFFERENT_DIGITS or not set(plain) <= _HEX_DIGITS:
        raise ValueError(f"a code has at least {MIN_CODE_DIGITS} random hexadecimal digits")
    master = hashlib.pbkdf2_hmac("sha256", plain.encode("utf-8"), _KEY_SALT, _KEY_ROUNDS)
    return WitnessKeys(*(_mac(master, name) for name in (b"question", b"answer", b"log", b"nonce")))


def witness_nonce(keys: WitnessKeys, run_id: str, transport: Transport, address: str, port: int, number: int) -> bytes:
    """16 bytes that only this run puts to this port, and only as its question number `number` there."""
    return _mac(keys.nonce, f"{run_id}|{transport}|{address}|{port}|{number}".encode())[:16]


def build_question(keys: WitnessKeys, transport: Transport, port: int, nonce: bytes) -> bytes:
    """72 bytes. Raises ValueError for a nonce that has not 16 bytes."""
    if len(nonce) != 16:
        raise ValueError(f"a nonce has 16 bytes, not {len(nonce)}")
    body = bytes((_VERSION, _PROTOCOLS[transport])) + port.to_bytes(2, "big") + nonce
    source = nonce[:4]
    return _REPORT + source + _APP + source + _NAME + body + _mac(keys.question, body)


def read_answer(keys: WitnessKeys, transport: Transport, nonce: bytes, data: bytes) -> WitnessAnswer:
    """The answer to the question with this nonce. Raises WitnessMessageError for anything else, however formed."""
    if len(data) != ANSWER_BYTES or data[:4] != _ANSWER:
        raise WitnessMessageError(f"{len(data)} bytes that are no answer")
    body, given = data[:32], data[32:]
    if not hmac.compare_digest(_mac(keys.answer, body), given):
        raise WitnessMessageError("an answer under another code")
    if body[4] != _VERSION or body[5] != _PROTOCOLS[transport] or body[16:32] != nonce:
        raise WitnessMessageError("an answer to another question")
    return WitnessAnswer(int.from_bytes(body[6:8], "big"), int.from_bytes(body[8:16], "big"))


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
