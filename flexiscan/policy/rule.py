"""What a rule is: a pure function from facts to a judgement, with a closed list of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flexiscan.model.endpoint import Family, TargetAddress, Transport, family_of
from flexiscan.model.facts import Fact
from flexiscan.model.finding import Confidence, Severity
from flexiscan.model.plan import Task
from flexiscan.model.profile import Profile
from flexiscan.model.target import Depth, Scope, Target

Outcome = Literal["holds", "violated", "cannot-tell", "not-applicable"]

CANARY_ROLES = frozenset({"tcp-canary", "tcp-canary-service"})
"""Connects to ports that nobody uses: the comparison, never a port of the host."""
FOUND_ROLE = "tcp-found"
"""Questions to ports that a sweep found open: nobody but the rule about undeclared ports judges them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact together with the task that brought it. `id` is the observation's id; times are run seconds."""

    task: Task
    fact: Fact
    started_s: float
    ended_s: float

    @property
    def id(self) -> str:
        """Id of the observation."""
        return self.task.id


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says about one subject. The evaluator turns it into a finding."""

    outcome: Outcome
    result: str
    because: tuple[Seen, ...] = ()
    confidence: Confidence = "firm"
    severity: Severity | None = None
    """None: the severity of the rule in the profile."""
    params: Mapping[str, Any] = field(default_factory=dict)
    rests_on_absence: bool = False
    """True for a `violated` that rests on silence (a declared port does not answer): it stands only if the
    controls of the address held and no needed fact is missing, like a `holds`. True for a `cannot-tell` that rests
    on silence: a lost control is then the better reason."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. All None: the host as a whole."""

    address: str | None = None
    transport: Transport | None = None
    port: int | None = None

    @property
    def family(self) -> Family | None:
        """Family of the address."""
        return None if self.address is None else family_of(self.address)


@dataclass(frozen=True, slots=True)
class Need:
    """Which tasks a rule judges: those with this role at the subject.

    `at` says how much of the subject a task must share: "port" (address, transport and port), "tcp-port" (address
    and port, whatever the subject's transport says), "address", or "host" (every task of the host with the role).
    A missing or failed observation of a task that is not optional makes every `holds` inconclusive. `beside`: evidence
    beside the judgement, which stands as it is when that evidence could not be had.
    """

    role: str
    at: Literal["port", "tcp-port", "address", "host"] = "port"
    optional: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a rule may look at for one subject. Facts only: failures and gaps never get here."""

    subject: Subject
    target: Target
    scope: Scope
    profile: Profile
    addresses: tuple[TargetAddress, ...]
    depth: Depth
    now_s: float
    """Time of the end of the run, seconds since the epoch: for rules about validity."""
    facts: Mapping[str, tuple[Seen, ...]]
    """By role, in plan order; a role that nothing was seen for is an empty tuple."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the judgement: "trust_anchors_pem", "trust_store", ..."""

    def of(self, role: str) -> tuple[Seen, ...]:
        """Facts of one role at the subject."""
        return self.facts.get(role, ())


@dataclass(frozen=True, slots=True)
class Ground:
    """What decides on the subjects of a rule, before any fact is looked at."""

    target: Target
    scope: Scope
    profile: Profile
    addresses: tuple[TargetAddress, ...]
    """In scope only."""
    depth: Depth
    accepted: Mapping[str, tuple[int, ...]]
    """TCP ports that accepted, by address."""
    listed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """TCP ports that an answer of the address itself named, by address."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its id, its closed results, its subjects, the facts it needs, and the judgement.

    `relies_on_controls`: True when a `holds` rests on an absence (silence, nothing served); the evaluator then lets
    it stand only if the controls of that address answered before, during and after the facts it rests on. Set it to
    False only where a `holds` needs a positive answer by its nature (a certificate that was received). A
    `not-applicable` that names facts always needs the controls. No `holds` or `violated` stands that names no fact.
    """

    id: str
    results: Mapping[str, Outcome]
    needs: tuple[Need, ...]
    subjects: Callable[[Ground], Iterable[Subject]]
    judge: Callable[[Case], Judgement]
    relies_on_controls: bool = True
    without_subject: str = "nothing-to-judge"
    """The reason shown as `not_checked` when there is no subject although there are addresses, e.g. "not-declared"
    (no such port is declared) or "depth" (only at a greater depth)."""


def accepted_ports(addresses: Iterable[TargetAddress], facts: Iterable[Seen]) -> dict[str, tuple[int, ...]]:
    """TCP ports that accepted a connection, by address, canaries left out."""
    found: dict[str, set[int]] = {address.address: set() for address in addresses}
    for seen in facts:
        task, fact = seen.task, seen.fact
        if task.role in (FOUND_ROLE, *CANARY_ROLES) or task.address not in found or task.port is None:
            continue
        if fact.kind == "tcp" and fact.connect == "accepted":
            found[task.address].add(task.port)
    return {address: tuple(sorted(ports)) for address, ports in found.items()}


def listed_ports(facts: Iterable[Seen]) -> dict[str, tuple[int, ...]]:
    """TCP ports that answers named, by the address that answered."""
    found: dict[str, set[int]] = {}
    for seen in facts:
        if seen.task.address is not None and seen.fact.kind == "udp" and seen.fact.tcp_ports:
            found.setdefault(seen.task.address, set()).update(seen.fact.tcp_ports)
    return {address: tuple(sorted(ports)) for address, ports in found.items()}


def each_address(ground: Ground) -> Iterable[Subject]:
    """Subjects for a rule that judges an address as a whole."""
    return [Subject(address=address.address) for address in ground.addresses]


def the_host(_: Ground) -> Iterable[Subject]:
    """Subject for a rule that judges the name as a whole."""
    return [Subject()]


def https_ports(ground: Ground) -> Iterable[Subject]:
    """Subjects for web, TLS and certificate rules: the declared HTTPS port of every address."""
    port = ground.target.https_port
    return [Subject(address=a.address, transport="tcp", port=port) for a in ground.addresses]
