"""web.admin-unreachable: nobody outside gets to the administration web (guide: checklist 6, IIS settings)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.rule import Case, Ground, Judgement, Need, Outcome, Rule, Subject
from flexiscan.policy.web.channel import ROLES, Channel, channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.exposure import RESULTS, Exposure, expose
from flexiscan.policy.web.health import health_of
from flexiscan.policy.web.location import destination
from flexiscan.policy.web.web_ports import admin_ports, is_closed, web_ports

SERVICE_LOOKS = 3
"""Questions that the probe puts to the port of another service."""

ADMIN_RESULTS: Mapping[str, Outcome] = {
    **RESULTS,
    "not-served": "holds",
    "not-http": "holds",
    "open-behind-redirect": "violated",
    "https-not-judged": "cannot-tell",
}


def admin_subjects(ground: Ground) -> Iterable[Subject]:
    """Every address with every port that the guide or the customer ties to a web site."""
    ports = admin_ports(ground.target)
    return [Subject(a.address, "tcp", port) for a in ground.addresses for port in ports]


def judge_admin(case: Case) -> Judgement:
    """The judgement of one port of one address."""
    if is_closed(case.of("tcp")):
        return Judgement("holds", "not-served", case.of("tcp"))
    return _judge_port(case, case.subject.port or 0, follow=True)


def _judge_port(case: Case, port: int, *, follow: bool) -> Judgement:
    """All channels of one port. `follow`: a redirect to HTTPS is judged at its destination."""
    channels = channels_of(case, port)
    asked = [expose(channel) for channel in channels.values() if channel.of("web-admin")]
    for exposure in asked:
        if exposure.outcome == "violated":
            return exposure.judgement()
    for exposure in asked:
        if exposure.outcome == "cannot-tell":
            return exposure.judgement()
    for exposure in asked:
        if exposure.result == "redirects-to-https":
            return _follow(case, exposure) if follow else Judgement("cannot-tell", "https-not-judged")
    if asked:
        return max(asked, key=lambda exposure: len(exposure.because)).judgement()
    return _without_site(case, port, list(channels.values()))


def _follow(case: Case, exposure: Exposure) -> Judgement:
    """Port 80 only sends the visitor on: it is as open as the place that it sends to, at the same address."""
    exchanges = [answer.exchange for answer in exposure.channel.of("web-admin")]
    ports = {there.port for there in map(destination, exchanges) if there is not None}
    params = {"channel": exposure.channel.name, "https_ports": sorted(ports)}
    judgements = [_judge_port(case, port, follow=False) for port in sorted(ports)]
    because = (*exposure.because, *(seen for judgement in judgements for seen in judgement.because))
    outcomes = {judgement.outcome for judgement in judgements}
    if "violated" in outcomes:
        return Judgement("violated", "open-behind-redirect", because, params=params)
    if outcomes == {"holds"}:
        return Judgement("holds", "redirects-to-https", because, params=params)
    return Judgement("cannot-tell", "https-not-judged", because, params=params)


def _without_site(case: Case, port: int, channels: list[Channel]) -> Judgement:
    """No channel went beyond the first look: is there a web server at all?

    On a port for web sites an answer that cannot be read stays unclear; on the declared port of another service
    its own language, or silence to three correct questions, is what is expected there.
    """
    looks = [answer for channel in channels for answer in channel.of("web-look")]
    because = tuple(answer.seen for answer in looks)
    if not looks:
        return Judgement("cannot-tell", "incomplete")
    if port not in web_ports(case.target) and len(looks) >= SERVICE_LOOKS:
        foreign = _foreign(case, looks)
        if foreign is not None:
            return foreign
    classes = [answer.answer_class for answer in looks]
    if "rate-limited" in classes:
        return Judgement("cannot-tell", "rate-limited", because)
    deciding = looks[-1] if looks[0].exchange.detail == "tls-record" else looks[0]
    if deciding.answer_class in ("other", "kernel-refusal"):
        return Judgement("cannot-tell", "no-canary", because)
    if deciding.answer_class in ("tls-failed", "not-http"):
        unclear = "tls-failed" if deciding.answer_class == "tls-failed" else "unclear-answer"
        return Judgement("cannot-tell", unclear, because)
    return Judgement("cannot-tell", "no-answer", because)


def _foreign(case: Case, looks: Sequence[Answer]) -> Judgement | None:
    """The judgement of a declared service's port: firm when it spoke another language, tentative when it was silent
    while the web server at the same address answered as itself all the time; None when neither holds."""
    because = tuple(answer.seen for answer in looks)
    if all(_speaks_otherwise(answer.exchange) for answer in looks):
        return Judgement("holds", "not-http", because)
    if not all(_speaks_otherwise(answer.exchange) or _is_silent(answer.exchange) for answer in looks):
        return None
    encrypted = channels_of(case, case.target.https_port).get("https")
    health = None if encrypted is None else health_of(encrypted)
    if health is None or health.obstacle:
        return None
    return Judgement("holds", "not-http", (*because, *health.because), "tentative")


def _is_silent(exchange: HttpExchange) -> bool:
    """Accepted, and then no byte of an answer to a correct question."""
    if exchange.outcome == "tls-failed":
        return exchange.detail in ("timeout", "closed", "reset")
    return exchange.outcome in ("timeout", "closed", "reset")


def _speaks_otherwise(exchange: HttpExchange) -> bool:
    """Whether the port answered in a language that is neither HTTP nor TLS: positive, like a greeting."""
    if exchange.scheme == "http":
        return exchange.outcome == "not-http" and exchange.detail != "tls-record"
    return exchange.outcome == "tls-failed" and exchange.detail == "not-tls"


RULE = Rule(
    id="web.admin-unreachable",
    results=ADMIN_RESULTS,
    needs=(Need("tcp"), *(Need(role, at="address", optional=True) for role in ROLES)),
    subjects=admin_subjects,
    judge=judge_admin,
)
