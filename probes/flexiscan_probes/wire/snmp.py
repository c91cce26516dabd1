"""SNMP: one get with the community everybody knows, and the v3 discovery that needs no credentials.

RFC 1157 (v1), RFC 3416 (v2c), RFC 3412 and 3414 (v3). The community `public` is a default, not a guess
at a secret; a server that uses another one stays silent, so the v3 discovery is sent as well. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from flexiscan_probes.wire.recognised import Recognised

PORT: Final = 161
"""RFC 3417 section 3.1."""

MAX_ID: Final = 0x7FFFFFFF
"""Largest request and message id (RFC 3412 section 6.2, RFC 3416 section 3)."""

_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30
_GET: Final = 0xA0
_PDU_TAGS: Final = frozenset({0xA2, 0xA8})  # Response and Report
_PDU_NAMES: Final = {0xA2: "response", 0xA8: "report"}
_VERSION_NUMBERS: Final = {"1": 0, "2c": 1}
_VERSION_NAMES: Final = {0: "1", 1: "2c"}
_SYS_DESCR: Final = bytes.fromhex("06082b06010201010100")  # sysDescr.0, RFC 3418
_NULL: Final = b"\x05\x00"
_MAX_MESSAGE_BYTES: Final = 65507
_REPORTABLE: Final = b"\x04"
_USM: Final = 3


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    value: bytes
    rest: bytes


def build_get(version: Literal["1", "2c"], request_id: int) -> bytes:
    """A get of sysDescr.0 with community `public`; ValueError unless 0 <= request_id <= MAX_ID."""
    _require_id(request_id)
    bindings = _encode(_SEQUENCE, _encode(_SEQUENCE, _SYS_DESCR + _NULL))
    pdu = _encode(_GET, _encode_integer(request_id) + _encode_integer(0) * 2 + bindings)
    number = _encode_integer(_VERSION_NUMBERS[version])
    return _encode(_SEQUENCE, number + _encode(_OCTETS, b"public") + pdu)


def build_discovery(message_id: int) -> bytes:
    """A v3 engine discovery (RFC 3414 section 4); ValueError unless 0 <= message_id <= MAX_ID."""
    _require_id(message_id)
    header = _encode_integer(message_id) + _encode_integer(_MAX_MESSAGE_BYTES)
    header += _encode(_OCTETS, _REPORTABLE) + _encode_integer(_USM)
    empty = _encode(_OCTETS, b"")
    security = _encode(_SEQUENCE, empty + _encode_integer(0) * 2 + empty * 3)
    pdu = _encode(_GET, _encode_integer(message_id) + _encode_integer(0) * 2 + _encode(_SEQUENCE, b""))
    scoped = _encode(_SEQUENCE, empty * 2 + pdu)
    parts = _encode_integer(3) + _encode(_SEQUENCE, header) + _encode(_OCTETS, security) + scoped
    return _encode(_SEQUENCE, parts)


def recognise_answer(data: bytes, request_id: int) -> Recognised | None:
    """A response or report to the request or message with this id, else None. Never raises on any `data`."""
    message = _read(data, _SEQUENCE)
    version = _read(message.value, _INTEGER) if message else None
    if version is None or len(version.value) != 1:
        return None
    if version.value[0] == 3:
        return _recognise_v3(version.rest, request_id)
    name = _VERSION_NAMES.get(version.value[0])
    community = _read(version.rest, _OCTETS)
    pdu = _read_pdu(community.rest) if community else None
    if name is None or pdu is None or _read_integer(pdu.value) != request_id:
        return None
    return Recognised("snmp", (("version", name), ("packet", _PDU_NAMES[pdu.tag])))


def _recognise_v3(rest: bytes, message_id: int) -> Recognised | None:
    header = _read(rest, _SEQUENCE)
    if header is None or _read_integer(header.value) != message_id:
        return None
    security = _read(header.rest, _OCTETS)
    parameters = _read(security.value, _SEQUENCE) if security else None
    engine = _read(parameters.value, _OCTETS) if parameters else None
    if engine is None or not engine.value:  # empty in a question, filled in every answer
        return None
    return Recognised("snmp", (("version", "3"), ("engine", engine.value[:32].hex())))


def _read_pdu(data: bytes) -> _Element | None:
    for tag in _PDU_TAGS:
        element = _read(data, tag)
        if element is not None:
            return element
    return None


def _read_integer(data: bytes) -> int | None:
    element = _read(data, _INTEGER)
    if element is None or not 1 <= len(element.value) <= 8:
        return None
    return int.from_bytes(element.value, "big", signed=True)


def _read(data: bytes, tag: int) -> _Element | None:
    """The first element if it has this tag and is whole, with a definite length (X.690 section 8.1)."""
    if len(data) < 2 or data[0] != tag:
        return None
    length, start = data[1], 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or len(data) < 2 + size:
            return None
        length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if len(data) < start + length:
        return None
    return _Element(tag, data[start : start + length], data[start + length :])


def _encode(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:  # every message of this module fits the short form
        return bytes((tag, len(value))) + value
    raise ValueError(f"{len(value)} bytes do not fit the short length form")


def _encode_integer(value: int) -> bytes:
    return _encode(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _require_id(value: int) -> None:
    if not 0 <= value <= MAX_ID:
        raise ValueError(f"an SNMP id lies between 0 and {MAX_ID}, not {value}")
