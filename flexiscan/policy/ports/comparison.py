"""Which ports differ between the addresses of one name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from flexiscan.model.endpoint import TargetAddress, Transport
from flexiscan.policy.ports.reading import PortReading

Look = Literal["open", "suspect", "closed", "quiet", "unknown"]
"""How a port looks from outside: somebody spoke; probably reachable; closed or filtered; silent without a sign
either way; or not known."""

_LOOKS: Final[Mapping[str, Look]] = {
    "open": "open",
    "open-confirmed": "open",
    "media-received": "open",
    "media-redirectable": "open",
    "reports-received": "open",
    "perimeter-passes": "open",
    "open-or-filtered": "suspect",
    "closed-unfiltered": "closed",
    "filtered": "closed",
    "closed-or-filtered": "closed",
    "no-exposure-seen": "quiet",
}

Slot = tuple[Transport, int, int]
"""Transport, first and last port."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A port that is reachable at one address and not at another."""

    slot: Slot
    open_at: TargetAddress
    closed_at: TargetAddress
    open_reading: PortReading
    closed_reading: PortReading

    @property
    def between_families(self) -> bool:
        """Whether the two addresses are of different families."""
        return self.open_at.family != self.closed_at.family


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs, and all that could not be compared."""

    differences: tuple[Difference, ...]
    filtered_differently: tuple[Slot, ...]
    """Closed at all addresses, but by a filter at some and by the host itself at others."""
    unknown: tuple[Slot, ...]


def look_of(reading: PortReading) -> Look:
    """How a reading looks beside others."""
    return _LOOKS.get(reading.result, "unknown")


def compare(addresses: Sequence[TargetAddress], readings: Mapping[tuple[str, Slot], PortReading]) -> Comparison:
    """Compare every port between every two addresses that are of the same kind (published, or behind the proxy)."""
    by_slot: dict[Slot, list[tuple[TargetAddress, PortReading]]] = defaultdict(list)
    for address in addresses:
        for (owner, slot), reading in readings.items():
            if owner == address.address:
                by_slot[slot].append((address, reading))
    differences: list[Difference] = []
    differently: list[Slot] = []
    unknown: list[Slot] = []
    for slot, members in sorted(by_slot.items()):
        differences += _differences(slot, members)
        if any(look_of(reading) == "unknown" for _, reading in members):
            unknown.append(slot)
        elif len({reading.result for _, reading in members}) > 1 and _looks(members) <= {"closed", "quiet"}:
            differently.append(slot)
    return Comparison(tuple(differences), tuple(differently), tuple(unknown))


def _looks(members: Iterable[tuple[TargetAddress, PortReading]]) -> set[Look]:
    return {look_of(reading) for _, reading in members}


def _differences(slot: Slot, members: Sequence[tuple[TargetAddress, PortReading]]) -> list[Difference]:
    found: list[Difference] = []
    for one, other in combinations(members, 2):
        for (here, mine), (there, theirs) in ((one, other), (other, one)):
            reachable = look_of(mine) in ("open", "suspect")
            if here.origin == there.origin and reachable and look_of(theirs) in ("closed", "quiet"):
                found.append(Difference(slot, here, there, mine, theirs))
    return found
