"""What the place of a scan can see: which ports get out of its network, as the doctor found. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from flexiscan.model.endpoint import Family, Transport
from flexiscan.policy.dns.address_class import classify

VANTAGE_VERSION: Final = 1
PROOF_LASTS_S: Final = 24 * 3600.0
"""A network may let out less tomorrow: for longer, the doctor's word that a port gets out is not taken."""

_PRIVATE: Final = frozenset({"private", "carrier-grade-nat", "unique-local"})
"""RFC 1918, RFC 6598, RFC 4193."""


def read_vantage(given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the doctor's report that judgements need. Raises ValueError when it is something else."""
    if given.get("doctor") != VANTAGE_VERSION or not isinstance(given.get("blind"), list):
        raise ValueError("this is not the report of flexiscan doctor --json")
    blind, reached = ([_row(row) for row in given.get(name, [])] for name in ("blind", "reached"))
    return {"doctor": VANTAGE_VERSION, "made": str(given.get("made", "")), "blind": blind, "reached": reached}


def _row(row: Any) -> list[Any]:
    family, transport, first, last = row
    known = family in ("ipv4", "ipv6") and transport in ("tcp", "udp")
    if not known or not isinstance(first, int) or not isinstance(last, int) or not 0 < first <= last <= 65535:
        raise ValueError(f"{row!r} is no range of ports")
    return [family, transport, first, last]


def blind_ports(vantage: Mapping[str, Any], family: Family, transport: Transport, first: int, last: int) -> int:
    """How many ports of a range do not get out of the scanner's network."""
    return len(_ports_of(vantage.get("blind", ()), family, transport, first, last))


def gets_out(vantage: Mapping[str, Any], family: Family, transport: Transport, port: int, now_s: float) -> bool:
    """Whether a port was lately seen to get out; not having been looked at is no sign of it."""
    try:
        age_s = now_s - dt.datetime.fromisoformat(str(vantage.get("made", ""))).timestamp()
    except ValueError:
        return False
    reached = _ports_of(vantage.get("reached", ()), family, transport, port, port)
    return abs(age_s) <= PROOF_LASTS_S and bool(reached)


def is_translated(source: str | None, target: str) -> bool:
    """Whether packets from this source address to that target get another one on the way (NAT).

    An address of a private network reaches no other place but through a translation; False where the source is not
    known. What comes back to another port than it was sent from is lost there.
    """
    return source is not None and classify(source).code in _PRIVATE and classify(target).code not in _PRIVATE


def _ports_of(rows: Any, family: Family, transport: Transport, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for row_family, row_transport, row_first, row_last in rows:
        if (row_family, row_transport) == (family, transport):
            found.update(range(max(first, row_first), min(last, row_last) + 1))
    return found
