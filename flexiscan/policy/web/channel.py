"""One channel into one port: all web answers of one scheme and HTTP version, sorted by what they were asked for.

The probe writes into each task's params: `channel` ("http", "https", "h2"), `agent` ("own", "browser"), and per
role: `phase` ("before", "during", "after") of a canary, `shape` (the target path that a missing path imitates)
and `set` (1 or 2) of a control.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from flexiscan.model.target import Target
from flexiscan.policy.rule import Case, Seen
from flexiscan.policy.web.classes import Answer, read_answer

Agent = Literal["own", "browser"]
Phase = Literal["before", "during", "after"]

PHASES: tuple[Phase, ...] = ("before", "during", "after")
ROLES = ("web-look", "web-canary", "web-missing", "web-admin", "web-sample")
"""Every role that the web probe gives: web rules need all of them, so that each is planned and seen whole."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The answers of one channel, in the order they were asked for."""

    address: str
    port: int
    name: str
    answers: tuple[Answer, ...]

    def of(self, role: str, agent: Agent = "own") -> tuple[Answer, ...]:
        """The answers of one role, asked for as ourselves or as a browser."""
        return tuple(
            answer
            for answer in self.answers
            if answer.seen.task.role == role and answer.seen.task.params.get("agent", "own") == agent
        )

    def canaries(self, agent: Agent = "own") -> Mapping[str, Mapping[Phase, tuple[Answer, ...]]]:
        """Canary answers by path and phase. The first look asked for a canary too, before everything else."""
        found: dict[str, dict[Phase, tuple[Answer, ...]]] = {}
        for answer in (*self.of("web-look", agent), *self.of("web-canary", agent)):
            phases = found.setdefault(answer.exchange.target, {})
            phase: Phase = answer.seen.task.params.get("phase", "before")
            phases[phase] = (*phases.get(phase, ()), answer)
        return found

    def by_shape(self, agent: Agent = "own") -> Mapping[str, tuple[Answer, ...]]:
        """Answers to missing paths by the shape that they imitate."""
        found: dict[str, tuple[Answer, ...]] = {}
        for answer in self.of("web-missing", agent):
            shape: str = answer.seen.task.params["shape"]
            found[shape] = (*found.get(shape, ()), answer)
        return found

    def variants(self, agent: Agent = "own") -> Mapping[str, tuple[Answer, ...]]:
        """Answers to the spellings of /admin, by spelling."""
        found: dict[str, tuple[Answer, ...]] = {}
        for answer in self.of("web-admin", agent):
            found[answer.exchange.target] = (*found.get(answer.exchange.target, ()), answer)
        return found


def host_names(target: Target, address: str) -> frozenset[str]:
    """What a redirect may call this host: its name and the address that was asked."""
    return frozenset({target.host.lower().rstrip("."), address.lower()})


def channels_of(case: Case, port: int) -> Mapping[str, Channel]:
    """The channels of one port of the subject's address, by name."""
    address = case.subject.address or ""
    names = host_names(case.target, address)
    sorted_seen: dict[str, list[Seen]] = {}
    for seen in _in_order(case, port):
        sorted_seen.setdefault(str(seen.task.params["channel"]), []).append(seen)
    return {
        name: Channel(address, port, name, tuple(read_answer(seen, names) for seen in members))
        for name, members in sorted_seen.items()
    }


def _in_order(case: Case, port: int) -> Iterable[Seen]:
    found = [seen for role in ROLES for seen in case.of(role) if seen.task.port == port]
    return sorted(found, key=lambda seen: (seen.started_s, seen.id))
