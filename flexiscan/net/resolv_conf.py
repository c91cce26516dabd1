"""Which resolvers this machine uses, from resolv.conf(5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flexiscan.net.reach import source_address

RESOLV_CONF = Path("/etc/resolv.conf")

MAX_RESOLVERS = 3
"""MAXNS of resolv.conf(5): what stands after the third is never asked by this machine."""

DNS_PORT = 53

HasRoute = Callable[[str], bool]
"""Whether this machine can send to a literal address."""


@dataclass(frozen=True, slots=True)
class SkippedResolver:
    """A nameserver line that we cannot use, and why."""

    entry: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResolverList:
    """The resolvers as "ADDR#53" in the order of the file, and what was left out."""

    resolvers: tuple[str, ...]
    skipped: tuple[SkippedResolver, ...] = ()


def system_resolvers(path: Path = RESOLV_CONF) -> tuple[str, ...]:
    """The resolvers of this machine as "ADDR#53"; empty when the file is missing or names none that is usable.

    One that this machine has no route to (an IPv6 resolver without IPv6) answers nobody here and is left out.
    Raises OSError when the file is there but cannot be read.
    """
    return read_resolver_list(path).resolvers


def read_resolver_list(path: Path = RESOLV_CONF, has_route: HasRoute | None = None) -> ResolverList:
    """As `system_resolvers`, with the reasons for what was skipped."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ResolverList(())
    return parse_resolv_conf(text, has_route or _has_route)


def parse_resolv_conf(text: str, has_route: HasRoute = lambda _: True) -> ResolverList:
    """The nameserver lines of a resolv.conf(5) that can be used."""
    usable: list[str] = []
    skipped: list[SkippedResolver] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        entry = words[1]
        reason = _reason_to_skip(entry, has_route)
        if not reason and len(usable) == MAX_RESOLVERS:
            reason = f"only the first {MAX_RESOLVERS} are used"
        if reason:
            skipped.append(SkippedResolver(entry, reason))
            continue
        resolver = f"{ipaddress.ip_address(entry)}#{DNS_PORT}"
        if resolver not in usable:
            usable.append(resolver)
    return ResolverList(tuple(usable), tuple(skipped))


def _has_route(address: str) -> bool:
    return source_address(address) is not None


def _reason_to_skip(entry: str, has_route: HasRoute) -> str:
    if "%" in entry:
        return "an address with a scope id is valid on one link only"
    try:
        address = ipaddress.ip_address(entry)
    except ValueError:
        return "not an IP address"
    if address.version == 6 and address.is_link_local:
        return "a link-local address needs a scope id"
    return "" if has_route(str(address)) else "this machine has no route to it"
