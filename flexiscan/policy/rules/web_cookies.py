"""web.cookies-protected: the cookies of logged-on users stay out of clear text, of scripts and of other hosts.

Guide: Secure Connection; beyond its letter. OWASP ASVS 5.0, 3.3.1 to 3.3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flexiscan.model.finding import Severity
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule
from flexiscan.policy.web.channel import channels_of
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.cookies import Cookie, read_cookie
from flexiscan.policy.web.every_answer import (
    CANNOT_TELL,
    NEEDS,
    Flaw,
    closed,
    serving_ports,
    violated,
    without_flaws,
)

RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "protected": "holds",
    "none-on-redirects": "holds",
    "set-in-clear": "violated",
    "without-secure": "violated",
    "without-httponly": "violated",
    "for-other-hosts": "violated",
    "samesite-without-secure": "violated",
    "no-session-cookie": "not-applicable",
    **CANNOT_TELL,
}
_WEIGHT = ("set-in-clear", "without-secure", "without-httponly", "for-other-hosts", "samesite-without-secure")
_SEVERITIES: Mapping[str, Severity] = {"set-in-clear": "medium"}


def judge_cookies(case: Case) -> Judgement:
    """Is every session cookie marked Secure and HttpOnly, kept to this host, and is none set over plain HTTP?"""
    found = closed(case)
    if found is not None:
        return found
    channels = tuple(channels_of(case, case.subject.port or 0).values())
    host = case.target.host.lower().rstrip(".")
    set_by = [(a, c) for channel in channels for a in channel.answers for c in _cookies(a)]
    flaws = [flaw for answer, cookie in set_by for flaw in _flaws(answer, cookie, host)]
    if flaws:
        return violated(flaws, _WEIGHT, _SEVERITIES)
    judgement = without_flaws(channels, "protected", lambda *_: "", on_redirector="none-on-redirects")
    sessions = sorted({str(cookie) for _, cookie in set_by if cookie.is_session})
    if judgement.result == "protected" and not sessions:
        return replace(judgement, outcome="not-applicable", result="no-session-cookie")
    return replace(judgement, params={**judgement.params, "cookies": sessions}) if sessions else judgement


def _cookies(answer: Answer) -> Iterable[Cookie]:
    read = (read_cookie(line) for line in answer.exchange.header_values("Set-Cookie"))
    return [cookie for cookie in read if cookie is not None]


def _flaws(answer: Answer, cookie: Cookie, host: str) -> Iterable[Flaw]:
    if answer.exchange.scheme == "http":
        yield Flaw("set-in-clear", answer, str(cookie))
        return
    if cookie.is_session and not cookie.secure:
        yield Flaw("without-secure", answer, str(cookie))
    if cookie.is_session and not cookie.http_only:
        yield Flaw("without-httponly", answer, str(cookie))
    if cookie.is_session and cookie.domain and host.endswith("." + cookie.domain):
        yield Flaw("for-other-hosts", answer, str(cookie))
    if cookie.same_site == "none" and not cookie.secure:
        yield Flaw("samesite-without-secure", answer, str(cookie))


RULE = Rule(
    id="web.cookies-protected",
    results=RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_cookies,
)
