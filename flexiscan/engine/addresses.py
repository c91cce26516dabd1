"""Which addresses a target has, and which of them may be looked at. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from flexiscan.host_name import LOOPBACK_NAME, is_address
from flexiscan.model.dns_answer import addresses_of
from flexiscan.model.dns_reading import families_known
from flexiscan.model.endpoint import AddressState, Family, TargetAddress, family_of
from flexiscan.model.facts_dns import DnsReply
from flexiscan.model.target import Scope, Target

IsPublic = Callable[[str], bool]

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
"""What `localhost` means without asking anybody (RFC 6761 6.3)."""


def needs_dns(host: str) -> bool:
    """Whether a name server has to be asked for the addresses of a host."""
    return not is_address(host) and host != LOOPBACK_NAME


def target_addresses(
    target: Target, scope: Scope, replies: Sequence[DnsReply], is_public: IsPublic
) -> tuple[TargetAddress, ...]:
    """Every address of the target with its state: what DNS gives, and the declared origins. None is picked."""
    if not needs_dns(target.host):
        named: Iterable[str] = LOOPBACK_ADDRESSES if target.host == LOOPBACK_NAME else (target.host,)
    else:
        named = addresses_of(target.host, replies)
    found = {
        address: TargetAddress(
            address=address, family=family_of(address), state=_state(address, target, scope, is_public)
        )
        for address in named
    }
    for origin in target.origins:
        state = _state(origin, target, scope, is_public)
        found.setdefault(origin, TargetAddress(address=origin, family=family_of(origin), state=state, origin=True))
    return tuple(sorted(found.values(), key=lambda entry: (entry.family, entry.origin, entry.address)))


def names_known(target: Target, replies: Sequence[DnsReply]) -> dict[Family, bool]:
    """Whether a name server gave a definite answer, be it "none", for each family."""
    if not needs_dns(target.host):
        return {"ipv4": True, "ipv6": True}
    return families_known(target.host, replies)


def _state(address: str, target: Target, scope: Scope, is_public: IsPublic) -> AddressState:
    if _is_excluded(address, scope):
        return "excluded"
    if _is_ipv4_in_disguise(address):
        return "not-public"
    if address in target.origins:
        return "in-scope"
    if target.addresses:
        return "in-scope" if address in target.addresses else "not-authorised"
    if not needs_dns(target.host) or is_public(address):  # a literal address was named by whoever allowed the scan
        return "in-scope"
    return "not-public"


def _is_ipv4_in_disguise(address: str) -> bool:
    """An IPv4-mapped address travels as IPv4 (RFC 4291 2.5.5.2): it would be measured as the wrong family."""
    parsed = ipaddress.ip_address(address)
    return isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None


def _is_excluded(address: str, scope: Scope) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network) for network in scope.exclude_networks)
