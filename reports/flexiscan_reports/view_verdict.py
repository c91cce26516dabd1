"""The one sentence for the manager. It never calls anything safe that was not shown to be."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from flexiscan.model.finding import Finding
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_checklist import HOST_AREA, SILENT_RESULT
from flexiscan_reports.view_jobs import SERIOUS
from flexiscan_reports.view_model import HostView, Job, Mark
from flexiscan_reports.view_topics import mark_of

_WORST_FIRST = ("fail", "inconclusive", "partial", "pass")


def conclusion_of(
    findings: Sequence[Finding], jobs: Sequence[Job], interrupted: bool, texts: Texts
) -> tuple[Mark, str, str]:
    """Status, sentence, and what has to be said besides (may be empty)."""
    tally = Tally(finding.verdict for finding in findings)
    unchecked = sum(f.verdict == "not_checked" and not f.rule.startswith(HOST_AREA) for f in findings)
    serious = sum(job.severity_kind in SERIOUS for job in jobs)
    silent = sum(f.verdict == "inconclusive" and f.result == SILENT_RESULT for f in findings)
    is_open = tally["inconclusive"] - silent
    also_open = texts.count("conclusion.also_open", is_open) if is_open else ""
    also_silent = texts.count("conclusion.also_silent", silent) if silent else ""
    stopped = texts.word("conclusion.interrupted") if interrupted else ""
    also = " ".join(part for part in (also_open, also_silent, stopped) if part)
    also_unchecked = texts.count("conclusion.also_unchecked", unchecked) if unchecked else ""
    unproven = " ".join(part for part in (also_silent, also_unchecked) if part)
    if serious:
        return mark_of("fail", texts), texts.count("conclusion.fix", serious), also
    if not tally["pass"] and not tally["fail"]:
        return mark_of("inconclusive", texts), texts.word("conclusion.nothing"), also
    if jobs:
        kind = "inconclusive" if is_open or interrupted else "partial"
        return mark_of(kind, texts), texts.count("conclusion.advice", len(jobs)), also
    if interrupted:
        return mark_of("inconclusive", texts), stopped, also_open
    if is_open:
        return mark_of("inconclusive", texts), texts.count("conclusion.open", is_open), unproven
    if silent:
        return mark_of("partial", texts), texts.word("conclusion.silent"), unproven
    if unchecked:
        return mark_of("partial", texts), texts.count("conclusion.partly", unchecked), ""
    return mark_of("pass", texts), texts.word("conclusion.good"), ""


def overall(hosts: Sequence[HostView], texts: Texts) -> tuple[Mark, str]:
    """The verdict over all hosts: the host's own when there is one."""
    if len(hosts) == 1:
        return hosts[0].verdict, hosts[0].verdict_sentence
    tally = Tally(host.verdict.kind for host in hosts)
    kind = next((kind for kind in _WORST_FIRST if tally[kind]), "inconclusive")
    key = {"fail": "fix", "inconclusive": "open", "partial": "partly", "pass": "good"}[kind]
    return mark_of(kind, texts), texts.word(f"conclusion.hosts_{key}", n=tally[kind], all=len(hosts))
