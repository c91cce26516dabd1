"""Addresses, families and ports."""

from __future__ import annotations

import ipaddress
from typing import Literal

from flexiscan.model.base import Frozen

Family = Literal["ipv4", "ipv6"]
Transport = Literal["tcp", "udp"]

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")


def family_of(address: str) -> Family:
    """The family of a literal address. Raises ValueError when it is not one."""
    return "ipv4" if ipaddress.ip_address(address).version == 4 else "ipv6"


class Endpoint(Frozen):
    """One address, transport and port."""

    address: str
    transport: Transport
    port: int

    @property
    def family(self) -> Family:
        """The address family, always explicit and never inferred from a name."""
        return family_of(self.address)


AddressState = Literal["in-scope", "not-public", "not-authorised", "excluded"]


class TargetAddress(Frozen):
    """One address of a target, and whether packets may go there."""

    address: str
    family: Family
    state: AddressState = "in-scope"
    origin: bool = False
    """True for a declared server behind the proxy; False for an address that DNS gives."""
