"""Remote Desktop: X.224 connection request with a negotiation (MS-RDPBCGR 2.2.1.1, 2.2.1.2). No I/O."""

from __future__ import annotations

from typing import Final

from flexiscan_probes.wire.recognised import Recognised

PORT: Final = 3389

NEGOTIATION_REQUEST: Final = bytes.fromhex("030000130ee00000000000010008000b000000")
"""TPKT, X.224 CR and RDP_NEG_REQ asking for TLS, CredSSP and CredSSP with early user authorisation."""

_TPKT_VERSION: Final = 3
_CONNECTION_CONFIRM: Final = 0xD0
_NEGOTIATION_RESPONSE: Final = 2
_NEGOTIATION_FAILURE: Final = 3
_PROTOCOLS: Final = {0: "rdp", 1: "tls", 2: "credssp", 4: "rdstls", 8: "credssp-ex", 16: "rdsaad"}
_SHORT_CONFIRM_BYTES: Final = 11


def recognise_answer(data: bytes) -> Recognised | None:
    """A connection confirm, with the protocol that the server chose, else None. Never raises."""
    if len(data) < _SHORT_CONFIRM_BYTES or data[0] != _TPKT_VERSION or data[1] != 0:
        return None
    if data[5] & 0xF0 != _CONNECTION_CONFIRM or int.from_bytes(data[2:4], "big") < _SHORT_CONFIRM_BYTES:
        return None
    negotiation = data[_SHORT_CONFIRM_BYTES : _SHORT_CONFIRM_BYTES + 8]
    if len(negotiation) < 8:
        return Recognised("rdp", (("security", "rdp"),))  # an old server without negotiation
    value = int.from_bytes(negotiation[4:8], "little")
    if negotiation[0] == _NEGOTIATION_RESPONSE:
        return Recognised("rdp", (("security", _PROTOCOLS.get(value, f"unknown {value}")),))
    if negotiation[0] == _NEGOTIATION_FAILURE:
        return Recognised("rdp", (("refused", str(value)),))
    return Recognised("rdp")
