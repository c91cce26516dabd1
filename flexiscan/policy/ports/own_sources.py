"""What the scanner's own prefix adds to a sweep: no ICMP limit for each source, and controls of its own. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flexiscan.model.facts_sources import OwnSourcesUse
from flexiscan.policy.ports.reading import PortReading

_LEAST_ASKED_AGAIN: Final = 20
_MARGIN: Final = 3
"""How many times more silent ports than loss explains there must be."""


def told_of_sources(reading: PortReading, own: OwnSourcesUse) -> PortReading:
    """The reading with the prefix named; none that rests on silence where the prefix stopped being answered."""
    params = {**reading.params, "source_prefix": own.prefix, "source_state": own.state}
    if own.state == "not-routed-back":
        params["source_prefix_unrouted"] = own.prefix
    if own.state == "lost" and reading.rests_on_absence:
        return PortReading("sources-lost", reading.because, params=params, rests_on_absence=True)
    return replace(reading, params=params)


def silence_tells(own: OwnSourcesUse, silent: int, asked: int) -> bool:
    """Whether ports were silent by themselves: those asked again among them were not, or far less often.

    A limit over all sources together, or loss, would have met both alike.
    """
    if own.again_asked < _LEAST_ASKED_AGAIN:
        return False
    lost = 1 - own.again_answered / own.again_asked
    return bool(silent > _MARGIN * asked * lost**own.passes)
