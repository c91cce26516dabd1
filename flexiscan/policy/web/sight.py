"""Whose pages were really seen on a channel: an absent header proves nothing where nobody could have sent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flexiscan.policy.web.channel import Channel
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.handlers import Handler
from flexiscan.policy.web.health import Health

APP_HANDLERS: Mapping[str, Handler] = {
    "/mobile/": "php",
    "/tidweb/": "php",
    "/tid/": "php",
    "/presentity/": "aspnet",
    "/api/": "aspnet",
}
"""Who makes the pages of each application (guide: Internet Information Service settings)."""
APPS_OF: Mapping[Handler, frozenset[str]] = {
    "php": frozenset({"mobile", "tidweb", "tid"}),
    "aspnet": frozenset({"presentity", "api"}),
}


@dataclass(frozen=True, slots=True)
class Sight:
    """Answers that prove a handler's part, answers that are pages, and answers to missing paths."""

    proofs: Mapping[Handler, tuple[Answer, ...]]
    pages: tuple[Answer, ...]
    errors: tuple[Answer, ...]


def sight_of(channel: Channel, health: Health) -> Sight:
    """Who was seen at work on a channel.

    A handler is proven by a sign that only it leaves (a session cookie, its error text, __VIEWSTATE), or by a page
    at the address where the guide says that this handler makes it, unlike a missing page and not a plain file.
    """
    own = channel.of("web-look") + channel.of("web-canary") + channel.of("web-sample")
    pages = tuple(answer for answer in own if _is_page(answer, health))
    proofs: dict[Handler, tuple[Answer, ...]] = {}
    for answer in channel.answers:
        proven = set(answer.handlers)
        made_by = APP_HANDLERS.get(answer.exchange.target.lower())
        if made_by is not None and answer in pages and not _is_plain_file(answer):
            proven.add(made_by)
        for handler in proven:
            proofs[handler] = (*proofs.get(handler, ()), answer)
    errors = tuple(answer for answer in channel.of("web-missing") if answer.readable)
    return Sight(proofs, pages, errors)


def _is_page(answer: Answer, health: Health) -> bool:
    """Whether the application itself answered: a page, a login, or the refusal of an interface."""
    if answer.answer_class not in ("content", "login-page", "login-required"):
        return False
    return not any(base.includes(answer.fingerprint) for base in health.baselines.values())


def _is_plain_file(answer: Answer) -> bool:
    """IIS sends validators with files from disk, and the handlers do not unless told to."""
    exchange = answer.exchange
    return bool(exchange.header_values("ETag")) and bool(exchange.header_values("Last-Modified"))
