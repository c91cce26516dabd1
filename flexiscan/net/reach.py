"""Whether this machine has an address and a route towards a destination; no packet is sent to find out."""

from __future__ import annotations

import contextvars
import ipaddress
import socket
from collections.abc import Iterable

from flexiscan.model.endpoint import family_of
from flexiscan.model.facts import FamilyReach
from flexiscan.net.socket_family import socket_family

_ANY_PORT = 9
"""Discard (RFC 863). Connecting a datagram socket only looks up the route."""


def reach(address: str, *, assume_public: Iterable[str] = ()) -> FamilyReach:
    """Look up the route to a literal address and the source address that the system would use.

    Usable is: an IPv4 source that is neither loopback nor link-local (private ones are translated on the way), or a
    global IPv6 source. Towards networks that count as public by agreement, and towards this machine itself, whatever
    source the system chooses will do, except a link-local one. Raises ValueError when it is no literal address.
    """
    source = source_address(address)
    usable = source is not None and _serves(source, address, tuple(assume_public))
    return FamilyReach(family=family_of(address), usable=usable, source_address=source)


def source_address(address: str) -> str | None:
    """The source address that packets to this literal address would carry; None when there is no route."""
    # In an empty context: the scope wall judges packets, and there is none.
    return contextvars.Context().run(_ask_route, address)


def _ask_route(address: str) -> str | None:
    family = socket_family(address)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, _ANY_PORT))
            name = sock.getsockname()
    except OSError:
        return None
    return str(name[0]).partition("%")[0]


def _serves(source: str, destination: str, assume_public: tuple[str, ...]) -> bool:
    from_address, to_address = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if from_address.is_unspecified or from_address.is_link_local:
        return False
    if to_address.is_loopback or from_address == to_address:
        return True
    if from_address.is_loopback:
        return False
    if isinstance(from_address, ipaddress.IPv4Address) or from_address.is_global:
        return True
    return any(to_address in ipaddress.ip_network(network) for network in assume_public)
