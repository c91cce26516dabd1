"""Which suites a port agrees to, version by version, and whether that list is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.model.tls_reading import TLS_VERSIONS
from flexiscan.policy.rule import Case
from flexiscan.policy.tls.answers import CONTROL_ROLE, Answer, answers_of, role_of
from flexiscan.policy.tls.refusal import asked_suites, judge_absence

_DROPS_THAT_SETTLE = 2
"""A list that was dropped once may have met bad luck; the probe asks again."""


@dataclass(frozen=True, slots=True)
class VersionSuites:
    """What one version gave. `open_reason` is "" when every suite asked for was taken or refused."""

    version: TlsVersion
    agreed: Mapping[int, Answer]
    hellos: tuple[Answer, ...]
    open_reason: str


def suites_by_version(case: Case) -> tuple[VersionSuites, ...]:
    """All six versions, oldest first."""
    controls = answers_of(case, CONTROL_ROLE)
    return tuple(_of_version(case, version, controls) for version in TLS_VERSIONS)


def _of_version(case: Case, version: TlsVersion, controls: tuple[Answer, ...]) -> VersionSuites:
    hellos = answers_of(case, role_of(version))
    agreed: dict[int, Answer] = {}
    for answer in (*hellos, *controls):
        if answer.agreed and answer.reply.version == version:
            for suite in _suites_in(answer):
                agreed.setdefault(suite, answer)
    if agreed:
        reason = _why_incomplete(agreed, hellos, controls)
    else:
        judgement = judge_absence(hellos, controls)
        reason = "" if judgement.outcome == "holds" else judgement.result
    return VersionSuites(version, agreed, hellos, reason)


def _suites_in(answer: Answer) -> tuple[int, ...]:
    """The suites that an agreement names; SSL 2.0 servers list all of theirs, and an empty list is still SSL 2.0."""
    if answer.reply.version == "SSLv2":
        return answer.reply.suites or (0,)
    return () if answer.reply.suite is None else (answer.reply.suite,)


def _why_incomplete(agreed: Mapping[int, Answer], hellos: tuple[Answer, ...], controls: tuple[Answer, ...]) -> str:
    if not hellos:
        return "incomplete"
    if hellos[-1].reading in ("silent", "lost", "foreign"):
        return {"silent": "silent", "lost": "control-lost"}.get(hellos[-1].reading, "unreadable")
    drops = Counter(hello.reply.hello.suites for hello in hellos if hello.reading == "dropped")
    settled = [
        hello
        for hello in hellos
        if hello.reading in ("declined", "unwilling")
        or (hello.reading == "dropped" and drops[hello.reply.hello.suites] >= _DROPS_THAT_SETTLE)
    ]
    if hellos[0].reply.hello.version != "SSLv2" and not asked_suites(hellos) <= asked_suites(settled) | set(agreed):
        return "incomplete"
    lane, last = hellos[-1].seen.task.lane, hellos[-1].seen
    after = [c for c in controls if c.seen.task.lane == lane and c.seen.started_s >= last.ended_s]
    return "" if after and after[0].agreed else "control-lost"
