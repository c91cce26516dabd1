"""What a codec says when bytes turned out to be an answer of the service it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Service = Literal[
    "ctstack-api",
    "ctstack-config",
    "dns",
    "ftp",
    "giop",
    "http",
    "imap",
    "loadmaster",
    "mysql",
    "netbios",
    "pop3",
    "postgresql",
    "rdp",
    "rtcp",
    "rtp",
    "sip",
    "smb",
    "smtp",
    "snmp",
    "sql-browser",
    "ssh",
    "stun",
    "tds",
    "telnet",
    "tftp",
    "tls",
    "vnc",
    "winrm",
]
"""The closed vocabulary of services that this package can name."""

SERVICES: Final[frozenset[str]] = frozenset(get_args(Service))

MAX_TEXT_CHARS: Final = 120
"""Longest text taken over from an answer; enough for a product name, too short to carry content."""

_MIN_ECHO_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Recognised:
    """A service that answered, with a few printable facts from its answer (name, value)."""

    service: Service
    details: tuple[tuple[str, str], ...] = ()


def is_echo(data: bytes, request: bytes) -> bool:
    """Whether an answer is what was asked, sent back: whole, its beginning, or with something after it.

    It proves that somebody is there and nothing about who. Requests of less than four bytes are only known whole.
    """
    if not data or not request:
        return False
    return request.startswith(data) or (len(request) >= _MIN_ECHO_BYTES and data.startswith(request))


def printable(data: bytes, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Hostile bytes as one line of printable ASCII, everything else as '.', at most `max_chars` long."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data[:max_chars])
