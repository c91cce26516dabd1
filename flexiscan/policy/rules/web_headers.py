"""web.x-powered-by-absent and web.version-headers-absent: answers do not say what made them.

Guide: PHP settings (expose_php = Off). Every answer of a port counts, whatever it was asked for: page, error,
redirect, file, refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule, Seen
from flexiscan.policy.web.channel import channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.every_answer import (
    BECAUSE_LIMIT,
    CANNOT_TELL,
    NEEDS,
    SHOWN_LIMIT,
    Unseen,
    closed,
    serving_ports,
    without_flaws,
)
from flexiscan.policy.web.handlers import Handler
from flexiscan.policy.web.sight import APPS_OF, Sight
from flexiscan.policy.web.telling import load_telling_headers

POWERED_BY_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "absent": "holds",
    "absent-on-redirects": "holds",
    "php-shown": "violated",
    "aspnet-shown": "violated",
    "other-shown": "violated",
    "no-php-seen": "cannot-tell",
    "no-aspnet-seen": "cannot-tell",
    **CANNOT_TELL,
}
VERSION_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "absent": "holds",
    "absent-on-redirects": "holds",
    "version-shown": "violated",
    **CANNOT_TELL,
}
Shown = Sequence[tuple[Answer, str, str]]
"""Answer, header name, value."""


def judge_powered_by(case: Case) -> Judgement:
    """Does any answer carry X-Powered-By? A pass needs PHP and ASP.NET pages to have been seen without it."""
    return _judge(case, _powered_by, _powered_by_result, lambda _, sight: _powered_by_unseen(case, sight))


def judge_versions(case: Case) -> Judgement:
    """Does any answer carry a header that tells a version? A pass needs a page to have been seen without it."""
    return _judge(case, load_telling_headers().found_in, lambda _: "version-shown", lambda *_: "")


def _powered_by(exchange: HttpExchange) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, value in exchange.headers if name.lower() == "x-powered-by"]


def _powered_by_result(values: Sequence[str]) -> str:
    text = " ".join(values).lower()
    if "php" in text:
        return "php-shown"
    return "aspnet-shown" if "asp.net" in text else "other-shown"


def _powered_by_unseen(case: Case, sight: Sight) -> str:
    """What still had to be seen: the handlers of the applications that are published."""
    needed: tuple[tuple[Handler, str], ...] = (("php", "no-php-seen"), ("aspnet", "no-aspnet-seen"))
    for handler, result in needed:
        published = case.target.apps is None or APPS_OF[handler] & set(case.target.apps)
        if published and not sight.proofs.get(handler):
            return result
    return ""


def _judge(
    case: Case,
    telling: Callable[[HttpExchange], Iterable[tuple[str, str]]],
    result_of: Callable[[Sequence[str]], str],
    unseen: Unseen,
) -> Judgement:
    found = closed(case)
    if found is not None:
        return found
    channels = channels_of(case, case.subject.port or 0).values()
    shown = [
        (answer, name, value)
        for channel in channels
        for answer in channel.answers
        for name, value in telling(answer.exchange)
    ]
    if shown:
        return _violated(shown, result_of([value for _, _, value in shown]))
    return without_flaws(channels, "absent", unseen, on_redirector="absent-on-redirects")


def _violated(shown: Shown, result: str) -> Judgement:
    values = list(dict.fromkeys(f"{name}: {value}" for _, name, value in shown))
    by_id: dict[str, Seen] = {answer.seen.id: answer.seen for answer, _, _ in shown}
    params = {
        "headers": values[:SHOWN_LIMIT],
        "paths": sorted({answer.exchange.target for answer, _, _ in shown})[:SHOWN_LIMIT],
        "answers": len(by_id),
    }
    return Judgement("violated", result, tuple(by_id.values())[:BECAUSE_LIMIT], "confirmed", params=params)


POWERED_BY = Rule(
    id="web.x-powered-by-absent",
    results=POWERED_BY_RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_powered_by,
)
VERSIONS = Rule(
    id="web.version-headers-absent",
    results=VERSION_RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_versions,
)
