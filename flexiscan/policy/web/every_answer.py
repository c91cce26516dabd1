"""Rules about everything that a port answers: one flaw anywhere is one too many, and absence needs pages seen.

What such a rule says of an answer is its own business (`FlawsOf`); when the absence of flaws means anything is the
same for all of them, and stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flexiscan.model.finding import Severity
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Outcome, Seen, Subject
from flexiscan.policy.web.channel import ROLES, Channel, channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.clear import asked_for_pages, clear_kind, redirects_throughout
from flexiscan.policy.web.health import Health, canaries_changed, health_of
from flexiscan.policy.web.sight import Sight, sight_of
from flexiscan.policy.web.web_ports import is_closed, web_ports

CANNOT_TELL: Mapping[str, Outcome] = dict.fromkeys(
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
"""Why nothing can be said of a port; for the results of a rule."""
NEEDS = (Need("tcp"), *(Need(role, at="port", optional=True) for role in ROLES))
BECAUSE_LIMIT = 8
"""Observations named for a failure; the rest say the same."""
SHOWN_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one answer: the result that it leads to, and the text that shows it."""

    result: str
    answer: Answer
    shown: str


FlawsOf = Callable[[Answer], Iterable[Flaw]]
Unseen = Callable[[Channel, Sight], str]
"""What still had to be seen on a channel before absence means anything: a `cannot-tell` result, or ""."""


def serving_ports(ground: Ground) -> Iterable[Subject]:
    """The HTTPS port of every address, and every other web port that accepted."""
    for address in ground.addresses:
        accepted = ground.accepted.get(address.address, ())
        for port in web_ports(ground.target):
            if port == ground.target.https_port or port in accepted:
                yield Subject(address.address, "tcp", port)


def closed(case: Case) -> Judgement | None:
    """The judgement about a port that never accepted; None where one did."""
    connects = case.of("tcp")
    return Judgement("holds", "not-served", connects) if is_closed(connects) else None


def violated(flaws: Sequence[Flaw], weight: Sequence[str], severities: Mapping[str, Severity]) -> Judgement:
    """The judgement about flaws that were found: the worst kind is named, with where it was seen.

    `weight`: results from the worst on. `severities`: where a result is worse or less bad than its rule.
    """
    worst = min((flaw.result for flaw in flaws), key=weight.index)
    found = [flaw for flaw in flaws if flaw.result == worst]
    seen: dict[str, Seen] = {flaw.answer.seen.id: flaw.answer.seen for flaw in found}
    params = {
        "shown": list(dict.fromkeys(flaw.shown for flaw in found))[:SHOWN_LIMIT],
        "paths": sorted({flaw.answer.exchange.target for flaw in found})[:SHOWN_LIMIT],
        "answers": len(seen),
    }
    others = sorted({flaw.result for flaw in flaws} - {worst}, key=weight.index)
    if others:
        params["also"] = others
    because = tuple(seen.values())[:BECAUSE_LIMIT]
    return Judgement("violated", worst, because, "confirmed", severity=severities.get(worst), params=params)


def without_flaws(channels: Iterable[Channel], held: str, unseen: Unseen, *, on_redirector: str = "") -> Judgement:
    """The judgement where no flaw was found: `held`, if pages and errors of healthy channels were seen.

    `on_redirector`: the result for a port that only sends visitors on to HTTPS; without one it is judged as any.
    """
    known = tuple(channels)
    whole = [channel for channel in known if channel.name != "h2" and channel.of("web-canary")]
    if not whole:
        looks = tuple(answer.seen for channel in known for answer in channel.answers)
        return Judgement("cannot-tell", "no-answer" if looks else "incomplete", looks)
    judgements = [_judge_channel(channel, held, unseen, on_redirector) for channel in whole]
    return next((j for j in judgements if j.outcome != "holds"), judgements[0])


def _judge_channel(channel: Channel, held: str, unseen: Unseen, on_redirector: str) -> Judgement:
    because = tuple(answer.seen for answer in channel.answers if answer.exchange.outcome == "response")
    if on_redirector and _only_redirects(channel):
        return Judgement("holds", on_redirector, because)
    health = health_of(channel)
    obstacle = _obstacle(health)
    if obstacle:
        return Judgement("cannot-tell", obstacle, because)
    sight = sight_of(channel, health)
    if not sight.pages or not sight.errors:
        return Judgement("cannot-tell", "no-page-seen", because)
    missing = unseen(channel, sight)
    if missing:
        return Judgement("cannot-tell", missing, because)
    params = {"seen_by": sorted(sight.proofs), "answers": len(because)}
    return Judgement("holds", held, because, params=params)


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
    """Unequal missing pages do not matter here; everything else that shakes the controls does."""
    return "" if health.obstacle == "unstable-baseline" else health.obstacle


def encrypted(case: Case) -> tuple[Channel, ...]:
    """The channels of the subject's port that were asked over TLS."""
    channels = channels_of(case, case.subject.port or 0)
    return tuple(channel for name, channel in channels.items() if name in ("https", "h2"))


def not_encrypted(case: Case) -> Judgement | None:
    """The judgement about a port that speaks HTTP in clear and nothing over TLS; None for any other."""
    channels = channels_of(case, case.subject.port or 0)
    if any(a.exchange.outcome == "response" for channel in encrypted(case) for a in channel.answers):
        return None
    clear = channels.get("http")
    answers = () if clear is None else tuple(a.seen for a in clear.answers if _speaks_http(a))
    return Judgement("not-applicable", "not-encrypted", answers[:BECAUSE_LIMIT]) if answers else None


def _speaks_http(answer: Answer) -> bool:
    """400 to a plain request is what a TLS port says."""
    return answer.exchange.outcome == "response" and answer.exchange.status != 400
