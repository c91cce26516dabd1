"""When a version that was not agreed on counts as refused.

The reasons stand in docs/design/003-when-a-tls-version-is-refused.md.

Refused is said only of a server that was asked with every suite of the version and with a second, shorter hello, that
answered each time, and that took up a control hello directly before and directly after. Silence is never a
refusal. A connection that is ended without a word (as Windows and some load balancers do in place of an alert)
counts when it happened every time, at least twice, with a control answered in between and directly after.
"""

from __future__ import annotations

from typing import Final

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.policy.rule import Case, Judgement, Outcome
from flexiscan.policy.tls.answers import (
    CONTROL_ROLE,
    UNANSWERED,
    Answer,
    answers_of,
    opinions_of,
    role_of,
    why_unanswered,
)

REFUSAL_RESULTS: Final[dict[str, Outcome]] = {
    "refused": "holds",
    "refused-by-drop": "holds",
    "offered": "violated",
    **UNANSWERED,
    "control-lost": "cannot-tell",
    "dropped": "cannot-tell",
    "unreadable": "cannot-tell",
    "engines-disagree": "cannot-tell",
}

_MIN_DROPS: Final = 2
_MIN_REFUSALS: Final = 2
"""A negative is confirmed with a second hello before it counts."""


def judge_version(case: Case, version: TlsVersion) -> Judgement:
    """`violated` when the version was agreed on, `holds` when it was refused, otherwise why that is not known."""
    controls = answers_of(case, CONTROL_ROLE)
    hellos = answers_of(case, role_of(version))
    agreed = [a for a in (*hellos, *controls) if a.agreed and a.reply.version == version]
    if agreed:
        return Judgement("violated", "offered", tuple(a.seen for a in agreed), "confirmed")
    unanswered = why_unanswered(controls)
    if unanswered is not None:
        return unanswered
    judgement = judge_absence(hellos, controls)
    if judgement.outcome == "holds":
        return _compare(case, version, judgement)
    return judgement


def judge_absence(hellos: tuple[Answer, ...], controls: tuple[Answer, ...]) -> Judgement:
    """Whether these hellos, none of which was taken up, were refused."""
    if not hellos:
        lost = any(control.agreed for control in controls) and not all(control.agreed for control in controls)
        return _open("control-lost" if lost else "incomplete", controls)
    result = _flaw_of(hellos) or _flaw_of_controls(hellos, controls)
    if result:
        return _open(result, hellos)
    drops = [hello for hello in hellos if hello.reading == "dropped"]
    because = tuple(hello.seen for hello in hellos)
    if not drops:
        return Judgement("holds", "refused", because, "confirmed")
    if any(hello.reading == "silent" for hello in hellos) or not _dropped_on_purpose(drops, controls):
        return _open("dropped", hellos)
    return Judgement("holds", "refused-by-drop", because, "firm")


def _flaw_of(hellos: tuple[Answer, ...]) -> str:
    """What keeps the answers from being a refusal, "" when nothing does."""
    readings = [hello.reading for hello in hellos]
    if "lost" in readings:
        return "control-lost"
    if "foreign" in readings:
        return "unreadable"
    if readings[-1] == "silent":
        return "silent"
    refusals = [hello for hello in hellos if hello.reading in ("declined", "unwilling", "dropped")]
    if len({hello.reply.hello.suites for hello in refusals}) < _MIN_REFUSALS:
        return "incomplete"
    if "declined" not in readings and not asked_suites(hellos) <= asked_suites(refusals):
        return "silent"
    return ""


def _flaw_of_controls(hellos: tuple[Answer, ...], controls: tuple[Answer, ...]) -> str:
    """ "control-lost" unless the lane's controls were taken up directly before, during and directly after."""
    first, last = hellos[0].seen, hellos[-1].seen
    mine = [control for control in controls if control.seen.task.lane == first.task.lane]
    before = [control for control in mine if control.seen.ended_s <= first.started_s]
    after = [control for control in mine if control.seen.started_s >= last.ended_s]
    inside = [control for control in mine if control not in before and control not in after]
    if not before or not after:
        return "control-lost"
    return "" if all(c.agreed for c in (before[-1], *inside, after[0])) else "control-lost"


def _dropped_on_purpose(drops: list[Answer], controls: tuple[Answer, ...]) -> bool:
    """Whether the drops are how this server refuses: repeated, with a control taken up in between."""
    if len(drops) < _MIN_DROPS:
        return False
    first, last = drops[0].seen, drops[-1].seen
    return any(
        control.agreed
        and control.seen.task.lane == first.task.lane
        and first.ended_s <= control.seen.started_s
        and control.seen.ended_s <= last.started_s
        for control in controls
    )


def asked_suites(hellos: tuple[Answer, ...] | list[Answer]) -> set[int]:
    """All suites that these hellos offered."""
    return {suite for hello in hellos for suite in hello.reply.hello.suites}


def _open(result: str, answers: tuple[Answer, ...]) -> Judgement:
    return Judgement("cannot-tell", result, tuple(answer.seen for answer in answers))


def _compare(case: Case, version: TlsVersion, judgement: Judgement) -> Judgement:
    """The second engine may contradict a refusal by having agreed on the version itself."""
    for seen, opinion in opinions_of(case):
        if opinion.versions.get(version) or opinion.highest_version == version:
            return Judgement(
                "cannot-tell",
                "engines-disagree",
                (*judgement.because, seen),
                params={"second_engine": opinion.engine},
            )
    return judgement
