"""Half-open SYNs beside a connect to the same port: the same story, or two?

They never make a verdict. They join the evidence where they agree. Where somebody answered them otherwise than the
connect, one of the two ways of asking was deceived, and the question stays open. Their silence takes nothing back:
what answered a connect was there, and so was a service that spoke its protocol. The difference is shown all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flexiscan.model.facts import TcpExchange
from flexiscan.model.facts_raw import SynProbe
from flexiscan.model.icmp import IcmpError
from flexiscan.policy.ports.reading import PortReading, is_rejection
from flexiscan.policy.rule import Seen


def beside_half_open(reading: PortReading, connect: TcpExchange, half_open: Sequence[Seen]) -> PortReading:
    """The reading of a connect with what half-open SYNs to the same port show. Without any it stays as it is."""
    beside = [seen for seen in half_open if isinstance(seen.fact, SynProbe)]
    if not beside or not isinstance(beside[0].fact, SynProbe):
        return reading
    probe = beside[0].fact
    because = (*reading.because, beside[0])
    if _story_of_connect(connect) == _story_of(probe):
        return replace(reading, because=because)
    params = {"connect": connect.connect, "half_open": probe.state}
    has_spoken = reading.is_open and reading.confidence == "confirmed"
    if has_spoken or probe.state == "silence":
        return replace(reading, because=because, params={**reading.params, **params})
    return PortReading("half-open-disagrees", because, params=params, rests_on_absence=connect.connect == "silence")


def _story_of_connect(connect: TcpExchange) -> str:
    return _story(connect.connect, connect.icmp)


def _story_of(probe: SynProbe) -> str:
    return _story(probe.state, probe.answers[0].icmp if probe.answers else None)


def _story(state: str, icmp: IcmpError | None) -> str:
    """Silence and a rejection tell the same: firewalls may send few ICMP errors a second and drop the rest."""
    if state == "icmp" and icmp is not None:
        return "kept out" if is_rejection(icmp) else "lost on the way"
    return "kept out" if state == "silence" else state
