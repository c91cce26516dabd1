"""All that a probe may use of the core, besides `flexiscan.model`.

A probe is a `ProbeSpec`: a pure `plan` that says which tasks it wants, and a coroutine `observe` that runs one
of them and returns a fact. It holds no try/except-all, no sleep, no retry policy of its own beyond what its
protocol defines, and no verdict. It opens no socket: the context gives it pinned connections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from flexiscan.model.endpoint import TargetAddress, Transport
from flexiscan.model.facts import Fact
from flexiscan.model.facts_raw import IcmpCapture, SynProbe
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Gate, Task
from flexiscan.model.profile import Profile
from flexiscan.model.target import Depth, Target
from flexiscan.net.hop_limits import NO_LIMIT, Hops
from flexiscan.net.link import (
    CannotLook,
    Connection,
    Datagram,
    DatagramPort,
    IcmpNotice,
    Knock,
    KnockPort,
    NotConnected,
    Received,
    Refusal,
    TlsAgreed,
    TlsFailed,
)
from flexiscan.net.tls_context import permissive_context
from flexiscan.net.worker_guard import run_worker

__all__ = [
    "NO_LIMIT",
    "CannotLook",
    "Connection",
    "Context",
    "Datagram",
    "DatagramPort",
    "Draft",
    "Hops",
    "IcmpNotice",
    "Knock",
    "KnockPort",
    "NotConnected",
    "PlanView",
    "ProbeSpec",
    "Received",
    "Refusal",
    "TlsAgreed",
    "TlsFailed",
    "permissive_context",
    "run_worker",
]


class Context(Protocol):
    """What a running task gets. Everything in it is bound to the scope, the pace and the deadline."""

    @property
    def run_id(self) -> str:
        """Id of the run."""

    @property
    def user_agent(self) -> str:
        """Honest: version, URL and run id."""

    @property
    def random(self) -> Random:
        """Seeded for this task alone: the same seed gives the same choices, whatever the order of tasks."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """What the user gave for this run alone and what stands in no plan and no record, such as "witness"."""

    def monotonic(self) -> float:
        """Seconds on the run's clock."""

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> Connection | NotConnected:
        """A TCP connection to exactly this address, its packets within `hops`, from `source` if given.

        Raises CannotLook for everything local.
        """

    def datagrams(self, address: str) -> DatagramPort:
        """A UDP socket that can reach this address and nothing else. Raises CannotLook."""

    async def half_open(self, address: str, port: int) -> SynProbe:
        """SYNs to exactly this port without a connection, and the headers of what answers; only in a run with --raw.

        Raises CannotLook, also when the run has no raw sockets.
        """

    async def icmp_errors(self, address: str) -> IcmpCapture:
        """Every ICMP error so far about packets of the run to this address; only in a run with --raw.

        Raises CannotLook, also when the run has no raw sockets.
        """

    def knocks(self, address: str) -> KnockPort:
        """Single SYNs to ports of this address and nothing else: for sweeps. Raises CannotLook."""

    async def ask_worker(self, module: str, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        """Run `python -m module` with the request as JSON on stdin; its JSON answer. Killed at the deadline.

        Raises CannotLook("worker-died") when no answer came.
        """


@dataclass(frozen=True, slots=True)
class Draft:
    """A task as a probe asks for it; the planner gives it an id and checks it against the scope.

    `name` must be unique within (probe, host, address, transport, port). Tasks with the same `lane` run one
    after the other in the order drafted; different lanes run side by side.
    """

    role: str
    name: str
    address: str | None = None
    transport: Transport | None = None
    port: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    lane: str = ""
    """Empty: a lane of its own."""
    gate: Gate = "none"
    datagrams: int = 0
    silence_s: float = 0.0
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class PlanView:
    """What a probe's `plan` may look at. The same view always gives the same drafts.

    Round 0 knows the name only (DNS). Round 1 knows the addresses (ports, datagrams). Round 2 knows what round 1
    saw (web and TLS on the ports that accepted). Round 3 is for what must come after that. Round 4, at depth full
    only, is for what a firewall may take offence at: sweeps of all ports.
    """

    round: int
    target: Target
    addresses: tuple[TargetAddress, ...]
    """Only those in scope; empty in round 0."""
    profile: Profile
    depth: Depth
    seed: int
    tasks: Mapping[str, Task]
    seen: Mapping[str, Observation]
    """Observations of earlier rounds by task id."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Run options that plans may read: "resolver", "second_opinion" ("none", "standard", "full")."""

    def accepted_tcp_ports(self, address: str) -> tuple[int, ...]:
        """Ports of this address that accepted a TCP connection in an earlier round, ascending."""
        found: set[int] = set()
        for task_id, observation in self.seen.items():
            task = self.tasks[task_id]
            outcome = observation.outcome
            if (
                task.address == address
                and task.port is not None
                and not task.role.startswith("tcp-canary")
                and task.role != "tcp-found"
                and outcome.kind == "tcp"
                and outcome.connect == "accepted"
            ):
                found.add(task.port)
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One kind of question. Registered under the entry point group `flexiscan.probes`."""

    id: str
    version: int
    plan: Callable[[PlanView], Iterable[Draft]]
    observe: Callable[[Context, Task], Awaitable[Fact]]
    proceed: Callable[[Task, tuple[Observation, ...]], Iterable[Draft]] | None = None
    """Pure continuation: after a task of this probe ended, given all observations of its lane so far in order,
    the drafts that the lane goes on with (none: it is done). For questions that depend on the last answer, such
    as suites by elimination. Each draft is again one task with its own observation."""
    expected: Callable[[Task], Fact] | None = None
    """What a host that keeps the guide would answer: lets the dry run follow `proceed` and count what it adds.
    Never a fact: no record and no judgement sees it."""
