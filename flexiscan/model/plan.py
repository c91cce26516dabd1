"""What will be done, fixed before a packet leaves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import Transport

Gate = Literal["none", "dns", "tcp", "udp", "http", "tls", "control"]
"""Which budget a task draws on: nothing, DNS, connects, datagrams, HTTP requests, TLS handshakes; a control is a
connect that does not wait behind the other connects."""


class Task(Frozen):
    """One planned run of a probe: at most one connection, or one bounded datagram exchange or sweep."""

    id: str
    """Readable and the same in every run of the same plan; also the id of the observation."""
    probe: str
    host: str
    role: str
    """What the answer is for, e.g. "tcp", "admin", "canary", "control"; rules select by it."""
    address: str | None = None
    transport: Transport | None = None
    port: int | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    lane: str
    """Tasks of a lane run one after the other in plan order; lanes run side by side."""
    round: int = 1
    gate: Gate = "none"
    datagrams: int = 0
    """Most datagrams that the task sends: for the estimate and the budget."""
    silence_s: float = 0.0
    """How long the task waits when nothing answers: for the estimate."""
    deadline_s: float = 30.0
    """Hard limit, counted from when its turn has come."""


class Skip(Frozen):
    """A task that was left out on purpose, with the reason."""

    host: str
    role: str
    reason: str
    address: str | None = None
    transport: Transport | None = None
    port: int | None = None


class Plan(Frozen):
    """All tasks and skips of one round."""

    round: int
    seed: int
    tasks: tuple[Task, ...]
    skips: tuple[Skip, ...] = ()
