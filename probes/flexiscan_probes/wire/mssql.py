"""Microsoft SQL Server: the browser service on UDP 1434 (MC-SQLR) and the TDS prelogin (MS-TDS). No I/O."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Final

from flexiscan_probes.wire.recognised import Recognised, printable

TDS_PORT: Final = 1433
BROWSER_PORT: Final = 1434

BROWSER_REQUEST: Final = b"\x03"
"""CLNT_UCAST_EX, MC-SQLR section 2.2.2: asks one host for all its instances (0x02 would be the broadcast)."""

_BROWSER_ANSWER: Final = 0x05  # SVR_RESP, MC-SQLR section 2.2.5
_MAX_LISTED_BYTES: Final = 8192

_PRELOGIN: Final = 0x12  # MS-TDS section 2.2.3.1.1
_TABULAR_RESULT: Final = 0x04
_END_OF_MESSAGE: Final = 0x01
_TDS_HEADER: Final = struct.Struct(">BBHHBB")
_OPTION: Final = struct.Struct(">BHH")
_TERMINATOR: Final = 0xFF
_VERSION: Final = 0x00
_PRELOGIN_OPTIONS: Final = (
    (_VERSION, bytes(6)),
    (0x01, b"\x00"),  # ENCRYPTION: off, only asked
    (0x02, b"\x00"),  # INSTOPT: default instance
    (0x03, bytes(4)),  # THREADID
    (0x04, b"\x00"),  # MARS: off
)


def build_prelogin() -> bytes:
    """A PRELOGIN packet without any login (MS-TDS section 2.2.6.5), 47 bytes."""
    offset = _OPTION.size * len(_PRELOGIN_OPTIONS) + 1
    table, values = b"", b""
    for token, value in _PRELOGIN_OPTIONS:
        table += _OPTION.pack(token, offset + len(values), len(value))
        values += value
    body = table + bytes((_TERMINATOR,)) + values
    return _TDS_HEADER.pack(_PRELOGIN, _END_OF_MESSAGE, _TDS_HEADER.size + len(body), 0, 0, 0) + body


def recognise_prelogin(data: bytes) -> Recognised | None:
    """A prelogin answer, with the server's version where it stands whole, else None. Never raises."""
    if len(data) < _TDS_HEADER.size + _OPTION.size or data[0] != _TABULAR_RESULT:
        return None
    if int.from_bytes(data[2:4], "big") < _TDS_HEADER.size + _OPTION.size:
        return None
    body = data[_TDS_HEADER.size :]
    token, offset, length = _OPTION.unpack_from(body)
    if token != _VERSION or length != 6:  # the version is required, and required to come first
        return None
    version = body[offset : offset + 6]
    if len(version) < 6:
        return Recognised("tds")
    major, minor, build = version[0], version[1], int.from_bytes(version[2:4], "big")
    return Recognised("tds", (("version", f"{major}.{minor}.{build}"),))


def recognise_browser(data: bytes) -> Recognised | None:
    """A browser answer with the TCP ports of its instances, else None. Never raises on any `data`."""
    if len(data) < 3 or data[0] != _BROWSER_ANSWER:
        return None
    if int.from_bytes(data[1:3], "little") != len(data) - 3:
        return None
    fields = data[3 : 3 + _MAX_LISTED_BYTES].split(b";")
    details = []
    for name, key in (("instance", b"InstanceName"), ("version", b"Version"), ("tcp", b"tcp")):
        values = [printable(after) for before, after in pairwise(fields) if before == key]
        if values:
            details.append((name, " ".join(values)))
    return Recognised("sql-browser", tuple(details))
