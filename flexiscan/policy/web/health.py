"""Whether what a channel says may be believed: did its controls answer, as themselves, all the time?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from flexiscan.policy.rule import Seen
from flexiscan.policy.web.channel import PHASES, Channel, Phase
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.fingerprint import Baseline, baseline

Obstacle = Literal[
    "",
    "incomplete",  # not everything that was planned was asked
    "no-answer",  # nothing readable came back
    "rate-limited",
    "blocked-page",
    "unstable-baseline",  # equal questions get unequal answers
    "user-agent-discrimination",
    "canary-lost",  # a page that answered stopped doing so
    "no-canary",  # no page answers differently from a missing one
]


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a channel's controls. `baselines`: what a missing page is like, by shape."""

    obstacle: Obstacle
    baselines: Mapping[str, Baseline]
    because: tuple[Seen, ...]
    """The controls that it rests on."""


def health_of(channel: Channel) -> Health:
    """Judge the controls of a channel. The first obstacle in the order of their weight is named."""
    missing = channel.by_shape()
    baselines = {
        shape: baseline(answer.fingerprint for answer in answers if answer.readable)
        for shape, answers in missing.items()
    }
    canaries = channel.canaries()
    controls = [a for answers in missing.values() for a in answers]
    controls += [a for phases in canaries.values() for answers in phases.values() for a in answers]
    obstacle = _obstacle(channel, controls, baselines)
    return Health(obstacle, baselines, tuple(answer.seen for answer in controls if answer.readable))


def _obstacle(channel: Channel, controls: list[Answer], baselines: Mapping[str, Baseline]) -> Obstacle:
    if any(answer.answer_class == "rate-limited" for answer in channel.answers):
        return "rate-limited"
    if not any(answer.readable for answer in controls):
        return "no-answer" if controls else "incomplete"
    if any(answer.answer_class == "blocked-page" for answer in controls):
        return "blocked-page"
    canaries = channel.canaries()
    if canaries_changed(channel):
        return "canary-lost"
    if not baselines or any(not base.members for base in baselines.values()):
        return "incomplete"
    if not all(base.stable for base in baselines.values()):
        return "unstable-baseline"
    if discriminates(channel):
        return "user-agent-discrimination"
    positive = [phases for phases in canaries.values() if _is_positive(phases, baselines.values())]
    if not positive:
        return "no-canary"
    return "" if any(_alive_throughout(phases) for phases in positive) else "canary-lost"


def canaries_changed(channel: Channel) -> bool:
    """Whether any canary gave another kind of answer later on: a ban, or a filter that woke up."""
    return any(_changed(phases) for phases in channel.canaries().values())


def phases_answered(channel: Channel) -> bool:
    """Whether something readable came back to the canaries before, during and after."""
    return all(any(_readable(phases, phase) for phases in channel.canaries().values()) for phase in PHASES)


def _readable(phases: Mapping[Phase, tuple[Answer, ...]], phase: Phase) -> list[Answer]:
    return [answer for answer in phases.get(phase, ()) if answer.readable]


def _changed(phases: Mapping[Phase, tuple[Answer, ...]]) -> bool:
    return unchanged_until(phases) is not None


def unchanged_until(phases: Mapping[Phase, tuple[Answer, ...]]) -> float | None:
    """When a canary was last seen as it was at first, in run seconds; None when it never changed."""
    answers = [answer for phase in PHASES for answer in _readable(phases, phase)]
    good = list(itertools.takewhile(lambda a: _kind(a) == _kind(answers[0]), answers))
    return None if len(good) == len(answers) else good[-1].seen.ended_s


def _alive_throughout(phases: Mapping[Phase, tuple[Answer, ...]]) -> bool:
    return all(_readable(phases, phase) for phase in PHASES)


def _is_positive(phases: Mapping[Phase, tuple[Answer, ...]], baselines: Iterable[Baseline]) -> bool:
    """Whether the canary's answer could only come from a live page: nothing missing looks like it."""
    answers = [answer for phase in PHASES for answer in _readable(phases, phase)]
    known = tuple(baselines)
    return bool(answers) and not any(
        answer.answer_class in ("aborted", "not-http", "kernel-refusal", "not-found")
        or any(base.includes(answer.fingerprint) for base in known)
        for answer in answers
    )


def discriminates(channel: Channel) -> bool:
    """Whether a browser's User-Agent gets another kind of answer to a canary than ours does."""
    own = channel.canaries("own")
    for path, phases in channel.canaries("browser").items():
        theirs = {_kind(answer) for answers in phases.values() for answer in answers if answer.readable}
        ours = {_kind(a) for answers in own.get(path, {}).values() for a in answers if a.readable}
        if theirs and ours and theirs != ours:
            return True
    return False


def _kind(answer: Answer) -> tuple[str, int | None]:
    return answer.answer_class, answer.exchange.status
