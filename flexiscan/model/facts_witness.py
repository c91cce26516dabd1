"""What came of questions to the witness on the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import Transport

PortSpan = tuple[int, int]
"""First and last port, both included."""


class WitnessBeat(Frozen):
    """One question that was answered under the code: when it was sent and answered here, and the time there."""

    port: int
    arrived_at_port: int
    sent_after_s: float
    """Seconds after the observation began."""
    answered_after_s: float
    witness_unix_ms: int


class WitnessExchange(Frozen):
    """Questions to one port, or paced over a range, and the control questions among them."""

    kind: Literal["witness"] = "witness"
    transport: Transport
    first_port: int
    last_port: int
    asked: tuple[PortSpan, ...]
    """Ports that got every planned question."""
    tries: int
    """Questions to each of them."""
    answered: tuple[PortSpan, ...] = ()
    """Ports from which an answer came that only somebody with the code can give."""
    strange: tuple[PortSpan, ...] = ()
    """Ports from which something else came."""
    connect: Literal["", "accepted", "reset", "icmp", "silence", "refused"] = ""
    """TCP only."""
    control_port: int | None = None
    controls_asked: int = 0
    beats: tuple[WitnessBeat, ...] = ()
    """Answers, a few only where there are many; of controls all."""
    stopped: Literal["", "media-seen"] = ""
    waited_s: float = 0.0


def spans_of(ports: Iterable[int]) -> tuple[PortSpan, ...]:
    """Runs of neighbouring ports."""
    spans: list[list[int]] = []
    for port in sorted(set(ports)):
        if spans and spans[-1][1] == port - 1:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    return tuple((first, last) for first, last in spans)


def ports_of(spans: Iterable[PortSpan]) -> set[int]:
    """All ports of the runs."""
    return {port for first, last in spans for port in range(first, last + 1)}
