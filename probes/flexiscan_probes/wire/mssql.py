"""Microsoft SQL Server: the browser service on UDP 1434 (MC-SQLR) and the TDS prelogin (MS-TDS). No I/O."""

from __future__ import annotations

import struct
from typing import Final

from flexiscan_probes.wire.recognised import Recognised, printable

TDS_PORT: Final = 1433
BROWSER_PORT: Final = 1434

BROWSER_REQUEST: Final = b"\x03"
"""CLNT_UCAST_EX, MC-SQLR section 2.2.2: asks one host for all its instances (0x02 would be the broadcast)."""

_BROWSER_ANSWER: Final = 0x05  # SVR_RESP, MC-SQLR section 2.2.5
_MAX_LISTED_BYTES: Final = 8192
_MAX_INSTANCES: Final = 50
"""As many as one server can have (SQL Server documentation, maximum capacity)."""
_MAX_PORT_DIGITS: Final = 5
_LAST_PORT: Final = 65535
MAX_LISTED_PORTS: Final = 16
"""How many of the listed ports are believed: a hostile list must not become a sweep."""

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
    """A browser answer with the names, versions and TCP ports it lists, else None. Never raises on any `data`."""
    if not _is_browser_answer(data):
        return None
    instances = _instances(data)
    details = []
    for name, key in (("instance", b"InstanceName"), ("version", b"Version"), ("tcp", b"tcp")):
        values = [printable(instance[key]) for instance in instances if key in instance]
        if values:
            details.append((name, " ".join(values)))
    return Recognised("sql-browser", tuple(details))


def listed_tcp_ports(data: bytes) -> tuple[int, ...]:
    """The TCP ports that a browser answer lists: in its order, each once, at most MAX_LISTED_PORTS. Never raises.

    Only numbers are taken over: names of hosts and pipes in the answer lead nowhere.
    """
    if not _is_browser_answer(data):
        return ()
    texts = [instance.get(b"tcp", b"") for instance in _instances(data)]
    ports = dict.fromkeys(int(text) for text in texts if text.isdigit() and len(text) <= _MAX_PORT_DIGITS)
    return tuple(port for port in ports if 0 < port <= _LAST_PORT)[:MAX_LISTED_PORTS]


def _is_browser_answer(data: bytes) -> bool:
    return len(data) >= 3 and data[0] == _BROWSER_ANSWER and int.from_bytes(data[1:3], "little") == len(data) - 3


def _instances(data: bytes) -> list[dict[bytes, bytes]]:
    """What is listed of each instance: names and values by turns, ";;" behind each instance (MC-SQLR 2.2.5)."""
    listed = data[3 : 3 + _MAX_LISTED_BYTES].split(b";;")[:_MAX_INSTANCES]
    fields = [instance.lstrip(b";").split(b";") for instance in listed]  # a ";" is left over by an empty value
    return [dict(zip(names_and_values[::2], names_and_values[1::2], strict=False)) for names_and_values in fields]
