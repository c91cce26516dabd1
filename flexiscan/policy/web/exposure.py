"""Whether a path that must stay closed is served on one channel of one port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flexiscan.model.finding import Confidence
from flexiscan.policy.rule import Judgement, Outcome, Seen
from flexiscan.policy.web.channel import Channel
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.clear import redirects_throughout
from flexiscan.policy.web.fingerprint import Baseline, baseline
from flexiscan.policy.web.health import Health, health_of
from flexiscan.policy.web.variant import OPEN, REFUSED, Reading, read_variant

RESULTS: Mapping[str, Outcome] = {
    "same-as-missing": "holds",
    "not-found-differently": "holds",
    "denied": "holds",
    "aborted": "holds",
    "redirects-to-https": "holds",
    "open-confirmed": "violated",
    "open": "violated",
    "asks-for-login": "violated",
    "application-error": "violated",
    "handler-reached": "violated",
    "no-answer": "cannot-tell",
    "tls-failed": "cannot-tell",
    "proxy-error": "cannot-tell",
    "rate-limited": "cannot-tell",
    "blocked-page": "cannot-tell",
    "site-login": "cannot-tell",
    "user-agent-discrimination": "cannot-tell",
    "unstable-baseline": "cannot-tell",
    "unstable": "cannot-tell",
    "unclear-answer": "cannot-tell",
    "canary-lost": "cannot-tell",
    "no-canary": "cannot-tell",
    "incomplete": "cannot-tell",
}
"""What a channel can come to. A `redirects-to-https` holds only as far as the destination does."""

_BECAUSE_LIMIT = 8
"""Observations named for a failure; the rest say the same."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one channel came to."""

    channel: Channel
    result: str
    because: tuple[Seen, ...]
    confidence: Confidence = "firm"
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The outcome that the result stands for."""
        return RESULTS[self.result]

    def judgement(self) -> Judgement:
        """As a judgement, with the channel named."""
        params = {"channel": self.channel.name, **self.params}
        return Judgement(self.outcome, self.result, self.because, self.confidence, params=params)


def expose(channel: Channel) -> Exposure:
    """Judge a channel on which the whole set of questions was asked."""
    health = health_of(channel)
    readings = {
        path: read_variant(answers, health.baselines.get(path, Baseline((), 1.0, frozenset())))
        for path, answers in channel.variants().items()
    }
    confirmed = _confirmed_by_name(channel)
    if confirmed:
        return _violated(channel, Reading("open", "open-confirmed", confirmed), health)
    if health.obstacle in ("", "no-canary"):
        opened = [reading for reading in readings.values() if reading.kind == "open"]
        if opened:
            return _violated(channel, min(opened, key=lambda r: OPEN.index(r.result)), health)
    if health.obstacle not in ("", "no-canary"):
        return _cannot_tell(channel, health.obstacle, health.because)
    return _without_opening(channel, health, list(readings.values()))


def _without_opening(channel: Channel, health: Health, readings: Sequence[Reading]) -> Exposure:
    """No spelling is open: refused for certain, neutral, or not to be told."""
    because = (*health.because, *(answer.seen for reading in readings for answer in reading.answers))
    if not readings:
        return _cannot_tell(channel, "incomplete", because)
    unclear = [reading.result for reading in readings if reading.kind == "unclear"]
    if "site-login" in unclear:
        return _cannot_tell(channel, "site-login", because)
    if unclear:
        return _cannot_tell(channel, unclear[0], because)
    browser = _browser_obstacle(channel, health)
    if browser:
        return _cannot_tell(channel, browser, because)
    sends_on = any(reading.result == "redirects-to-https" for reading in readings)
    if sends_on and (health.obstacle == "" or redirects_throughout(channel)):
        return Exposure(channel, "redirects-to-https", because)
    if health.obstacle:
        alike = all(reading.result == "same-as-missing" for reading in readings)
        redirected = any(a.answer_class.startswith("redirect-") for r in readings for a in r.answers)
        return _cannot_tell(channel, "site-login" if alike and redirected else health.obstacle, because)
    refused = [reading for reading in readings if reading.kind == "refused"]
    if not refused:
        return _cannot_tell(channel, "unclear-answer", because)
    result = max((reading.result for reading in refused), key=REFUSED.index)
    return Exposure(channel, result, because)


def _confirmed_by_name(channel: Channel) -> tuple[Answer, ...]:
    """Answers that name the administration web, when no missing page and no canary does so too.

    Such an answer is its own proof: whatever state the controls are in, this page was served.
    """
    controls = (*channel.of("web-missing"), *channel.of("web-canary"), *channel.of("web-missing", "browser"))
    if any(answer.admin_marker for answer in controls):
        return ()
    asked = (*channel.of("web-admin"), *channel.of("web-admin", "browser"))
    named = tuple(
        answer
        for answer in asked
        if answer.admin_marker and answer.answer_class in ("login-page", "content", "login-required")
    )
    return named if len(named) > 1 else ()


def _browser_obstacle(channel: Channel, health: Health) -> str:
    """Whether a browser's User-Agent gets something else from the same paths than ours did."""
    if channel.name == "h2":
        return ""  # asked as ourselves alone: the channel of HTTP/1 has the browser's questions
    controls = (*channel.of("web-canary", "browser"), *channel.of("web-missing", "browser"))
    if not any(answer.readable for answer in controls):
        return "incomplete"
    missing = channel.by_shape("browser")
    for path, answers in channel.variants("browser").items():
        theirs = [answer.fingerprint for answer in missing.get(path, ()) if answer.readable]
        ours = health.baselines[path].members if path in health.baselines else ()
        reading = read_variant(answers, baseline((*ours, *theirs)))
        if reading.kind not in ("refused", "neutral") and reading.result not in ("no-answer", "proxy-error"):
            return "user-agent-discrimination"
    return ""


def _violated(channel: Channel, reading: Reading, health: Health) -> Exposure:
    first = reading.answers[0]
    params = {
        "path": first.exchange.target,
        "paths": sorted({answer.exchange.target for answer in reading.answers}),
        "status": first.exchange.status,
        "class": first.answer_class,
    }
    because = (*(answer.seen for answer in reading.answers), *health.because)[:_BECAUSE_LIMIT]
    confidence: Confidence = "confirmed" if reading.result == "open-confirmed" else "firm"
    return Exposure(channel, reading.result, because, confidence, params)


def _cannot_tell(channel: Channel, result: str, because: tuple[Seen, ...]) -> Exposure:
    return Exposure(channel, result, because)
