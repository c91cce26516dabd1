"""web.security-headers: pages ask the browser for its protection against framing and against guessing types.

Guide: Secure Connection; beyond its letter. OWASP ASVS 5.0, 3.4.3 to 3.4.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.every_answer import (
    CANNOT_TELL,
    NEEDS,
    Flaw,
    closed,
    encrypted,
    not_encrypted,
    serving_ports,
    violated,
    without_flaws,
)

RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "present": "holds",
    "missing": "violated",
    "not-on-every-page": "violated",
    "not-encrypted": "not-applicable",
    "no-html-page": "not-applicable",
    **CANNOT_TELL,
}
_WEIGHT = ("missing", "not-on-every-page")
_FRAME_ANCESTORS = re.compile(r"(?:^|;)\s*frame-ancestors\s", re.IGNORECASE)
_ADVISED = ("Content-Security-Policy", "Referrer-Policy", "Permissions-Policy")
_OBSOLETE = ("X-XSS-Protection", "Expect-CT", "Public-Key-Pins")
"""Given up by the browsers; X-XSS-Protection could even be turned against a site (OWASP Secure Headers Project)."""


def judge_security_headers(case: Case) -> Judgement:
    """Does every HTML page forbid being framed by strangers and being read as another type?"""
    found = closed(case) or not_encrypted(case)
    if found is not None:
        return found
    channels = encrypted(case)
    pages = [answer for channel in channels for answer in channel.answers if _is_html_page(answer)]
    flaws = [Flaw("not-on-every-page", page, lacking) for page in pages for lacking in _lacking(page.exchange)]
    everywhere = {shown for shown in {f.shown for f in flaws} if sum(f.shown == shown for f in flaws) == len(pages)}
    flaws = [replace(flaw, result="missing") if flaw.shown in everywhere else flaw for flaw in flaws]
    if flaws:
        judgement = violated(flaws, _WEIGHT, {})
    else:
        judgement = without_flaws(channels, "present", lambda *_: "")
        if judgement.result == "present" and not pages:
            return replace(judgement, outcome="not-applicable", result="no-html-page")
    return replace(judgement, params={**judgement.params, **_advice(pages)})


def _is_html_page(answer: Answer) -> bool:
    types = answer.exchange.header_values("Content-Type")
    is_html = any("html" in value.lower() for value in types) or (not types and "<html" in answer.exchange.body_text)
    return is_html and answer.answer_class in ("content", "login-page")


def _lacking(exchange: HttpExchange) -> Iterable[str]:
    if [value.strip().lower() for value in exchange.header_values("X-Content-Type-Options")] != ["nosniff"]:
        yield "X-Content-Type-Options: nosniff"
    framing = {value.strip().upper() for value in exchange.header_values("X-Frame-Options")}
    policies = exchange.header_values("Content-Security-Policy")
    if not framing & {"DENY", "SAMEORIGIN"} and not any(_FRAME_ANCESTORS.search(policy) for policy in policies):
        yield "X-Frame-Options or frame-ancestors"


def _advice(pages: Sequence[Answer]) -> dict[str, object]:
    """What else could be better, for the reader; it decides nothing."""
    exchanges = [page.exchange for page in pages]
    advised = [name for name in _ADVISED if any(not exchange.header_values(name) for exchange in exchanges)]
    obsolete = [
        name
        for name in _OBSOLETE
        if any(value.strip() != "0" for exchange in exchanges for value in exchange.header_values(name))
    ]
    advice = {"advised": advised, "obsolete": obsolete}
    return {name: values for name, values in advice.items() if values}


RULE = Rule(
    id="web.security-headers",
    results=RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_security_headers,
)
