"""What the scan asked the witness, and what of it arrived: by answers under the code, and by the log. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Any, Final, Literal

from flexiscan.model.endpoint import Transport, family_of
from flexiscan.model.facts_witness import WitnessExchange, ports_of
from flexiscan.model.witness_message import WitnessKeys, witness_nonce
from flexiscan.policy.rule import Seen
from flexiscan.policy.witness.log import Arrival, WitnessLog

CONTROL_GAP_MS: Final = 15_000
"""Longest time within a sweep in which no question of ours is known to have arrived."""
CLOCK_MARGIN_MS: Final = 500
"""How far two measurements of the server's clock may contradict each other, and the margin around our own times.
Clocks are slewed by at most 500 ppm (RFC 5905 11.3): 0.3 s in ten minutes."""
FIRST_CONTROL: Final = 3000
"""Number of the first control that a task puts among its questions, unless its parameters say otherwise."""
CONTROLS_ARRIVED: Final = 0.8
"""Least share of such controls: where more are lost, questions are lost as well."""

Missing = Literal[
    "",
    "no-log",
    "other-run",
    "log-cut",
    "local-firewall-unknown",
    "clock-unknown",
    "not-up",
    "control-missing",
    "translated",
    "not-listening",
    "something-arrived",
    "not-asked",
]
"""Why silence at the witness proves nothing; "" when it does."""


@dataclass(frozen=True, slots=True)
class WitnessSight:
    """A checked log, and how to tell questions of this run in it."""

    log: WitnessLog
    keys: WitnessKeys
    run_id: str
    by_nonce: Mapping[str, tuple[Arrival, ...]] = field(repr=False)
    strange: frozenset[tuple[str, int]] = field(repr=False)
    """Places and ports where something arrived that carried no question under the code, or one a second time."""

    @staticmethod
    def of(log: WitnessLog, keys: WitnessKeys, run_id: str) -> WitnessSight:
        """Index a log."""
        by_nonce: dict[str, tuple[Arrival, ...]] = {}
        for arrival in log.arrivals:
            if arrival.nonce:
                by_nonce[arrival.nonce] = (*by_nonce.get(arrival.nonce, ()), arrival)
        strange = frozenset((arrival.place, arrival.port) for arrival in log.arrivals if arrival.how != "ok")
        return WitnessSight(log, keys, run_id, by_nonce, strange)

    def arrivals(self, transport: Transport, address: str, port: int, numbers: Iterable[int]) -> list[Arrival]:
        """Where and when questions with these numbers, put to a port of an address in this run, arrived."""
        nonces = (witness_nonce(self.keys, self.run_id, transport, address, port, number) for number in numbers)
        return [arrival for nonce in nonces for arrival in self.by_nonce.get(nonce.hex(), ())]


@dataclass(frozen=True, slots=True)
class Asked:
    """One observation of questions to the witness."""

    seen: Seen
    fact: WitnessExchange

    def numbers(self) -> range:
        """The numbers of its questions to each port, controls within a range left out."""
        first = int(self.seen.task.params.get("first_number", 0))
        return range(first, first + self.fact.tries)

    def control_arrivals(self, sight: WitnessSight) -> list[Arrival]:
        """Controls among the questions that arrived; one that somebody sent again later does not count."""
        if self.fact.control_port is None:
            return []
        first = int(self.seen.task.params.get("first_control", FIRST_CONTROL))
        numbers = range(first, first + self.fact.controls_asked)
        found = sight.arrivals("udp", str(self.seen.task.address), self.fact.control_port, numbers)
        return [arrival for arrival in found if arrival.how == "ok"]

    def port_arrivals(self, sight: WitnessSight) -> dict[int, list[Arrival]]:
        """By port asked, where and when its questions arrived, also those that somebody sent again."""
        address, transport = str(self.seen.task.address), self.fact.transport
        found = {
            port: sight.arrivals(transport, address, port, self.numbers())
            for port in range(self.fact.first_port, self.fact.last_port + 1)
        }
        return {port: arrivals for port, arrivals in found.items() if arrivals}


def asked_of(facts: Iterable[Seen]) -> tuple[Asked, ...]:
    """Those facts that are questions to the witness."""
    return tuple(Asked(seen, seen.fact) for seen in facts if isinstance(seen.fact, WitnessExchange))


@dataclass(frozen=True, slots=True)
class WitnessReading:
    """Of the ports asked: those that questions reached, those proven silent, and why others are not."""

    arrived: frozenset[int]
    silent: frozenset[int]
    missing: Missing
    because: tuple[Seen, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    refused: int = 0
    """Ports that the witness wanted and could not have: no chance took them out, so nothing speaks for them."""


def read_witness(asked: Asked, others: Sequence[Asked], sight: WitnessSight | None) -> WitnessReading:
    """What is known of the ports of one observation. `others`: all that was asked of the address, controls too."""
    answered = ports_of(asked.fact.answered)
    if sight is None:
        return WitnessReading(frozenset(answered), frozenset(), "no-log", (asked.seen,))
    address, transport = str(asked.seen.task.address), asked.fact.transport
    ports = ports_of(asked.fact.asked)
    first_last = range(asked.fact.first_port, asked.fact.last_port + 1)
    in_log = asked.port_arrivals(sight)
    arrived = frozenset(answered | in_log.keys())
    ours = _arrivals_of_ours(asked, in_log, others, sight)
    missing = _what_is_missing(asked, others, ours, sight)
    if missing:
        return WitnessReading(arrived, frozenset(), missing, (asked.seen,))
    # Where a device in front translates between the families, questions to one come in over the other.
    places = {place_of(transport, address)}
    places |= {arrival.place for arrival in ours if arrival.place.startswith(transport)}
    listening = {port for port in ports if all((place, port) in sight.log.bound for place in places)}
    silent = frozenset(p for p in listening - arrived if not any((place, p) in sight.strange for place in places))
    reason = _why_not_silent(ports, listening) if not silent else ""
    because = (asked.seen, *(other.seen for other in others if other.fact.transport == transport))
    refused = sum(any((place, port) in sight.log.refused for place in places) for port in first_last)
    params = {"witness_run": sight.log.run, "listening": len(listening)}
    return WitnessReading(arrived, silent, reason, because, params, refused)


def place_of(transport: Transport, address: str) -> str:
    """tcp4, tcp6, udp4 or udp6."""
    return transport + ("4" if family_of(address) == "ipv4" else "6")


def _why_not_silent(ports: Collection[int], listening: Collection[int]) -> Missing:
    if not ports:
        return "not-asked"
    return "something-arrived" if listening else "not-listening"


def _arrivals_of_ours(
    asked: Asked, in_log: Mapping[int, Sequence[Arrival]], others: Sequence[Asked], sight: WitnessSight
) -> list[Arrival]:
    """All questions to the address that arrived for the first time, controls too."""
    found = [arrival for arrivals in in_log.values() for arrival in arrivals]
    found += asked.control_arrivals(sight)
    for other in others:
        if other.seen.id != asked.seen.id:
            found += [arrival for arrivals in other.port_arrivals(sight).values() for arrival in arrivals]
    return [arrival for arrival in found if arrival.how == "ok"]


def _what_is_missing(
    asked: Asked, others: Sequence[Asked], arrivals: Sequence[Arrival], sight: WitnessSight
) -> Missing:
    """Why silence cannot count, whatever the port; "" when it can."""
    if not sight.log.is_whole:
        return "log-cut"
    if not arrivals:
        return "other-run"
    transport = asked.fact.transport
    ours = sorted(arrival.at_ms for arrival in arrivals if arrival.place.startswith(transport))
    if not ours:
        return "control-missing"
    if not sight.log.local_firewall_open:
        return "local-firewall-unknown"
    if _may_lead_elsewhere(str(asked.seen.task.address), arrivals, sight):
        return "translated"
    window = _window_there(asked, [asked, *(other for other in others if other.seen.id != asked.seen.id)])
    if window is None:
        return "clock-unknown"
    from_ms, to_ms = window
    if not sight.log.was_up(from_ms, to_ms):
        return "not-up"
    held = _are_around(ours, from_ms, to_ms) and _were_among(asked.control_arrivals(sight), asked, from_ms, to_ms)
    return "" if held else "control-missing"


def _may_lead_elsewhere(address: str, arrivals: Iterable[Arrival], sight: WitnessSight) -> bool:
    """Whether the address is not the server's own, and nobody has said that all of its ports lead there.

    A device that translates may forward each port to another machine, which the witness does not see.
    """
    if sight.log.only_server:
        return False
    own = {*sight.log.own, *(arrival.local for arrival in arrivals)} - {""}
    return ip_address(address) not in {found for text in own if (found := _as_address(text)) is not None}


def _as_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _window_there(asked: Asked, measured: Sequence[Asked]) -> tuple[float, float] | None:
    """When the questions were put, by the server's clock, with a margin; None when its clock is not known."""
    least, most = float("-inf"), float("inf")
    for one in measured:
        for beat in one.fact.beats:
            least = max(least, beat.witness_unix_ms - 1000 * (one.seen.started_s + beat.answered_after_s))
            most = min(most, beat.witness_unix_ms - 1000 * (one.seen.started_s + beat.sent_after_s))
    if least == float("-inf") or least > most + CLOCK_MARGIN_MS:
        return None
    low, high = min(least, most), max(least, most)
    return 1000 * asked.seen.started_s + low - CLOCK_MARGIN_MS, 1000 * asked.seen.ended_s + high + CLOCK_MARGIN_MS


def _are_around(ours: Sequence[int], from_ms: float, to_ms: float) -> bool:
    """Whether questions arrived before and after."""
    return ours[0] <= from_ms + CLOCK_MARGIN_MS and ours[-1] >= to_ms - CLOCK_MARGIN_MS


def _were_among(controls: Sequence[Arrival], asked: Asked, from_ms: float, to_ms: float) -> bool:
    """Over UDP: whether the controls among the questions arrived, nearly all, and all the time while it lasted."""
    if asked.fact.control_port is None:
        return asked.fact.transport == "tcp"
    if len(controls) < max(2.0, CONTROLS_ARRIVED * asked.fact.controls_asked):
        return False
    marks = [from_ms, *sorted(arrival.at_ms for arrival in controls), to_ms]
    return all(later - earlier <= CONTROL_GAP_MS for earlier, later in pairwise(marks))
