"""Reads the log of a witness and checks every line of it. A log with one false line proves nothing at all. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

MAX_LOG_BYTES: Final = 128 * 1024 * 1024
"""A witness ends long before: 250,000 lines."""
MAX_GAP_MS: Final = 10_000
"""Five times the time between two signs of life."""
MAX_DRIFT_MS: Final = 2_000
"""Most that the clock on the server's wall may have moved against its steady one: more is a jump, or a standstill."""
SETTLING_MS: Final = 500
"""What may lie between the arrival of a packet and its reading."""
_LINE: Final = re.compile(rb'(\{.*),"mac":"([0-9a-f]{64})"\}', re.DOTALL)
_PLACES: Final = frozenset({"tcp4", "tcp6", "udp4", "udp6"})
_HOW: Final = frozenset({"ok", "replayed", "not-ours"})
_LAST_PORT: Final = 65535


class WitnessLogError(ValueError):
    """The log is not one that a witness wrote under this code, whole and unchanged."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that reached the server. `nonce` is empty for what was not ours."""

    place: str
    port: int
    at_ms: int
    source: str
    how: str
    nonce: str
    local: str = ""
    """To which of the server's addresses it came; "" when the system there did not tell."""


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """Everything that had arrived by `until_ms` is in the log; `drift_ms`: the wall's clock against the steady one."""

    at_ms: int
    until_ms: int
    drift_ms: int


@dataclass(frozen=True, slots=True)
class WitnessLog:
    """A log that was checked. Times are milliseconds since 1970 by the server's clock at the start, carried on."""

    run: str
    started_ms: int
    local_firewall_open: bool
    only_server: bool
    """The operator's word that the firewall forwards ports of the public address to no other machine."""
    own: frozenset[str]
    """Addresses of the machine, as far as it knows them."""
    bound: frozenset[tuple[str, int]]
    refused: frozenset[tuple[str, int]]
    """Wanted and not had, mostly because somebody else listens there."""
    signs: tuple[SignOfLife, ...]
    arrivals: tuple[Arrival, ...]
    ended_as: str
    """Why it ended: "time", "interrupted", "log-full", "failed"; "" when the end is missing."""

    @property
    def is_whole(self) -> bool:
        """Whether it ended in order."""
        return self.ended_as in ("time", "interrupted", "log-full")

    def was_up(self, from_ms: float, to_ms: float) -> bool:
        """Whether the witness looked all through this time, by its own signs of life."""
        if not self.is_whole or not self.signs or self.started_ms > from_ms:
            return False
        last_ms = self.started_ms
        for sign in self.signs:
            if sign.at_ms - last_ms > MAX_GAP_MS or abs(sign.drift_ms) > MAX_DRIFT_MS:
                return False
            if sign.until_ms >= to_ms + SETTLING_MS:
                return True
            last_ms = sign.at_ms
        return False


def read_log(data: bytes, key: bytes) -> WitnessLog:
    """Check and read a log. Raises WitnessLogError. A last line without an end counts as a missing end."""
    if len(data) > MAX_LOG_BYTES:
        raise WitnessLogError(f"more than {MAX_LOG_BYTES} bytes")
    lines = data.replace(b"\r\n", b"\n").split(b"\n")[:-1]
    entries = list(_checked(lines, key))
    if not entries:
        raise WitnessLogError("there is no line in it")
    try:
        return _as_log(entries)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WitnessLogError(f"a line does not say what it should: {error!r}") from error


def _checked(lines: Iterable[bytes], key: bytes) -> Iterable[Mapping[str, Any]]:
    last = b""
    for number, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found is None:
            raise WitnessLogError(f"line {number + 1} is not one of a witness")
        body = found[1] + b"}"
        mac = hmac.new(key, last + body, hashlib.sha256).digest()
        if not hmac.compare_digest(mac, bytes.fromhex(found[2].decode("ascii"))):
            where = "it was not written under this code" if number == 0 else "it was changed, or one before it is gone"
            raise WitnessLogError(f"line {number + 1}: {where}")
        last = mac
        yield _entry(body, number)


def _entry(body: bytes, number: int) -> Mapping[str, Any]:
    try:
        entry = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WitnessLogError(f"line {number + 1} cannot be read") from error
    if not isinstance(entry, dict) or entry.get("n") != number:
        raise WitnessLogError(f"line {number + 1} stands in the wrong place")
    return entry


def _as_log(entries: list[Mapping[str, Any]]) -> WitnessLog:
    start = entries[0]
    if start["kind"] != "start" or start["version"] != 1:
        raise ValueError("the first line is not a start")
    ends = [number for number, entry in enumerate(entries) if entry["kind"] == "end"]
    if ends and ends[0] != len(entries) - 1:
        raise ValueError("there are lines after the end")
    signs = tuple(_sign(entry) for entry in entries if entry["kind"] == "beat")
    if any(later.at_ms < earlier.at_ms for earlier, later in pairwise(signs)):
        raise ValueError("the signs of life run backwards")
    return WitnessLog(
        run=str(start["run"]),
        started_ms=_whole(start["at_ms"]),
        local_firewall_open=start["local_firewall_open"] is True,
        only_server=start.get("only_server") is True,
        own=frozenset(str(address) for address in start.get("own", ())),
        bound=frozenset(_places(start["bound"])),
        refused=frozenset(_places(span for _, _, spans in start.get("refused", ()) for span in spans)),
        signs=signs,
        arrivals=tuple(_arrival(entry) for entry in entries if entry["kind"] == "seen"),
        ended_as=str(entries[-1]["why"]) if ends else "",
    )


def _places(spans: Iterable[Any]) -> Iterable[tuple[str, int]]:
    for place, first, last in spans:
        for port in range(_port(first), _port(last) + 1):
            yield _one_of(place, _PLACES), port


def _sign(entry: Mapping[str, Any]) -> SignOfLife:
    at_ms = _whole(entry["at_ms"])
    return SignOfLife(at_ms, _whole(entry["until_ms"]), _whole(entry["wall_ms"]) - at_ms)


def _arrival(entry: Mapping[str, Any]) -> Arrival:
    return Arrival(
        place=_one_of(entry["place"], _PLACES),
        port=_port(entry["port"]),
        at_ms=_whole(entry["at_ms"]),
        source=str(entry["source"]),
        how=_one_of(entry["how"], _HOW),
        nonce=str(entry.get("nonce", "")),
        local=str(entry.get("to", "")),
    )


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value


def _port(value: Any) -> int:
    port = _whole(value)
    if not 0 < port <= _LAST_PORT:
        raise ValueError(f"{port} is no port")
    return port


def _one_of(value: Any, known: frozenset[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is not known")
    return str(value)
