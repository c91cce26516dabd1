"""web.no-downgrade: HTTPS pages never lead back to HTTP.

Guide: checklist 9 (use only https), Kemp HTTPS. Where the proxy takes the encryption off, the applications believe
that they are used over HTTP and write such addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flexiscan.model.finding import Severity
from flexiscan.policy.rule import Case, Judgement, Outcome, Rule
from flexiscan.policy.web.channel import Channel, host_names
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
from flexiscan.policy.web.links import links_of
from flexiscan.policy.web.location import destination
from flexiscan.policy.web.sight import Sight

RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "stays-encrypted": "holds",
    "redirects-down": "violated",
    "form-leads-down": "violated",
    "base-leads-down": "violated",
    "links-lead-down": "violated",
    "not-encrypted": "not-applicable",
    **CANNOT_TELL,
}
_WEIGHT = ("redirects-down", "form-leads-down", "base-leads-down", "links-lead-down")
_SEVERITIES: Mapping[str, Severity] = {
    "redirects-down": "high",
    "form-leads-down": "high",
    "base-leads-down": "high",
    "links-lead-down": "low",
}
"""What is sent by itself, logons included, is worse than what somebody must click."""
_BY_LINK = {
    "form": "form-leads-down",
    "base": "base-leads-down",
    "refresh": "redirects-down",
    "link": "links-lead-down",
    "load": "links-lead-down",
}


def judge_downgrade(case: Case) -> Judgement:
    """Does any redirect, form or link of an encrypted answer lead to this host over plain HTTP?"""
    found = closed(case) or not_encrypted(case)
    if found is not None:
        return found
    channels = encrypted(case)
    names = host_names(case.target, case.subject.address or "")
    flaws = [flaw for channel in channels for answer in channel.answers for flaw in _flaws(answer, names)]
    if flaws:
        return violated(flaws, _WEIGHT, _SEVERITIES)
    judgement = without_flaws(channels, "stays-encrypted", _unseen)
    if any(answer.exchange.body_truncated for channel in channels for answer in channel.answers):
        return replace(judgement, confidence="tentative", params={**judgement.params, "ends_of_pages_unseen": True})
    return judgement


def _flaws(answer: Answer, names: frozenset[str]) -> Iterable[Flaw]:
    if answer.exchange.outcome != "response":
        return
    there = destination(answer.exchange)
    if there is not None and not there.is_https and there.host in names:
        location = ", ".join(answer.exchange.header_values("Location"))
        yield Flaw("redirects-down", answer, f"{answer.exchange.target} -> {location}")
    for link in links_of(answer.exchange.body_text):
        if link.scheme == "http" and link.host in names:
            yield Flaw(_BY_LINK[link.kind], answer, f"{answer.exchange.target} -> {link.url}")


def _unseen(channel: Channel, _: Sight) -> str:
    """The redirect of IIS from an application's name to its folder is where it usually happens."""
    asked = [a for a in channel.of("web-sample") if a.seen.task.params.get("sample") == "redirect" and a.readable]
    return "" if asked else "incomplete"


RULE = Rule(
    id="web.no-downgrade",
    results=RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_downgrade,
)
