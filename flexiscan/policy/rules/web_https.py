"""web.https-only and web.redirect-sound: nothing in clear, and a redirect that leads where it should.

Guide: checklist 9 (use only https), Secure Connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flexiscan.policy.rule import Case, Ground, Judgement, Need, Outcome, Rule, Seen, Subject
from flexiscan.policy.web.channel import ROLES, Channel, channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.clear import (
    BREACHES,
    asked_for_pages,
    clear_kind,
    redirects_throughout,
    worst_breach,
)
from flexiscan.policy.web.health import canaries_changed, health_of, phases_answered, unchanged_until
from flexiscan.policy.web.location import Destination, destination
from flexiscan.policy.web.web_ports import is_closed

HTTPS_ONLY_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "redirects-to-https": "holds",
    "refused": "holds",
    **dict.fromkeys(BREACHES, "violated"),
    "no-answer": "cannot-tell",
    "rate-limited": "cannot-tell",
    "blocked-page": "cannot-tell",
    "canary-lost": "cannot-tell",
    "no-canary": "cannot-tell",
    "incomplete": "cannot-tell",
}
REDIRECT_RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "sound": "holds",
    "sound-temporary": "holds",
    "stays-in-clear": "violated",
    "host-changed": "violated",
    "port-changed": "violated",
    "path-lost": "violated",
    "query-lost": "violated",
    "status-unsound": "violated",
    "not-every-path": "violated",
    "no-redirect": "not-applicable",
    "target-not-judged": "cannot-tell",
    "no-answer": "cannot-tell",
    "rate-limited": "cannot-tell",
    "blocked-page": "cannot-tell",
    "canary-lost": "cannot-tell",
    "incomplete": "cannot-tell",
}
_FLAWS = ("stays-in-clear", "host-changed", "port-changed", "path-lost", "query-lost", "status-unsound")
"""In the order of their weight."""
_SERVED = ("login-in-clear", "content-in-clear", "error-in-clear")
_BECAUSE_LIMIT = 8
_TEMPORARY_STATUSES = frozenset({302, 307})
_PERMANENT_STATUSES = frozenset({301, 308})


def http_subjects(ground: Ground) -> Iterable[Subject]:
    """The plain HTTP port of every address."""
    return [Subject(a.address, "tcp", ground.target.http_port) for a in ground.addresses]


def judge_https_only(case: Case) -> Judgement:
    """Does the plain port give anything but a redirect to HTTPS or a refusal?"""
    if is_closed(case.of("tcp")):
        return Judgement("holds", "not-served", case.of("tcp"))
    channel = channels_of(case, case.subject.port or 0).get("http")
    if channel is None:
        return Judgement("cannot-tell", "incomplete")
    answers = asked_for_pages(channel)
    kind, breaches = worst_breach(_believable(channel, answers))
    if kind is not None:
        targets = sorted({answer.exchange.target for answer in breaches})
        params = {"paths": targets, "status": breaches[0].exchange.status}
        because = tuple(answer.seen for answer in breaches)[:_BECAUSE_LIMIT]
        return Judgement("violated", kind, because, "confirmed", params=params)
    return _nothing_given(case, channel, answers)


def _believable(channel: Channel, answers: Sequence[Answer]) -> Sequence[Answer]:
    """All answers; where a canary changed, those up to its last good answer: a ban page is not the site's."""
    until = [unchanged_until(phases) for phases in channel.canaries().values()]
    ends = [moment for moment in until if moment is not None]
    return [answer for answer in answers if answer.seen.ended_s <= min(ends)] if ends else answers


def _nothing_given(case: Case, channel: Channel, answers: Sequence[Answer]) -> Judgement:
    because = tuple(answer.seen for answer in answers if answer.readable)
    obstacle = _obstacle(channel, answers)
    if obstacle:
        return Judgement("cannot-tell", obstacle, because)
    if redirects_throughout(channel):
        return Judgement("holds", "redirects-to-https", because)
    encrypted = channels_of(case, case.target.https_port).get("https")
    if encrypted is None or health_of(encrypted).obstacle:
        return Judgement("cannot-tell", "no-canary", because)
    return Judgement("holds", "refused", (*because, *health_of(encrypted).because))


def _obstacle(channel: Channel, answers: Sequence[Answer]) -> str:
    classes = {answer.answer_class for answer in answers}
    if "rate-limited" in classes:
        return "rate-limited"
    if "blocked-page" in classes:
        return "blocked-page"
    if not any(answer.readable for answer in answers):
        return "no-answer"
    if canaries_changed(channel):
        return "canary-lost"
    return "" if phases_answered(channel) else "incomplete"


def judge_redirect(case: Case) -> Judgement:
    """Do the redirects of the plain port keep host, path and query, and does somebody answer there?"""
    if is_closed(case.of("tcp")):
        return Judgement("holds", "not-served", case.of("tcp"))
    channel = channels_of(case, case.subject.port or 0).get("http")
    if channel is None:
        return Judgement("cannot-tell", "incomplete")
    answers = asked_for_pages(channel)
    redirects = [(a, there) for a in answers if (there := destination(a.exchange)) is not None and a.readable]
    because = tuple(answer.seen for answer in answers if answer.readable)
    obstacle = _obstacle(channel, answers)
    if obstacle:
        return Judgement("cannot-tell", obstacle, because)
    if not redirects:
        return Judgement("not-applicable", "no-redirect", because)
    flawed = _flawed(case, redirects) or _passed_by(answers)
    if flawed is not None:
        return flawed
    return _arrives(case, redirects, because)


def _flawed(case: Case, redirects: Sequence[tuple[Answer, Destination]]) -> Judgement | None:
    found: dict[str, list[Answer]] = {}
    for answer, there in redirects:
        found.setdefault(flaw_of(answer, there, case), []).append(answer)
    for flaw in _FLAWS:
        if flaw in found:
            first = found[flaw][0].exchange
            params = {
                "asked": first.target,
                "location": ", ".join(first.header_values("Location")),
                "status": first.status,
                "count": len(found[flaw]),
                "of": len(redirects),
            }
            because = tuple(answer.seen for answer in found[flaw])[:_BECAUSE_LIMIT]
            return Judgement("violated", flaw, because, "confirmed", params=params)
    return None


def _passed_by(answers: Sequence[Answer]) -> Judgement | None:
    """Pages that are served in clear although other paths are redirected: a rule for the start page alone."""
    served = [answer for answer in answers if clear_kind(answer) in _SERVED]
    if not served:
        return None
    params = {"paths": sorted({answer.exchange.target for answer in served})}
    return Judgement(
        "violated", "not-every-path", tuple(answer.seen for answer in served)[:_BECAUSE_LIMIT], params=params
    )


def flaw_of(answer: Answer, there: Destination, case: Case) -> str:
    """What is wrong with one redirect; "" when nothing is. A slash added at the end of a path is no flaw."""
    exchange = answer.exchange
    if not there.is_https:
        return "stays-in-clear"
    if there.host != case.target.host.lower().rstrip("."):
        return "host-changed"
    if there.port != case.target.https_port:
        return "port-changed"
    path, _, query = exchange.target.partition("?")
    if there.path not in (path, path + "/"):
        return "path-lost"
    if there.query != query:
        return "query-lost"
    return "" if exchange.status in _TEMPORARY_STATUSES | _PERMANENT_STATUSES else "status-unsound"


def _arrives(case: Case, redirects: Sequence[tuple[Answer, Destination]], because: tuple[Seen, ...]) -> Judgement:
    """The redirects are well written: does the same address answer there?"""
    encrypted = channels_of(case, case.target.https_port).get("https")
    arrived = () if encrypted is None else tuple(a.seen for a in encrypted.answers if a.exchange.outcome == "response")
    if not arrived:
        return Judgement("cannot-tell", "target-not-judged", because)
    temporary = any(answer.exchange.status in _TEMPORARY_STATUSES for answer, _ in redirects)
    statuses = sorted({answer.exchange.status or 0 for answer, _ in redirects})
    result = "sound-temporary" if temporary else "sound"
    return Judgement("holds", result, (*because, arrived[0]), params={"statuses": statuses, "count": len(redirects)})


_NEEDS = (Need("tcp"), *(Need(role, at="address", optional=True) for role in ROLES))

HTTPS_ONLY = Rule(
    id="web.https-only",
    results=HTTPS_ONLY_RESULTS,
    needs=_NEEDS,
    subjects=http_subjects,
    judge=judge_https_only,
)
REDIRECT_SOUND = Rule(
    id="web.redirect-sound",
    results=REDIRECT_RESULTS,
    needs=_NEEDS,
    subjects=http_subjects,
    judge=judge_redirect,
)
