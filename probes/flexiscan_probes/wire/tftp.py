"""TFTP read request for a file that is not there (RFC 1350). Nothing is ever written. No I/O."""

from __future__ import annotations

import re
from typing import Final

from flexiscan_probes.wire.recognised import Recognised, printable

PORT: Final = 69
"""RFC 1350 section 4. The answer comes from a new port of the server (its transfer identifier)."""

_READ_REQUEST: Final = b"\x00\x01"
_DATA: Final = 3
_ERROR: Final = 5
_OPTION_ACK: Final = 6  # RFC 2347
_LARGEST_ERROR_CODE: Final = 8  # RFC 1350 section 5 and RFC 2347: codes 0 to 8
_TOKEN: Final = re.compile(r"[0-9a-z]{4,64}\Z")


def build_read_request(token: str) -> bytes:
    """A read request in octet mode for the file `fx-<token>`; ValueError for a token not of 4-64 0-9a-z."""
    if not _TOKEN.match(token):
        raise ValueError(f"a TFTP token is 4 to 64 characters of 0-9a-z, not {token!r}")
    return _READ_REQUEST + f"fx-{token}".encode("ascii") + b"\x00octet\x00"


def recognise_answer(data: bytes) -> Recognised | None:
    """An ERROR, DATA or option acknowledgement packet, else None. Never raises; file content is not kept."""
    if len(data) < 4 or data[0] != 0:
        return None
    number = int.from_bytes(data[2:4], "big")
    if data[1] == _ERROR and number <= _LARGEST_ERROR_CODE and data[-1] == 0:
        details = (("packet", "error"), ("code", str(number)), ("text", printable(data[4:-1])))
        return Recognised("tftp", details)
    if data[1] == _DATA and number == 1:  # the first answer to a read request is block 1
        return Recognised("tftp", (("packet", "data"), ("bytes", str(len(data) - 4))))
    if data[1] == _OPTION_ACK and data[-1] == 0:
        return Recognised("tftp", (("packet", "option-acknowledgement"),))
    return None
