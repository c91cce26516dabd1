"""NetBIOS node status, the question of `nbtstat -A` (RFC 1002 section 4.2.17 and 4.2.18). No I/O."""

from __future__ import annotations

import struct
from typing import Final

from flexiscan_probes.wire.recognised import Recognised, printable

PORT: Final = 137
"""RFC 1002 section 6: name service."""

_HEADER: Final = struct.Struct(">HHHHHH")
_WILDCARD: Final = b"\x20CK" + b"A" * 30 + b"\x00"  # the name "*", encoded as in RFC 1001 section 14.1
_NODE_STATUS: Final = 0x0021
_INTERNET: Final = 0x0001
_RESPONSE: Final = 0x8000
_NAME_BYTES: Final = 18  # 15 of name, 1 of suffix, 2 of flags


def build_node_status(transaction_id: int) -> bytes:
    """A node status request (50 bytes); ValueError unless 0 <= transaction_id <= 0xFFFF."""
    if not 0 <= transaction_id <= 0xFFFF:
        raise ValueError(f"a transaction id has 16 bits, not {transaction_id}")
    header = _HEADER.pack(transaction_id, 0, 1, 0, 0, 0)
    return header + _WILDCARD + struct.pack(">HH", _NODE_STATUS, _INTERNET)


def recognise_answer(data: bytes, transaction_id: int) -> Recognised | None:
    """A node status response with this id, else None. Never raises on any `data`."""
    if len(data) < _HEADER.size:
        return None
    identity, flags, _, answers, _, _ = _HEADER.unpack_from(data)
    record = data[_HEADER.size :]
    if identity != transaction_id or not flags & _RESPONSE or not record.startswith(_WILDCARD):
        return None
    tail = record[len(_WILDCARD) :]
    if answers != 1 or tail[:4] != struct.pack(">HH", _NODE_STATUS, _INTERNET):
        return Recognised("netbios")  # a refusal to our own question is an answer as well
    names = tail[11:]  # after type, class, time to live, data length and the count of names
    count = min(tail[10], len(names) // _NAME_BYTES) if len(tail) > 10 else 0
    details = [("names", str(count))]
    if count:
        details.append(("first", printable(names[:15]).rstrip()))
    return Recognised("netbios", tuple(details))
