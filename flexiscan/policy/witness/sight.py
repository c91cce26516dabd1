"""What the scan asked the witness, and what of it arrived: by answers under the code, and by the log. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
FIRST_CONTROL_IN_RANGE: Final = 3000

Missing = Literal[
    "",
    "no-log",
    "other-run",
    "log-cut",
    "local-firewall-unknown",
    "clock-unknown",
    "not-up",
    "control-missing",
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
        """Controls within a range that arrived."""
        if self.fact.control_port is None:
            return []
        numbers = range(FIRST_CONTROL_IN_RANGE, FIRST_CONTROL_IN_RANGE + self.fact.controls_asked)
        return sight.arrivals("udp", str(self.seen.task.address), self.fact.control_port, numbers)


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


def read_witness(asked: Asked, others: Sequence[Asked], sight: WitnessSight | None) -> WitnessReading:
    """What is known of the ports of one observation. `others`: all that was asked of the address, controls too."""
    answered = ports_of(asked.fact.answered)
    if sight is None:
        return WitnessReading(frozenset(answered), frozenset(), "no-log", (asked.seen,))
    address, transport = str(asked.seen.task.address), asked.fact.transport
    ports = ports_of(asked.fact.asked)
    first_last = range(asked.fact.first_port, asked.fact.last_port + 1)
    in_log = {port for port in first_last if sight.arrivals(transport, address, port, asked.numbers())}
    arrived = frozenset(answered | in_log)
    missing = _what_is_missing(asked, others, sight)
    if missing:
        return WitnessReading(arrived, frozenset(), missing, (asked.seen,))
    place = place_of(transport, address)
    listening = {port for port in ports if (place, port) in sight.log.bound}
    silent = frozenset(p for p in listening - arrived if (place, p) not in sight.strange)
    reason = _why_not_silent(ports, listening) if not silent else ""
    because = (asked.seen, *(other.seen for other in others if other.fact.transport == transport))
    params = {"witness_run": sight.log.run, "listening": len(listening)}
    return WitnessReading(arrived, silent, reason, because, params)


def place_of(transport: Transport, address: str) -> str:
    """tcp4, tcp6, udp4 or udp6."""
    return transport + ("4" if family_of(address) == "ipv4" else "6")


def _why_not_silent(ports: Collection[int], listening: Collection[int]) -> Missing:
    if not ports:
        return "not-asked"
    return "something-arrived" if listening else "not-listening"


def _what_is_missing(asked: Asked, others: Sequence[Asked], sight: WitnessSight) -> Missing:
    """Why silence cannot count, whatever the port; "" when it can."""
    if not sight.log.is_whole:
        return "log-cut"
    ours = _arrivals_of_ours([asked, *others], asked.fact.transport, sight)
    if not ours:
        return "control-missing" if _any_arrivals([asked, *others], sight) else "other-run"
    if not sight.log.local_firewall_open:
        return "local-firewall-unknown"
    window = _window_there(asked, [asked, *others])
    if window is None:
        return "clock-unknown"
    from_ms, to_ms = window
    if not sight.log.was_up(from_ms, to_ms):
        return "not-up"
    return "" if _are_around(ours, asked, from_ms, to_ms) else "control-missing"


def _any_arrivals(asked: Sequence[Asked], sight: WitnessSight) -> bool:
    return any(_arrivals_of_ours(asked, transport, sight) for transport in ("tcp", "udp"))


def _arrivals_of_ours(asked: Sequence[Asked], transport: Transport, sight: WitnessSight) -> list[int]:
    """When questions of ours to this address arrived over this transport, by the server's clock, in order."""
    times: list[int] = []
    for one in {id(one.seen): one for one in asked}.values():
        if one.fact.transport != transport:
            continue
        address = str(one.seen.task.address)
        times += [arrival.at_ms for arrival in one.control_arrivals(sight)]
        for port in range(one.fact.first_port, one.fact.last_port + 1):
            times += [arrival.at_ms for arrival in sight.arrivals(transport, address, port, one.numbers())]
    return sorted(times)


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


def _are_around(ours: Sequence[int], asked: Asked, from_ms: float, to_ms: float) -> bool:
    """Whether questions arrived before and after; in a sweep, all the time while it lasted."""
    if asked.fact.control_port is None:
        return bool(ours) and ours[0] <= from_ms + CLOCK_MARGIN_MS and ours[-1] >= to_ms - CLOCK_MARGIN_MS
    marks = [from_ms, *(time for time in ours if from_ms <= time <= to_ms), to_ms]
    return all(later - earlier <= CONTROL_GAP_MS for earlier, later in pairwise(marks))
