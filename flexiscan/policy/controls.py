"""Whether an absence may count: did the same address answer before and after it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from flexiscan.policy.rule import Seen

CONTROL_ROLE = "control"

Obstacle = Literal["", "nothing-answers", "control-lost"]


@dataclass(frozen=True, slots=True)
class Beat:
    """One moment at which an address was asked and did or did not answer."""

    port: int
    started_s: float
    ended_s: float
    answered: bool


def beats_of(facts: Iterable[Seen]) -> Mapping[str, tuple[Beat, ...]]:
    """The beats of each address in time order.

    Controls count. Where no control ever answered, any TCP answer from the address takes their place: the web
    ports may be closed on a host that is alive. A reset is an answer only on a port that never accepted: where one
    accepted before, it is how a firewall blocks.
    """
    controls: dict[str, list[Beat]] = {}
    others: dict[str, list[Beat]] = {}
    known = tuple(facts)
    accepting = {
        (seen.task.address, seen.task.port)
        for seen in known
        if seen.fact.kind == "tcp" and seen.fact.connect == "accepted"
    }
    for seen in known:
        task, fact = seen.task, seen.fact
        if task.address is None or task.port is None or fact.kind != "tcp":
            continue
        listens = (task.address, task.port) in accepting
        spoke = fact.connect == "accepted" or (fact.connect == "reset" and not listens)
        kept = controls if task.role == CONTROL_ROLE else others
        kept.setdefault(task.address, []).append(Beat(task.port, seen.started_s, seen.ended_s, spoke))
    chosen: dict[str, tuple[Beat, ...]] = {}
    for address in controls.keys() | others.keys():
        beats = controls.get(address, [])
        if not any(beat.answered for beat in beats):
            beats = [beat for beat in others.get(address, []) if beat.answered]
        chosen[address] = tuple(sorted(beats, key=lambda beat: beat.started_s))
    return chosen


def obstacle(beats: tuple[Beat, ...], started_s: float, ended_s: float) -> Obstacle:
    """Why an absence seen from `started_s` to `ended_s` may not count; "" when it may.

    The last control that ended before it and the first that began after it must both have answered. Judged on
    the port that answered most often: the one that the heartbeats used.
    """
    if not any(beat.answered for beat in beats):
        return "nothing-answers"
    port = Counter(beat.port for beat in beats if beat.answered).most_common(1)[0][0]
    mine = [beat for beat in beats if beat.port == port]
    before = [beat for beat in mine if beat.ended_s <= started_s]
    after = [beat for beat in mine if beat.started_s >= ended_s]
    if before and after and before[-1].answered and after[0].answered:
        return ""
    return "control-lost"
