"""What the place of the scan cannot see: ports that do not get out of its network, as the doctor found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flexiscan.model.endpoint import Family, Transport

VANTAGE_VERSION = 1


def read_vantage(given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the doctor's report that judgements need. Raises ValueError when it is something else."""
    if given.get("doctor") != VANTAGE_VERSION or not isinstance(given.get("blind"), list):
        raise ValueError("this is not the report of flexiscan doctor --json")
    blind = [_row(row) for row in given["blind"]]
    return {"doctor": VANTAGE_VERSION, "made": str(given.get("made", "")), "blind": blind}


def _row(row: Any) -> list[Any]:
    family, transport, first, last = row
    known = family in ("ipv4", "ipv6") and transport in ("tcp", "udp")
    if not known or not isinstance(first, int) or not isinstance(last, int) or not 0 < first <= last <= 65535:
        raise ValueError(f"{row!r} is no range of ports")
    return [family, transport, first, last]


def blind_ports(vantage: Mapping[str, Any], family: Family, transport: Transport, first: int, last: int) -> int:
    """How many ports of a range do not get out of the scanner's network."""
    found: set[int] = set()
    for row_family, row_transport, row_first, row_last in vantage.get("blind", ()):
        if (row_family, row_transport) == (family, transport):
            found.update(range(max(first, row_first), min(last, row_last) + 1))
    return len(found)
