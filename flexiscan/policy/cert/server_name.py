"""Whether a certificate is made out for a host (RFC 9525; wildcards as 6.3 there, no common names)."""

from __future__ import annotations

import ipaddress

from flexiscan.policy.cert.certificate import Certificate, IpAddress

_MIN_LABELS_BEHIND_WILDCARD = 2
"""No client accepts "*.com"."""


def covers_host(certificate: Certificate, host: str) -> bool:
    """Whether one of the alternative names is the host. An address must stand there as an address."""
    address = as_address(host)
    if address is not None:
        return address in certificate.ip_addresses
    return any(covers_name(name, host) for name in certificate.dns_names)


def covers_name(pattern: str, host: str) -> bool:
    """Whether a DNS name of a certificate, wildcard or not, stands for the host. Case does not count."""
    wanted, given = _normalised(host), _normalised(pattern)
    if not wanted or not given:
        return False
    if not given.startswith("*."):
        return given == wanted
    rest = given[2:]
    first, _, parent = wanted.partition(".")
    enough = rest.count(".") + 1 >= _MIN_LABELS_BEHIND_WILDCARD
    return bool(first) and enough and "*" not in rest and parent == rest


def as_address(host: str) -> IpAddress | None:
    """The literal address, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _normalised(name: str) -> str:
    """Lower case, no trailing dot; "" for what is not in A-label form, as hosts and certificates have it."""
    return name.rstrip(".").lower() if name.isascii() else ""
