"""Logs of a witness, written line by line with any content, under any key."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.witness_message import WitnessKeys, witness_keys, witness_nonce

KEYS: WitnessKeys = witness_keys("a1b2-c3d4-e5f6-0718")
RUN = "20261102T090000Z-0a0b0c0d"


def as_log(entries: list[dict[str, Any]], key: bytes = KEYS.log) -> bytes:
    """The entries as a witness writes them, numbered and chained."""
    last, lines = b"", []
    for number, entry in enumerate(entries):
        body = json.dumps({**entry, "n": number}, sort_keys=True, separators=(",", ":")).encode()
        last = hmac.new(key, last + body, hashlib.sha256).digest()
        lines.append(body[:-1] + b',"mac":"' + last.hex().encode() + b'"}\n')
    return b"".join(lines)


@dataclass
class LogWriter:
    """A witness that was up from 0 to `ends_s`, by its own clock, which shows `epoch_ms` at 0."""

    epoch_ms: int
    ends_s: float = 600.0
    beat_s: float = 2.0
    local_firewall_open: bool = True
    only_server: bool = False
    own: tuple[str, ...] = ("192.0.2.10", "2001:db8:2::10")
    refused: list[list[Any]] = field(default_factory=list)
    why: str | None = "time"
    bound: list[list[Any]] = field(
        default_factory=lambda: [
            [place, first, last]
            for place in ("tcp4", "udp4", "udp6")
            for first, last in ((5060, 5060), (40000, 40099), (50797, 50797), (51515, 51515))
        ]
    )
    silent_s: tuple[float, float] = (0.0, 0.0)
    """No signs of life between these."""
    drift_after_s: float = float("inf")
    seen: list[dict[str, Any]] = field(default_factory=list)

    def arrive(self, at_s: float, place: str, port: int, nonce: bytes | None, how: str = "ok", to: str = "") -> None:
        """Something reached a port."""
        entry = {"kind": "seen", "at_ms": self.ms(at_s), "place": place, "port": port, "how": how}
        entry["source"] = "198.51.100.10#40001"
        self.seen.append({**entry, **({} if nonce is None else {"nonce": nonce.hex(), "to": to})})

    def control(
        self, at_s: float, address: str, number: int, *, run: str = RUN, port: int = 51515, **arrival: Any
    ) -> None:
        """A question of ours reached a UDP port."""
        place = arrival.pop("place", "udp6" if ":" in address else "udp4")
        self.arrive(at_s, place, port, witness_nonce(KEYS, run, "udp", address, port, number), **arrival)

    def ms(self, at_s: float) -> int:
        return self.epoch_ms + round(at_s * 1000)

    def entries(self) -> list[dict[str, Any]]:
        """All lines in order."""
        start = {
            "kind": "start",
            "version": 1,
            "run": "0011223344556677",
            "at_ms": self.ms(0),
            "local_firewall_open": self.local_firewall_open,
            "only_server": self.only_server,
            "own": list(self.own),
            "bound": self.bound,
            "refused": self.refused,
        }
        beats = []
        for number in range(1, int(self.ends_s / self.beat_s) + 1):
            at_s = number * self.beat_s
            if not self.silent_s[0] < at_s < self.silent_s[1]:
                drift_ms = 60_000 if at_s > self.drift_after_s else 3
                at_ms = self.ms(at_s)
                beats.append({"kind": "beat", "at_ms": at_ms, "until_ms": at_ms - 250, "wall_ms": at_ms + drift_ms})
        lines = sorted([*self.seen, *beats], key=lambda entry: int(entry["at_ms"]))
        end = [] if self.why is None else [{"kind": "end", "at_ms": self.ms(self.ends_s), "why": self.why}]
        return [start, *lines, *end]

    def data(self, key: bytes = KEYS.log) -> bytes:
        """The log."""
        return as_log(self.entries(), key)
