"""What one spelling of a path that must not be served comes to: refused, open, or not to be told.

The table is the one of a blocked path (404 like a missing page is the good answer). An answer is never judged
alone, only against missing paths of the same shape asked at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flexiscan.policy.web.classes import LOGIN_CLASSES, Answer, AnswerClass
from flexiscan.policy.web.fingerprint import Baseline

Refused = Literal["same-as-missing", "not-found-differently", "denied", "aborted"]
Open = Literal["open-confirmed", "open", "asks-for-login", "application-error", "handler-reached"]
Neutral = Literal["redirects-to-https", "redirects-within"]
Unclear = Literal[
    "no-answer",
    "tls-failed",
    "proxy-error",
    "blocked-page",
    "site-login",
    "unstable",
    "unclear-answer",
    "incomplete",
]
Result = Refused | Open | Neutral | Unclear
Kind = Literal["refused", "open", "neutral", "unclear"]

REFUSED: tuple[Refused, ...] = ("same-as-missing", "not-found-differently", "aborted", "denied")
"""From the guide's own answer to the one that says most about what is there."""
OPEN: tuple[Open, ...] = ("open-confirmed", "asks-for-login", "open", "application-error", "handler-reached")
"""From the strongest proof to the weakest."""

CONFIRMING_SAMPLES = 2
"""How many answers of one kind a failure needs: a single odd answer may be noise."""

_SAYS_NOTHING_ITSELF: frozenset[AnswerClass] = frozenset(
    {"not-found", "denied", "other", "redirect-slash", "redirect-same", "redirect-other"}
)
"""Classes that are a refusal or unclear, unless the application's own handler wrote them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer or one spelling, judged. `answers` are those that it rests on."""

    kind: Kind
    result: Result
    answers: tuple[Answer, ...]


def read_variant(answers: Sequence[Answer], missing: Baseline) -> Reading:
    """Judge all answers to one spelling. `missing` is what a missing path of its shape is like."""
    readable = [answer for answer in answers if answer.readable]
    if not answers:
        return Reading("unclear", "incomplete", ())
    if not readable:
        return Reading("unclear", _why_unreadable(answers), tuple(answers))
    readings = [_read_answer(answer, missing) for answer in readable]
    kinds = {reading.kind for reading in readings}
    if len(kinds) > 1:
        return Reading("unclear", "unstable", tuple(readable))
    kind = kinds.pop()
    results = {reading.result for reading in readings}
    if kind == "open":
        if len(readable) < CONFIRMING_SAMPLES or len(missing.members) < CONFIRMING_SAMPLES:
            return Reading("unclear", "unstable", tuple(readable))
        return Reading("open", next(r for r in OPEN if r in results), tuple(readable))
    if kind == "refused":
        return Reading("refused", next(r for r in reversed(REFUSED) if r in results), tuple(readable))
    if len(results) > 1:
        return Reading("unclear", "unstable", tuple(readable))
    return Reading(kind, results.pop(), tuple(readable))


def _why_unreadable(answers: Sequence[Answer]) -> Unclear:
    classes = {answer.answer_class for answer in answers}
    if "proxy-error" in classes:
        return "proxy-error"
    return "tls-failed" if classes == {"tls-failed"} else "no-answer"


def _read_answer(answer: Answer, missing: Baseline) -> Reading:
    likeness = missing.compare(answer.fingerprint)
    if likeness == "near" and answer.answer_class in ("content", "login-page"):
        return Reading("unclear", "unstable", (answer,))
    kind, result = _read_alike(answer) if likeness == "same" else _read_unlike(answer, missing)
    return Reading(kind, result, (answer,))


def _read_alike(answer: Answer) -> tuple[Kind, Result]:
    """The answer is that of a missing path."""
    if answer.answer_class == "blocked-page":
        return "unclear", "blocked-page"
    if answer.answer_class == "redirect-https":
        return "neutral", "redirects-to-https"
    if answer.answer_class in LOGIN_CLASSES or answer.admin_marker:
        return "unclear", "site-login"
    return "refused", "same-as-missing"


def _read_unlike(answer: Answer, missing: Baseline) -> tuple[Kind, Result]:
    """The answer differs from that of a missing path."""
    if answer.handlers - missing.handlers and answer.answer_class in _SAYS_NOTHING_ITSELF:
        return "open", "handler-reached"
    match answer.answer_class:
        case "not-found":
            return "refused", "not-found-differently"
        case "denied":
            return "refused", "denied"
        case "aborted":
            return "refused", "aborted"
        case "redirect-https":
            return "neutral", "redirects-to-https"
        case "redirect-slash":
            return "neutral", "redirects-within"
        case "login-page" | "content":
            return "open", "open-confirmed" if answer.admin_marker else "open"
        case "login-required" | "redirect-login":
            return "open", "asks-for-login"
        case "application-error":
            return "open", "application-error"
        case "method-refused" | "redirect-below":
            return "open", "handler-reached"
        case "blocked-page":
            return "unclear", "blocked-page"
        case _:
            return "unclear", "unclear-answer"
