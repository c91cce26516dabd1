"""Whether an absence may count: did the same address answer before, during and after it?

Written so that knowing less never makes an absence count: a control that failed or is missing weighs as one that was
not answered (docs/design/001-what-a-control-proves.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task

CONTROL_ROLE = "control"

Obstacle = Literal["", "nothing-answers", "only-resets", "control-lost"]
Sign = Literal["accepted", "reset", "silent", "unknown"]


@dataclass(frozen=True, slots=True)
class Beat:
    """One moment at which an address was asked and did or did not answer."""

    port: int
    started_s: float
    ended_s: float
    answered: bool
    known: bool = True
    """False: we could not look, or what came of it is not in the record."""
    was_reset: bool = False
    """A reset that is no answer: no port of the address ever accepted, and a device that shuts us out may send it."""


@dataclass(frozen=True, slots=True)
class _Knock:
    """One connect that was planned, with what came of it."""

    task: Task
    observation: Observation | None

    @property
    def sign(self) -> Sign:
        if self.observation is None or self.observation.outcome.kind != "tcp":
            return "unknown"
        connect = self.observation.outcome.connect
        return connect if connect in ("accepted", "reset") else "silent"


def beats_of(tasks: Mapping[str, Task], observations: Mapping[str, Observation]) -> Mapping[str, tuple[Beat, ...]]:
    """The beats of each address.

    Controls count. Where every control was met by silence, any TCP answer from the address takes their place: the
    web ports may be closed on a host that is alive. A port that was silent each time says nothing. A reset is an
    answer only on a port that never accepted: where one accepted before, it is how a firewall blocks. Where no port at
    all accepts, it is none either: a firewall that shuts the scanner out from the start looks just like that.
    """
    controls: dict[str, list[_Knock]] = defaultdict(list)
    others: dict[str, list[_Knock]] = defaultdict(list)
    for task in tasks.values():
        observation = observations.get(task.id)
        if task.address is None or task.port is None or task.transport != "tcp":
            continue
        if task.role == CONTROL_ROLE:
            controls[task.address].append(_Knock(task, observation))
        elif task.gate == "tcp" or (observation is not None and observation.outcome.kind == "tcp"):
            others[task.address].append(_Knock(task, observation))
    return {
        address: _beats_of_address(controls[address], others[address]) for address in controls.keys() | others.keys()
    }


def _beats_of_address(controls: Sequence[_Knock], others: Sequence[_Knock]) -> tuple[Beat, ...]:
    accepting = {knock.task.port for knock in (*controls, *others) if knock.sign in ("accepted", "unknown")}
    nobody_accepts = not any(knock.sign == "accepted" for knock in (*controls, *others))
    all_silent = bool(controls) and all(knock.sign == "silent" for knock in controls)
    knocks = others if all_silent else controls
    by_port: dict[int, list[_Knock]] = defaultdict(list)
    for knock in knocks:
        by_port[knock.task.port or 0].append(knock)
    return tuple(
        beat
        for port, members in by_port.items()
        if any(knock.sign != "silent" for knock in members)
        for beat in _beats_of_port(
            port, members, may_reset=port not in accepting and not nobody_accepts, in_order=not all_silent
        )
    )


def _beats_of_port(port: int, knocks: Sequence[_Knock], *, may_reset: bool, in_order: bool) -> list[Beat]:
    """`in_order`: one knock after the other, so that a missing one lies between its neighbours."""
    beats: list[Beat] = []
    for number, knock in enumerate(knocks):
        seen = knock.observation
        if seen is None:
            started_s = _end_of_last(knocks[:number]) if in_order else -inf
            ended_s = _start_of_next(knocks[number + 1 :]) if in_order else inf
        else:
            started_s, ended_s = seen.started.timestamp(), seen.ended.timestamp()
        answered = knock.sign == "accepted" or (knock.sign == "reset" and may_reset)
        was_reset = knock.sign == "reset" and not may_reset
        beats.append(Beat(port, started_s, ended_s, answered, knock.sign != "unknown", was_reset))
    return beats


def _end_of_last(knocks: Sequence[_Knock]) -> float:
    ends = [knock.observation.ended.timestamp() for knock in knocks if knock.observation is not None]
    return ends[-1] if ends else -inf


def _start_of_next(knocks: Sequence[_Knock]) -> float:
    starts = [knock.observation.started.timestamp() for knock in knocks if knock.observation is not None]
    return starts[0] if starts else inf


def obstacle(beats: tuple[Beat, ...], started_s: float, ended_s: float) -> Obstacle:
    """Why an absence seen from `started_s` to `ended_s` may not count; "" when it may.

    Some port must have answered before it and after it, and no beat in between may have gone unanswered.
    """
    if not any(beat.answered for beat in beats):
        if not all(beat.known for beat in beats):
            return "control-lost"
        return "only-resets" if any(beat.was_reset for beat in beats) else "nothing-answers"
    held = any(_held(beats, port, started_s, ended_s) for port in {beat.port for beat in beats})
    return "" if held else "control-lost"


def _held(beats: tuple[Beat, ...], port: int, started_s: float, ended_s: float) -> bool:
    answers = [beat for beat in beats if beat.port == port and beat.answered]
    before = max((b for b in answers if b.ended_s <= started_s), key=lambda b: b.ended_s, default=None)
    after = min((b for b in answers if b.started_s >= ended_s), key=lambda b: b.started_s, default=None)
    if before is None or after is None or before is after:
        return False
    return not any(
        beat.ended_s >= before.ended_s and beat.started_s <= after.started_s for beat in beats if not beat.answered
    )
