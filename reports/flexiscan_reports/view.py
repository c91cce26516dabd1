"""From the result document to what a report shows. Pure: grouping, order, counts and sentences are made here."""

from __future__ import annotations

import datetime as dt
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence

from flexiscan.model.endpoint import FAMILIES
from flexiscan.model.finding import VERDICTS, Finding, Verdict
from flexiscan.model.observation import Observation
from flexiscan.model.result import ResultDocument, TargetResult
from flexiscan_reports.moment import local_and_utc, local_short
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_checklist import HOST_AREA, checklist_of, questions_of
from flexiscan_reports.view_evidence import exhibit_of
from flexiscan_reports.view_jobs import SERIOUS, grouped, jobs_of
from flexiscan_reports.view_model import AddressLine, Counter, HostView, Proof, Reason, ReportView, Topic
from flexiscan_reports.view_raw import capture_line
from flexiscan_reports.view_run import guide_line, run_facts, sources, took
from flexiscan_reports.view_topics import by_rule, mark_of, topic_of, unique_anchors, without_anchor
from flexiscan_reports.view_verdict import conclusion_of, overall
from flexiscan_reports.visible import show

MAX_FIRST = 4
"""Jobs that the first screen names."""
MAX_EXHIBITS_OF_TOPIC = 6
MAX_EXHIBITS = 120
"""Together they keep a typical report below 300 KB; the JSON document has every observation."""

_FIRST_SCREEN: tuple[Verdict, ...] = ("pass", "fail", "inconclusive", "not_checked")


def build_view(document: ResultDocument, texts: Texts, zone: dt.tzinfo | None = None) -> ReportView:
    """Everything that a report shows, in one language. `zone`: for local times; the machine's own by default."""
    several = len(document.targets) != 1
    hosts = tuple(_host_view(document, target, texts, several) for target in document.targets)
    verdict, sentence = overall(hosts, texts)
    run = document.run
    title = texts.count("page.title_many", len(hosts)) if several else texts.word("page.title", host=hosts[0].host)
    return ReportView(
        language=texts.locale,
        title=title,
        heading=texts.count("page.heading_many", len(hosts)) if several else hosts[0].host,
        when=local_and_utc(run.started, texts.locale, zone),
        when_short=local_short(run.started, zone),
        took=took(run, texts),
        sources=sources(document.vantage, texts),
        capture=capture_line(run, texts),
        guide=guide_line(document.guide, texts),
        authorised_by=show(document.authorisation.authorised_by),
        hosts=hosts,
        verdict=verdict,
        verdict_sentence=sentence,
        run_facts=run_facts(document, texts, zone),
        controls=tuple(
            texts.word("page.control_line", address=tally.address, answered=tally.answered, asked=tally.asked)
            for tally in document.vantage.controls
        ),
        limits=tuple(str(line) for line in texts.words["limits"]["list"]),
        made_by=texts.word("page.made_by", name="FlexiScan", version=document.tool.version),
        exit_code=document.exit_code,
        exit_line=texts.exit_line(document.exit_code),
    )


def _host_view(document: ResultDocument, target: TargetResult, texts: Texts, several: bool) -> HostView:
    host = show(target.host)
    anchor = unique_anchors(f"{target.host.lower()}_" if several else "")
    of = {verdict: [f for f in target.findings if f.verdict == verdict] for verdict in VERDICTS}
    jobs = jobs_of(of["fail"], texts, target.host, document.authorisation, anchor)
    first = tuple(job for job in jobs if job.severity_kind in SERIOUS) or jobs
    mark, sentence, also = conclusion_of(target.findings, jobs, document.run.interrupted, texts)
    anchors = {topic.rule: topic.anchor for job in reversed(jobs) for topic in job.topics}
    seen = [finding for finding in of["not_checked"] if not finding.rule.startswith(HOST_AREA)]
    tally = Tally(finding.verdict for finding in target.findings)
    open_reasons = reasons_of(of["inconclusive"], texts, target.host, anchor)
    return HostView(
        anchor=anchor("host"),
        host=host,
        addresses=_addresses(target, texts),
        verdict=mark,
        verdict_sentence=sentence,
        also=also,
        counters=tuple(Counter(mark_of(kind, texts), tally[kind]) for kind in _FIRST_SCREEN),
        small=texts.count("page.small_na", tally["not_applicable"]),
        first=first[:MAX_FIRST],
        first_more=texts.count("page.first_more", len(jobs) - MAX_FIRST) if len(jobs) > MAX_FIRST else "",
        first_open=_distinct_advice(open_reasons)[:MAX_FIRST],
        checklist=checklist_of(target.findings, texts, anchors, anchor),
        jobs=jobs,
        groups=grouped(jobs, texts, anchor),
        open=open_reasons,
        questions=questions_of(target.findings, texts, anchor),
        proofs=_proofs(target, texts, anchor),
        passes=_topics(of["pass"], texts, target.host),
        passes_title=texts.count("page.passes", tally["pass"]),
        not_applicable=_topics(of["not_applicable"], texts, target.host),
        not_applicable_title=texts.count("page.not_applicable", tally["not_applicable"]),
        not_checked=reasons_of(seen, texts, target.host, anchor),
    )


def reasons_of(
    findings: Iterable[Finding], texts: Texts, host: str, anchor: Callable[[str], str]
) -> tuple[Reason, ...]:
    """Findings by the reason that they have in common, the reason of most findings first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.result, texts.sentence(finding)), []).append(finding)
    order = sorted(groups, key=lambda key: -len(groups[key]))
    return tuple(
        Reason(
            result=show(result),
            sentence=sentence,
            advice=texts.advice(groups[result, sentence][0]),
            topics=tuple(
                topic_of(rule, group, texts, host, lambda name, why=result: anchor(f"{why}-{name}"))  # type: ignore[misc]
                for rule, group in by_rule(groups[result, sentence]).items()
            ),
        )
        for result, sentence in order
    )


def _distinct_advice(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({reason.advice or reason.sentence: reason for reason in reversed(tuple(reasons))}.values())[::-1]


def _addresses(target: TargetResult, texts: Texts) -> tuple[AddressLine, ...]:
    lines = []
    for family in FAMILIES:
        for endpoint in (e for e in target.endpoints if e.family == family):
            tally = Tally(f.verdict for f in target.findings if f.address == endpoint.address)
            notes = [texts.word(f"state.{endpoint.state}")] if endpoint.state != "in-scope" else []
            notes += [texts.word("state.origin")] if endpoint.origin else []
            counters = tuple(Counter(mark_of(kind, texts), tally[kind]) for kind in _FIRST_SCREEN[:3] if tally)
            name = texts.word(f"family.{family}")
            lines.append(AddressLine(name, show(endpoint.address), ", ".join(notes), counters))
    return tuple(lines)


def _topics(findings: Iterable[Finding], texts: Texts, host: str) -> tuple[Topic, ...]:
    return tuple(topic_of(rule, group, texts, host, without_anchor) for rule, group in by_rule(findings).items())


def _proofs(target: TargetResult, texts: Texts, anchor: Callable[[str], str]) -> tuple[Proof, ...]:
    """Failures and open questions with their observations; an observation is shown once, where it first counts."""
    known = {observation.id: observation for observation in target.observations}
    shown: set[str] = set()
    proofs: list[Proof] = []
    for verdict in ("fail", "inconclusive"):
        findings = [f for f in target.findings if f.verdict == verdict and (verdict == "fail" or f.because)]
        for rule, group in by_rule(findings).items():
            topic = topic_of(rule, group, texts, target.host, lambda name: anchor(f"evidence-{name}"))
            wanted = _wanted(group, known)
            room = max(0, min(MAX_EXHIBITS_OF_TOPIC, MAX_EXHIBITS - len(shown)))
            kept = [observation for observation in wanted if observation.id not in shown][:room]
            shown.update(observation.id for observation in kept)
            left = len(wanted) - len(kept)
            more = texts.count("page.more_observations", left) if left else ""
            exhibits = tuple(exhibit_of(observation, texts, anchor) for observation in kept)
            proofs.append(Proof(topic, mark_of(verdict, texts), exhibits, more))
    return tuple(proofs)


def _wanted(findings: Sequence[Finding], known: dict[str, Observation]) -> list[Observation]:
    """Observations behind findings: first one of each finding, then the others, so that no place goes unseen."""
    rows = [[known[name] for name in finding.because if name in known] for finding in findings]
    depth = max((len(row) for row in rows), default=0)
    ordered = [row[index] for index in range(depth) for row in rows if index < len(row)]
    return list({observation.id: observation for observation in ordered}.values())
