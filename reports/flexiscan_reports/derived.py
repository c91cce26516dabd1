"""Parameters of findings in a form that a sentence can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def derived(params: Mapping[str, Any]) -> dict[str, Any]:
    """Further values made from the parameters; what is not as expected is left out."""
    made: dict[str, Any] = {
        "since": _day(params.get("not_before")),
        "until": _day(params.get("not_after")),
        "days_ago": _days_ago(params.get("days_left")),
        "ports_differing": _differing(params.get("differences")),
        "special_addresses": _special(params.get("special")),
        "witness_doubt": _doubt(params.get("witness")),
    }
    return {name: value for name, value in made.items() if value is not None}


def _day(moment: Any) -> str | None:
    """The date of an ISO time."""
    return moment[:10] if isinstance(moment, str) else None


def _days_ago(days_left: Any) -> int | None:
    return -days_left if isinstance(days_left, int) and days_left < 0 else None


def _differing(differences: Any) -> list[str] | None:
    """ "5060/udp (2001:db8::10)" for each port that is open at one address only."""
    if not isinstance(differences, (list, tuple)):
        return None
    rows = [row for row in differences if isinstance(row, Mapping)]
    return [f"{row.get('port')}/{row.get('transport')} ({row.get('open_at')})" for row in rows]


def _special(special: Any) -> list[str] | None:
    """ "10.0.0.5 (private)" for each address that is not public."""
    if not isinstance(special, Mapping):
        return None
    return [
        f"{address} ({row.get('class')})" if isinstance(row, Mapping) else str(address)
        for address, row in special.items()
    ]


def _doubt(witness: Any) -> str | None:
    """Why the witness on the server proves nothing; None when it does, or when there was none."""
    return witness if isinstance(witness, str) and witness not in ("silent", "arrived") else None
