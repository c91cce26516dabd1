"""What a plain HTTP port gives away, answer by answer: content, a redirect to HTTPS, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from flexiscan.policy.web.channel import PHASES, Channel
from flexiscan.policy.web.classes import Answer, AnswerClass
from flexiscan.policy.web.location import destination, has_refresh

ClearKind = Literal[
    "login-in-clear",
    "content-in-clear",
    "error-in-clear",
    "cookie-in-clear",
    "redirects-in-clear",
    "to-https",
    "refused",
    "unreadable",
]

BREACHES: tuple[ClearKind, ...] = (
    "login-in-clear",
    "content-in-clear",
    "error-in-clear",
    "cookie-in-clear",
    "redirects-in-clear",
)
"""From the worst on."""

_BY_CLASS: dict[AnswerClass, ClearKind] = {
    "login-page": "login-in-clear",
    "login-required": "login-in-clear",
    "content": "content-in-clear",
    "application-error": "error-in-clear",
    "blocked-page": "unreadable",
}


def clear_kind(answer: Answer) -> ClearKind:
    """What one answer over plain HTTP comes to."""
    if not answer.readable:
        return "unreadable"
    kind = _BY_CLASS.get(answer.answer_class)
    if kind is not None:
        return kind
    if answer.exchange.header_values("Set-Cookie"):
        return "cookie-in-clear"
    there = destination(answer.exchange)
    if there is not None:
        return "to-https" if there.is_https else "redirects-in-clear"
    return "content-in-clear" if has_refresh(answer.exchange) else "refused"


def asked_for_pages(channel: Channel) -> tuple[Answer, ...]:
    """Every answer of the channel but that to the malformed request, which no site sees."""
    return tuple(answer for answer in channel.answers if answer.seen.task.params.get("sample") != "malformed")


def worst_breach(answers: Iterable[Answer]) -> tuple[ClearKind | None, tuple[Answer, ...]]:
    """The worst kind of breach among the answers, and the answers of that kind."""
    found: dict[ClearKind, list[Answer]] = {}
    for answer in answers:
        found.setdefault(clear_kind(answer), []).append(answer)
    for kind in BREACHES:
        if kind in found:
            return kind, tuple(found[kind])
    return None, ()


def redirects_throughout(channel: Channel) -> bool:
    """Whether some canary was sent to HTTPS before, during and after: a live redirector, not a ban."""
    return any(all(_all_to_https(phases.get(phase, ())) for phase in PHASES) for phases in channel.canaries().values())


def _all_to_https(answers: Sequence[Answer]) -> bool:
    readable = [answer for answer in answers if answer.readable]
    return bool(readable) and all(clear_kind(answer) == "to-https" for answer in readable)
