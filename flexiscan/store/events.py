"""The lines of a run record, one JSON object each, in the order in which things happened."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.facts import FamilyReach
from flexiscan.model.facts_raw import PacketCapture
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Plan, Task
from flexiscan.model.result import AuthorisationShown, Guide, RunFacts, Tool
from flexiscan.model.target import Scope, Target


class RunStarted(Frozen):
    """The first line: everything about the run that was known before a packet left."""

    event: Literal["run"] = "run"
    record_version: Literal[1] = 1
    tool: Tool
    guide: Guide
    run: RunFacts
    authorisation: AuthorisationShown
    scope: Scope
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    families: tuple[Literal["ipv4", "ipv6"], ...] = ("ipv4", "ipv6")
    sight: Literal["full", "limited"] = "full"
    """"limited": this system does not tell the kind and the sender of ICMP errors."""
    source_prefix: str | None = None
    """The IPv6 prefix that the run could send from beside the machine's own address."""
    judge_options: dict[str, Any] = {}
    """What the judgement needs beside the facts, such as a trust store given by the user."""


class TargetResolved(Frozen):
    """The addresses of a host and which of them are in scope."""

    event: Literal["target"] = "target"
    target: Target
    addresses: tuple[TargetAddress, ...]
    reach: tuple[FamilyReach, ...] = ()
    """What this machine can use of each family, towards this target."""


class Planned(Frozen):
    """The plan of one round for one host."""

    event: Literal["plan"] = "plan"
    host: str
    plan: Plan


class TasksAdded(Frozen):
    """Tasks that came up while a round ran: controls, and continuations that depend on the last answer."""

    event: Literal["tasks"] = "tasks"
    host: str
    tasks: tuple[Task, ...]


class Observed(Frozen):
    """One observation."""

    event: Literal["observation"] = "observation"
    host: str
    observation: Observation


class PacketsKept(Frozen):
    """The capture file of a run with raw sockets, after it was closed."""

    event: Literal["packets"] = "packets"
    capture: PacketCapture


class RunEnded(Frozen):
    """The last line. A record without it is of a run that was killed."""

    event: Literal["end"] = "end"
    ended: dt.datetime
    interrupted: bool


Event = Annotated[
    RunStarted | TargetResolved | Planned | TasksAdded | Observed | PacketsKept | RunEnded, Field(discriminator="event")
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
