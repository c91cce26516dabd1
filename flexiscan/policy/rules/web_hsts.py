"""web.hsts-enabled: browsers are told to come back over HTTPS only, by every answer.

Guide: checklist 9 (use only https); beyond its letter. RFC 6797.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flexiscan.policy.rule import Case, Judgement, Outcome, Rule
from flexiscan.policy.web.classes import Answer
from flexiscan.policy.web.clear import asked_for_pages
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
from flexiscan.policy.web.hsts import ONE_YEAR_S, read_transport_security

RESULTS: Mapping[str, Outcome] = {
    "not-served": "holds",
    "on-every-answer": "holds",
    "absent": "violated",
    "switched-off": "violated",
    "unreadable": "violated",
    "not-on-every-answer": "violated",
    "too-short": "violated",
    "not-encrypted": "not-applicable",
    **CANNOT_TELL,
}
_WEIGHT = ("absent", "switched-off", "unreadable", "not-on-every-answer", "too-short")


def judge_hsts(case: Case) -> Judgement:
    """Does every encrypted answer carry the header, for a year at least?

    The answer to the malformed request is left out: the system's kernel writes it, where no site can add headers.
    """
    found = closed(case) or not_encrypted(case)
    if found is not None:
        return found
    channels = encrypted(case)
    answers = [a for channel in channels for a in asked_for_pages(channel) if _is_the_sites(a)]
    flaws = [flaw for answer in answers for flaw in _flaws(answer)]
    if flaws and all(flaw.result == "not-on-every-answer" for flaw in flaws) and len(flaws) == len(answers):
        flaws = [replace(flaw, result="absent") for flaw in flaws]
    if flaws:
        return violated(flaws, _WEIGHT, {})
    judgement = without_flaws(channels, "on-every-answer", lambda *_: "")
    return replace(judgement, params={**judgement.params, **_said(answers)})


def _is_the_sites(answer: Answer) -> bool:
    written_elsewhere = ("blocked-page", "kernel-refusal")
    return answer.readable and answer.exchange.outcome == "response" and answer.answer_class not in written_elsewhere


def _flaws(answer: Answer) -> Iterable[Flaw]:
    values = answer.exchange.header_values("Strict-Transport-Security")
    path = answer.exchange.target
    if not values:
        yield Flaw("not-on-every-answer", answer, path)
        return
    policy = read_transport_security(values[0])  # RFC 6797 section 8.1: the first line counts
    if policy is None:
        yield Flaw("unreadable", answer, values[0])
    elif policy.max_age_s == 0:
        yield Flaw("switched-off", answer, values[0])
    elif policy.max_age_s < ONE_YEAR_S:
        yield Flaw("too-short", answer, values[0])


def _said(answers: Sequence[Answer]) -> dict[str, object]:
    values = {value for answer in answers for value in answer.exchange.header_values("Strict-Transport-Security")[:1]}
    policies = [policy for value in values if (policy := read_transport_security(value)) is not None]
    if not policies:
        return {}
    return {
        "max_age_s": min(policy.max_age_s for policy in policies),
        "include_subdomains": all(policy.include_subdomains for policy in policies),
        "may_be_preloaded": all(policy.may_be_preloaded for policy in policies),
    }


RULE = Rule(
    id="web.hsts-enabled",
    results=RESULTS,
    needs=NEEDS,
    subjects=serving_ports,
    judge=judge_hsts,
)
