"""web.x-powered-by-absent and web.version-headers-absent: answers do not say what made them.

Guide: PHP settings (expose_php = Off). Every answer of a port counts, whatever it was asked for: page, error,
redirect, file, refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Outcome, Rule, Seen, Subject
from flexiscan.policy.web.channel import ROLES, Channel, channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.clear import asked_for_pages, clear_kind, redirects_throughout
from flexiscan.policy.web.handlers import Handler
from flexiscan.policy.web.health import Health, canaries_changed, health_of
from flexiscan.policy.web.sight import APPS_OF, Sight, sight_of
from flexiscan.policy.web.telling import load_telling_headers
from flexiscan.policy.web.web_ports import is_closed, web_ports

_CANNOT_TELL: Mapping[str, Outcome] = dict.fromkeys(
    (
        "no-answer",
        "rate-limited",
        "blocked-page",
        "user-agent-discrimination",
        "canary-lost",
        "no-canary",
        "incomplete",
        "no-page-seen",
    ),
    "cannot-tell",
)
POWERED_BY_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "absent": "holds",
    "absent-on-redirects": "holds",
    "php-shown": "violated",
    "aspnet-shown": "violated",
    "other-shown": "violated",
    "no-php-seen": "cannot-tell",
    "no-aspnet-seen": "cannot-tell",
    **_CANNOT_TELL,
}
VERSION_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "absent": "holds",
    "absent-on-redirects": "holds",
    "version-shown": "violated",
    **_CANNOT_TELL,
}
_BECAUSE_LIMIT = 8
_VALUE_LIMIT = 20

Shown = Sequence[tuple[Answer, str, str]]
"""Answer, header name, value."""


def serving_ports(ground: Ground) -> Iterable[Subject]:
    """The HTTPS port of every address, and every other web port that accepted."""
    for address in ground.addresses:
        accepted = ground.accepted.get(address.address, ())
        for port in web_ports(ground.target):
            if port == ground.target.https_port or port in accepted:
                yield Subject(address.address, "tcp", port)


def judge_powered_by(case: Case) -> Judgement:
    """Does any answer carry X-Powered-By? A pass needs PHP and ASP.NET pages to have been seen without it."""
    return _judge(case, _powered_by, _powered_by_result, _powered_by_unseen)


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
    unseen: Callable[[Case, Sight], str],
) -> Judgement:
    if is_closed(case.of("tcp")):
        return Judgement("holds", "not-served", case.of("tcp"))
    channels = channels_of(case, case.subject.port or 0)
    shown = [
        (answer, name, value)
        for channel in channels.values()
        for answer in channel.answers
        for name, value in telling(answer.exchange)
    ]
    if shown:
        return _violated(shown, result_of([value for _, _, value in shown]))
    whole = [channel for channel in channels.values() if channel.name != "h2" and channel.of("web-canary")]
    if not whole:
        looks = tuple(answer.seen for channel in channels.values() for answer in channel.answers)
        return Judgement("cannot-tell", "no-answer" if looks else "incomplete", looks)
    judgements = [_judge_channel(case, channel, unseen) for channel in whole]
    return next((j for j in judgements if j.outcome != "holds"), judgements[0])


def _violated(shown: Shown, result: str) -> Judgement:
    values = list(dict.fromkeys(f"{name}: {value}" for _, name, value in shown))
    because = tuple(dict.fromkeys(answer.seen.id for answer, _, _ in shown))
    by_id: dict[str, Seen] = {answer.seen.id: answer.seen for answer, _, _ in shown}
    params = {
        "headers": values[:_VALUE_LIMIT],
        "paths": sorted({answer.exchange.target for answer, _, _ in shown})[:_VALUE_LIMIT],
        "answers": len(because),
    }
    named = tuple(by_id[name] for name in because[:_BECAUSE_LIMIT])
    return Judgement("violated", result, named, "confirmed", params=params)


def _judge_channel(case: Case, channel: Channel, unseen: Callable[[Case, Sight], str]) -> Judgement:
    because = tuple(answer.seen for answer in channel.answers if answer.exchange.outcome == "response")
    if _only_redirects(channel):
        return Judgement("holds", "absent-on-redirects", because)
    health = health_of(channel)
    obstacle = _obstacle(health)
    if obstacle:
        return Judgement("cannot-tell", obstacle, because)
    sight = sight_of(channel, health)
    if not sight.pages or not sight.errors:
        return Judgement("cannot-tell", "no-page-seen", because)
    missing = unseen(case, sight)
    if missing:
        return Judgement("cannot-tell", missing, because)
    params = {"seen_by": sorted(sight.proofs), "answers": len(because)}
    return Judgement("holds", "absent", because, params=params)


def _only_redirects(channel: Channel) -> bool:
    """Whether this port only sends visitors on to HTTPS: no application can show itself here."""
    kinds = {clear_kind(answer) for answer in asked_for_pages(channel)}
    return (
        channel.name == "http"
        and kinds <= {"to-https", "refused", "unreadable"}
        and redirects_throughout(channel)
        and not canaries_changed(channel)
    )


def _obstacle(health: Health) -> str:
    """Unequal missing pages do not matter to a header; everything else that shakes the controls does."""
    return "" if health.obstacle == "unstable-baseline" else health.obstacle


_NEEDS = (Need("tcp"), *(Need(role, at="port", optional=True) for role in ROLES))

POWERED_BY = Rule(
    id="web.x-powered-by-absent",
    results=POWERED_BY_RESULTS,
    needs=_NEEDS,
    subjects=serving_ports,
    judge=judge_powered_by,
)
VERSIONS = Rule(
    id="web.version-headers-absent",
    results=VERSION_RESULTS,
    needs=_NEEDS,
    subjects=serving_ports,
    judge=judge_versions,
)
