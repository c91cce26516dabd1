"""Which hello comes next: cipher suites by elimination, as a pure function of the answers so far.

A lane asks about some protocol versions, one hello (one connection) after the other, and puts a control hello that
the server is known to answer at its beginning, at its end, and after everything that was not answered in the
protocol's own words. A refused suite, a refused version and a server that has stopped talking to us can only be
told apart by what it says to the control in between.

The walk is written as a generator that yields questions and is sent facts; `next_question` replays it over the
facts of the lane, so that the same answers always lead to the same question.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from flexiscan.model.facts import Fact
from flexiscan.model.facts_tls import TlsVersion
from flexiscan.model.tls_reading import agreed_to, reading_of
from flexiscan_probes.wire import tls_numbers as n

Step = Literal["control", "control-plain", "offer", "confirm", "handshake"]

LANES: Final[dict[str, tuple[TlsVersion, ...]]] = {
    "tls12": ("TLSv1.2",),
    "others": ("TLSv1.3", "TLSv1.1", "TLSv1.0", "SSLv3", "SSLv2"),
}
"""TLS 1.2 has six lists of suites; all other versions together need about as many hellos."""

SHORT_LIST: Final = 16
"""Suites in a hello that follows silence: old servers hang on long lists."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask over one connection. `suites` are SSL 2.0 cipher kinds where the version says so."""

    step: Step
    version: TlsVersion
    suites: tuple[int, ...] = ()


Ending = Literal["done", "lost"]
Walk = Generator[Question, Fact, None]
PartOfWalk = Generator[Question, Fact, Ending]

CONTROL: Final = Question("control", "TLSv1.3", n.SUITES_MODERN)
CONTROL_PLAIN: Final = Question("control-plain", "TLSv1.2", n.SUITES_SHORT)
"""For servers that cannot stand a modern hello: no TLS 1.3, a short list, and less than 256 bytes."""


def next_question(lane: str, facts: Iterable[Fact]) -> Question | None:
    """What the lane asks after these answers, None when it is done."""
    walk = _walk(lane)
    question = next(walk)
    try:
        for fact in facts:
            question = walk.send(fact)
    except StopIteration:
        return None
    return question


def _walk(lane: str) -> Walk:
    control = CONTROL
    answer = yield control
    if not agreed_to(answer) and not _is_out_of_reach(answer):
        control = CONTROL_PLAIN
        answer = yield control
    if _is_gone(answer):
        return
    check = _Check(control, agreed_to(answer))
    for version in LANES[lane]:
        if (yield from _ask_version(version, check)) == "lost":
            return
    if (yield from check.alive()) == "done" and lane == "tls12":
        yield Question("handshake", "TLSv1.3")


def _ask_version(version: TlsVersion, check: _Check) -> PartOfWalk:
    """Offer every list of suites until nothing of it is taken; confirm a refusal with another, shorter hello."""
    waiting = [n.SSL2_KINDS] if version == "SSLv2" else list(n.chunks_for(version))
    found = dropped = False
    repeated: set[tuple[int, ...]] = set()
    while waiting:
        offered = waiting.pop(0)
        answer = yield Question("offer", version, offered)
        reading = reading_of(answer)
        if reading == "accepted":
            found = True
            left = _without(offered, answer)
            waiting[:0] = [left] if left else []
        elif reading == "silent" and len(offered) > SHORT_LIST:
            waiting[:0] = [offered[i : i + SHORT_LIST] for i in range(0, len(offered), SHORT_LIST)]
        elif reading in ("silent", "foreign", "lost"):
            return (yield from check.alive()) if reading != "lost" else "lost"
        elif reading == "dropped" and not found and not check.was_agreed:
            break  # such a server never refuses in a way that counts; it is only asked whether it takes anything
        elif reading == "dropped":
            if not dropped and (yield from check.alive()) == "lost":
                return "lost"
            dropped = True
            if found and offered not in repeated:  # what is missing from a list that worked is asked for twice
                repeated.add(offered)
                waiting.insert(0, offered)
        elif reading == "declined" and not found:
            break
    if not found:
        answer = yield Question("confirm", version, _confirming_suites(version))
        dropped = dropped or reading_of(answer) not in ("accepted", "declined", "unwilling")
    return (yield from check.alive()) if dropped and check.was_agreed else "done"


@dataclass(frozen=True, slots=True)
class _Check:
    """The control that goes in between, and whether the server took it up at the beginning."""

    control: Question
    was_agreed: bool

    def alive(self) -> PartOfWalk:
        """Ask it. A server that no longer answers as it did at the beginning is left alone."""
        answer = yield self.control
        lost = _is_gone(answer) or (self.was_agreed and not agreed_to(answer))
        return "lost" if lost else "done"


def _is_gone(fact: Fact) -> bool:
    """Whether a control was met by silence, by no connection, or by something that is not TLS."""
    return reading_of(fact) == "silent" or _is_out_of_reach(fact)


def _is_out_of_reach(fact: Fact) -> bool:
    return reading_of(fact) == "lost" or (fact.kind == "tls-hello" and fact.outcome == "not-tls")


def _without(offered: tuple[int, ...], answer: Fact) -> tuple[int, ...]:
    """The suites that are still a question; an SSL 2.0 server has listed all of its own at once."""
    if answer.kind != "tls-hello" or answer.version == "SSLv2":
        return ()
    return tuple(suite for suite in offered if suite != answer.suite)


def _confirming_suites(version: TlsVersion) -> tuple[int, ...]:
    if version == "SSLv2":
        return n.SSL2_KINDS[:4]
    return n.SUITES_TLS13[:3] if version == "TLSv1.3" else n.SUITES_SHORT
