"""Why we could not look: never a statement about the target."""

from __future__ import annotations

from typing import Literal

from flexiscan.model.base import Frozen

FailureKind = Literal[
    "no-route",  # this machine has no way to that address family
    "no-privilege",  # the operating system refused
    "no-resource",  # descriptors, memory, local ports ran out
    "deadline",  # our own time limit for the task ended before the question was put
    "cancelled",  # interrupted by the user
    "outside-scope",  # the wall stopped a packet
    "outside-window",  # the agreed time window was over
    "worker-died",  # a helper process ended without an answer
    "internal",  # a defect of ours
]


class Failure(Frozen):
    """What stopped us from looking. Only the evaluator reads it, and only as a gap."""

    kind: Literal["failure"] = "failure"
    reason: FailureKind
    detail: str = ""
