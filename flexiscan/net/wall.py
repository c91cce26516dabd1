"""The scope wall: what may be sent to, decided where packets leave and not where they are planned."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from flexiscan.model.endpoint import Transport
from flexiscan.net import wall_hook
from flexiscan.net.clock import Clock
from flexiscan.net.time_window import TimeWindow, read_time_window
from flexiscan.net.wall_address import (
    Address,
    Network,
    destinations,
    is_local_only,
    is_never_a_target,
    read_literal,
    read_network,
)

MAX_BREACHES_KEPT = 1000
MAX_WAYS_KEPT = 4096
"""A run asks for a few addresses, tens of thousands of times each."""
DNS_PORT = 53
"""RFC 1035 4.2."""

WallReason = Literal["outside-scope", "outside-window"]


class ScopeViolation(PermissionError):
    """A packet was stopped. It is a PermissionError so that libraries fail cleanly instead of hanging."""

    def __init__(self, reason: WallReason, detail: str) -> None:
        super().__init__(errno.EACCES, f"{reason}: {detail}")
        self.reason: WallReason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Opening:
    """One hole in the wall."""

    network: str
    """An address, or a network in prefix notation."""
    transport: Transport
    ports: tuple[int, ...] | None = None
    """None: any port."""
    window: str | None = None
    """When it is open: "HH:MM-HH:MM Area/City"; None is always."""
    only_public: bool = False
    """Open only for addresses of the network that the whole Internet can reach."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A packet that was stopped: somebody tried, which is a defect of ours."""

    at: dt.datetime
    event: str
    destination: str
    reason: WallReason


def open_target(address: str, *, window: str | None = None) -> tuple[Opening, Opening]:
    """An address of a target: every port, TCP and UDP."""
    return Opening(address, "tcp", window=window), Opening(address, "udp", window=window)


def open_dns_server(address: str, *, port: int = DNS_PORT) -> tuple[Opening, Opening]:
    """A resolver or name server: its DNS port alone."""
    return Opening(address, "tcp", (port,)), Opening(address, "udp", (port,))


def open_public_dns() -> tuple[Opening, ...]:
    """Port 53 of every public address, for following delegations from the root."""
    return tuple(
        Opening(network, transport, (DNS_PORT,), only_public=True)
        for network in ("0.0.0.0/0", "::/0")
        for transport in ("tcp", "udp")
    )


@dataclass(frozen=True, slots=True)
class _Hole:
    """An opening, read."""

    network: Network
    transport: str
    ports: frozenset[int] | None
    window: TimeWindow | None
    only_public: bool

    def covers(self, address: Address, transport: str) -> bool:
        """Whether the hole is in the right place; port and hour are other questions."""
        return (
            transport == self.transport
            and address in self.network
            and (address.is_global or not self.only_public)
            and (not is_local_only(address) or is_local_only(self.network.network_address))
        )

    def has(self, port: int) -> bool:
        """Whether it is open for a port, at some hour."""
        return self.ports is None or port in self.ports


def _read_opening(opening: Opening) -> _Hole:
    network = read_network(opening.network)
    ports = None if opening.ports is None else frozenset(opening.ports)
    window = None if opening.window is None else read_time_window(opening.window)
    return _Hole(network, opening.transport, ports, window, opening.only_public)


@dataclass(frozen=True, slots=True)
class _Way:
    """The holes on the way to one address with one transport, for each address that a packet there ends up at."""

    holes: tuple[tuple[_Hole, ...], ...]
    is_always_open: bool
    """Whether one hole for each of them lets every port through at any hour."""

    def refusal(self, port: int, clock: Clock) -> WallReason | None:
        """Why a packet to this port is stopped now."""
        if self.is_always_open:
            return None
        reasons = [_refusal_of([hole for hole in holes if hole.has(port)], clock) for holes in self.holes]
        return next((reason for reason in reasons if reason is not None), None)


def _refusal_of(holes: Sequence[_Hole], clock: Clock) -> WallReason | None:
    if not holes:
        return "outside-scope"
    now = clock.now()
    is_open = any(hole.window is None or hole.window.contains(now) for hole in holes)
    return None if is_open else "outside-window"


class ScopeWall:
    """Closed but for its openings; exclusions win over every opening. Immutable, apart from the list of breaches.

    Loopback and link-local addresses are open only to an opening that names such addresses itself. Raises
    ValueError when an address, a network or a window cannot be read.
    """

    def __init__(
        self,
        openings: Iterable[Opening] = (),
        *,
        exclude_networks: Iterable[str] = (),
        exclude_ports: Iterable[int] = (),
        clock: Clock | None = None,
    ) -> None:
        self._openings = tuple(dict.fromkeys(openings))
        self._holes = tuple(_read_opening(opening) for opening in self._openings)
        self._exclude_networks = tuple(read_network(network) for network in exclude_networks)
        self._exclude_ports = frozenset(exclude_ports)
        self._clock = clock or Clock()
        self._breaches: list[Breach] = []
        self._ways: dict[tuple[str, str], _Way] = {}

    @property
    def openings(self) -> tuple[Opening, ...]:
        """The holes, in the order given."""
        return self._openings

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """The packets that were stopped so far (the first thousand), also by walls made with `opened`."""
        return tuple(self._breaches)

    def opened(self, *openings: Opening) -> ScopeWall:
        """A wall with more openings; it shares the list of breaches."""
        wall = ScopeWall(
            (*self._openings, *openings),
            exclude_networks=map(str, self._exclude_networks),
            exclude_ports=self._exclude_ports,
            clock=self._clock,
        )
        wall._breaches = self._breaches
        return wall

    def permits(self, address: str, port: int, transport: Transport) -> bool:
        """Whether a packet may go there now."""
        return self._refusal(address, port, transport) is None

    def check(self, address: str, port: int, transport: Transport) -> None:
        """Raise ScopeViolation, and note the breach, unless a packet may go there now."""
        self.check_destination("check", address, port, transport)

    def enforced(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, no socket of this task and of what it starts gets past the wall, whoever opened it."""
        return wall_hook.enforce(self)

    def enforce_for_process(self) -> None:
        """The same for the whole process and for good: meant for worker processes."""
        wall_hook.enforce_for_process(self)

    def check_destination(self, event: str, host: object, port: object, transport: str) -> None:
        """As `check`, for whatever a library handed to the operating system."""
        refusal = self._refusal(host, port, transport)
        if refusal is not None:
            self._stop(event, f"{transport} {host!s} {port!s}", refusal)

    def refuse(self, event: str, what: str) -> None:
        """Note a breach and raise ScopeViolation."""
        self._stop(event, what, "outside-scope")

    def _stop(self, event: str, destination: str, reason: WallReason) -> None:
        if len(self._breaches) < MAX_BREACHES_KEPT:
            self._breaches.append(Breach(self._clock.now(), event, destination, reason))
        raise ScopeViolation(reason, destination)

    def _refusal(self, host: object, port: object, transport: str) -> WallReason | None:
        text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else host
        if not isinstance(text, str) or not isinstance(port, int) or port in self._exclude_ports:
            return "outside-scope"
        way = self._ways.get((text, transport))
        if way is None:
            way = self._way(text, transport)
            if len(self._ways) < MAX_WAYS_KEPT:
                self._ways[text, transport] = way
        return way.refusal(port, self._clock)

    def _way(self, text: str, transport: str) -> _Way:
        address = read_literal(text)
        if address is None:
            return _Way(((),), is_always_open=False)
        holes = tuple(self._holes_to(place, transport) for place in destinations(address))
        is_always_open = all(any(hole.ports is None and hole.window is None for hole in some) for some in holes)
        return _Way(holes, is_always_open)

    def _holes_to(self, address: Address, transport: str) -> tuple[_Hole, ...]:
        if is_never_a_target(address) or any(address in network for network in self._exclude_networks):
            return ()
        return tuple(hole for hole in self._holes if hole.covers(address, transport))

    def to_json(self) -> str:
        """The rules as one line of JSON, for a worker process."""
        return json.dumps(
            {
                "openings": [asdict(opening) for opening in self._openings],
                "exclude_networks": [str(network) for network in self._exclude_networks],
                "exclude_ports": sorted(self._exclude_ports),
            }
        )

    @classmethod
    def from_json(cls, text: str, *, clock: Clock | None = None) -> ScopeWall:
        """The wall that `to_json` wrote. Raises ValueError, KeyError or TypeError when it is something else."""
        rules = json.loads(text)
        openings = [
            Opening(**{**opening, "ports": None if opening["ports"] is None else tuple(opening["ports"])})
            for opening in rules["openings"]
        ]
        return cls(
            openings,
            exclude_networks=rules["exclude_networks"],
            exclude_ports=rules["exclude_ports"],
            clock=clock,
        )
