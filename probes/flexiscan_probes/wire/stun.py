"""STUN binding request and its answer (RFC 8489 section 5 and 6). No I/O.

Never sent to a port that may carry media: a media server can take the sender for the other end of a call.
"""

from __future__ import annotations

from typing import Final

from flexiscan_probes.wire.recognised import Recognised

TRANSACTION_BYTES: Final = 12

_BINDING_REQUEST: Final = b"\x00\x01"
_COOKIE: Final = b"\x21\x12\xa4\x42"
_ANSWERS: Final = {b"\x01\x01": "success", b"\x01\x11": "error"}
_HEADER_BYTES: Final = 20


def build_binding_request(transaction: bytes) -> bytes:
    """A binding request without attributes, 20 bytes; ValueError unless `transaction` has 12 bytes."""
    if len(transaction) != TRANSACTION_BYTES:
        raise ValueError(f"a STUN transaction has {TRANSACTION_BYTES} bytes, not {len(transaction)}")
    return _BINDING_REQUEST + b"\x00\x00" + _COOKIE + transaction


def recognise_answer(data: bytes, transaction: bytes) -> Recognised | None:
    """A success or error response to the request with this transaction, else None. Never raises."""
    kind = _ANSWERS.get(data[:2])
    if kind is None or len(data) < _HEADER_BYTES or len(data) != _HEADER_BYTES + int.from_bytes(data[2:4], "big"):
        return None
    if data[4:8] != _COOKIE or data[8:_HEADER_BYTES] != transaction:
        return None
    return Recognised("stun", (("answer", kind),))
