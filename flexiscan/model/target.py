"""What the customer asked about and what the customer allowed."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from flexiscan.model.base import Frozen

App = Literal["presentity", "mobile", "api", "tidweb", "tid"]
DeclaredPort = Literal["telephony-manager", "active-state"]
Depth = Literal["quick", "standard", "full"]
IntrusiveTest = Literal["rtp-bleed"]
"""Tests that may disturb what they test: only on request, and only where the scope file agrees to them."""


class AgreedCall(Frozen):
    """A call that is made for a test and may be disturbed, until a moment, at these media ports and no others."""

    addresses: tuple[str, ...]
    ports: tuple[int, ...]
    agreed_by: str
    until: dt.datetime
    """With its time zone; from then on nothing is sent."""


class Target(Frozen):
    """One public hostname and what its owner declares about it (guide: Technical overview, IIS settings)."""

    host: str
    addresses: tuple[str, ...] = ()
    """What DNS must say; empty when not declared."""
    origins: tuple[str, ...] = ()
    """Addresses of the real server behind the proxy, scanned too."""
    apps: tuple[App, ...] | None = None
    """Applications published on purpose; None when not declared."""
    ports: tuple[DeclaredPort, ...] = ()
    mitai_ports: tuple[int, ...] = ()
    http_port: int = Field(default=80, ge=1, le=65535)
    https_port: int = Field(default=443, ge=1, le=65535)
    window: str | None = None
    """When scanning is allowed: "HH:MM-HH:MM Area/City"; None is always."""
    test_call: AgreedCall | None = None
    """For the test that is asked for with `--intrusive rtp-bleed`."""


class Authorisation(Frozen):
    """Who allowed the scan."""

    authorised_by: str
    customer: str = ""
    contact: str = ""
    reference: str = ""
    valid_until: dt.date | None = None


class Attestation(Frozen):
    """A statement of the customer about a host rule that cannot be seen from outside."""

    rule: str
    by: str
    on: dt.date
    note: str = ""


class Rates(Frozen):
    """Caps on pace. Upper bounds are absolute (DESIGN: Manners)."""

    udp_pps: int = Field(default=200, ge=1, le=2000)
    http_rps: int = Field(default=20, ge=1, le=100)
    tls_concurrency: int = Field(default=4, ge=1, le=16)


class Scope(Frozen):
    """What was allowed in writing. Nothing leaves for an address, port or time outside it."""

    authorisation: Authorisation
    targets: tuple[Target, ...]
    exclude_networks: tuple[str, ...] = ()
    exclude_ports: tuple[int, ...] = ()
    rates: Rates = Rates()
    attestations: tuple[Attestation, ...] = ()
    assume_public: tuple[str, ...] = ()
    """Networks of a private DNS tree that count as public (lab, internal PKI)."""
