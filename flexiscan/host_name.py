"""Reads a host as a user types it."""

from __future__ import annotations

import ipaddress
import re

import idna

from flexiscan.errors import UsageError

# RFC 1035 2.3.1 and RFC 1123 2.1, in A-label form: at most 63 octets a label and 253 in all.
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)$")
MAX_NAME_CHARACTERS = 253

LOOPBACK_NAME = "localhost"


def normalise_host(text: str) -> str:
    """The host in lower case, international names as A-labels, addresses in their shortest form.

    Raises UsageError for everything that is not a host name or an address.
    """
    host = text.strip().rstrip(".")
    if not host:
        raise UsageError("the host is empty", "name one, for example: flexiscan scan flexi.example.se")
    if "://" in host or "/" in host:
        raise UsageError(f"{text!r} is not a host name", "leave out https:// and the path")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return _name(host, text)
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise UsageError(f"{text!r} names a network interface", "give the address without %...")
    return str(address)


def is_address(host: str) -> bool:
    """Whether a normalised host is a literal address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a normalised host is a literal loopback address or `localhost`: never a name that resolves there."""
    if host == LOOPBACK_NAME:
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def _name(host: str, text: str) -> str:
    try:
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise UsageError(f"{text!r} is not a host name: {error}", "check the spelling") from error
    labels = name.split(".")
    if len(name) > MAX_NAME_CHARACTERS or not all(_LABEL.match(label) for label in labels):
        hint = "put an IPv6 address alone, a port goes into the scope file" if ":" in name else "check the spelling"
        raise UsageError(f"{text!r} is not a host name", hint)
    if labels[-1].isdigit():
        raise UsageError(f"{text!r} is neither a host name nor an address", "check the spelling")
    return name
