"""What a codec says when bytes turned out to be an answer of the service it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Service = Literal[
    "ctstack-config",
    "dns",
    "ftp",
    "giop",
    "http",
    "imap",
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
]
"""The closed vocabulary of services that this package can name."""

SERVICES: Final[frozenset[str]] = frozenset(get_args(Service))

MAX_TEXT_CHARS: Final = 120
"""Longest text taken over from an answer; enough for a product name, too short to carry content."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A service that answered, with a few printable facts from its answer (name, value)."""

    service: Service
    details: tuple[tuple[str, str], ...] = ()


def printable(data: bytes, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Hostile bytes as one line of printable ASCII, everything else as '.', at most `max_chars` long."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data[:max_chars])
