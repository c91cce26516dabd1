"""CORBA: GIOP LocateRequest for the name service (OMG CORBA 3.3 part 2, section 9.4.5 and 9.4.6). No I/O."""

from __future__ import annotations

import struct
from typing import Final

from flexiscan_probes.wire.recognised import Recognised

PORT: Final = 2809
"""corbaloc, as the guide's table names it for Mitel OIP."""

_MAGIC: Final = b"GIOP"
_LOCATE_REQUEST: Final = 3
_LOCATE_REPLY: Final = 4
_KEY: Final = b"NameService"
_MESSAGE_NAMES: Final = {1: "reply", 4: "locate-reply", 5: "close-connection", 6: "message-error"}
_HEADER_BYTES: Final = 12


def build_locate_request(request_id: int) -> bytes:
    """A GIOP 1.0 LocateRequest, big endian; ValueError unless 0 <= request_id <= 0xFFFFFFFF."""
    if not 0 <= request_id <= 0xFFFFFFFF:
        raise ValueError(f"a GIOP request id has 32 bits, not {request_id}")
    body = struct.pack(">II", request_id, len(_KEY)) + _KEY
    return _MAGIC + bytes((1, 0, 0, _LOCATE_REQUEST)) + struct.pack(">I", len(body)) + body


def recognise_answer(data: bytes) -> Recognised | None:
    """A reply, locate reply, close or error message of GIOP 1.x, else None. Never raises on any `data`."""
    if len(data) < _HEADER_BYTES or not data.startswith(_MAGIC) or data[4] != 1:
        return None
    kind = _MESSAGE_NAMES.get(data[7])
    if kind is None:
        return None
    details = [("message", kind), ("version", f"1.{data[5]}")]
    if data[7] == _LOCATE_REPLY and len(data) >= _HEADER_BYTES + 8:
        order = "<I" if data[6] & 1 else ">I"  # the low bit is the sender's byte order
        (status,) = struct.unpack_from(order, data, _HEADER_BYTES + 4)
        details.append(("status", str(status)))
    return Recognised("giop", tuple(details))
