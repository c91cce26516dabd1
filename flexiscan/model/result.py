"""The result document: the contract with everything that reads our output."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import AddressState, Family
from flexiscan.model.facts_raw import PacketCapture
from flexiscan.model.finding import Finding
from flexiscan.model.observation import Observation
from flexiscan.model.target import Depth, IntrusiveTest

SCHEMA_VERSION = 1


class Tool(Frozen):
    """What made the document."""

    name: Literal["flexiscan"] = "flexiscan"
    version: str


class Guide(Frozen):
    """Which edition of the vendor's guide was applied."""

    title: str
    release: str


class RunFacts(Frozen):
    """One execution. `ended` is None in the record of a run that was killed."""

    id: str
    started: dt.datetime
    ended: dt.datetime | None = None
    interrupted: bool = False
    depth: Depth = "standard"
    seed: int = 0
    pace: dict[str, int] = {}
    """The caps that were in force."""
    raw: bool = False
    """Whether raw sockets were used beside the ordinary ones."""
    packets: PacketCapture | None = None
    """The capture beside the record of a run with raw sockets."""
    intrusive: tuple[IntrusiveTest, ...] = ()
    """Tests on request that may disturb what they test."""


class AuthorisationShown(Frozen):
    """Who allowed the scan, as it stands in the document."""

    authorised_by: str
    customer: str = ""
    contact: str = ""
    reference: str = ""
    valid_until: dt.date | None = None
    scope_sha256: str | None = None


class ControlTally(Frozen):
    """The controls of one address: how many connects that must answer did answer."""

    address: str
    asked: int
    answered: int


class VantageFamily(Frozen):
    """What this machine can use of one family."""

    usable: bool
    source_address: str | None = None
    reason: str = ""


class Vantage(Frozen):
    """Where we looked from."""

    ipv4: VantageFamily
    ipv6: VantageFamily
    controls: tuple[ControlTally, ...] = ()
    sight: Literal["full", "limited"] = "full"
    """"limited": this system does not tell the kind and the sender of ICMP errors, nor those of a reset."""
    source_prefix: str | None = None
    """The IPv6 prefix that the run could send from beside the machine's own address."""


class EndpointShown(Frozen):
    """One address of the target."""

    address: str
    family: Family
    state: AddressState = "in-scope"
    origin: bool = False


class TargetResult(Frozen):
    """Everything about one host."""

    host: str
    endpoints: tuple[EndpointShown, ...]
    findings: tuple[Finding, ...]
    observations: tuple[Observation, ...]


Summary = dict[Literal["pass", "fail", "inconclusive", "not_applicable", "not_checked"], int]


class ResultDocument(Frozen):
    """`--format json`: version 1 of the schema that `flexiscan schema` prints."""

    schema_version: Literal[1] = 1
    tool: Tool
    guide: Guide
    run: RunFacts
    authorisation: AuthorisationShown
    vantage: Vantage
    targets: tuple[TargetResult, ...]
    summary: Summary
    exit_code: int
