"""What has to be done: failures put together by the fix that puts them right, grouped by where it is made."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence

from flexiscan.model.finding import SEVERITIES, Finding
from flexiscan.model.result import AuthorisationShown
from flexiscan_reports.sentence import fill, fill_command
from flexiscan_reports.texts import Fix, Texts
from flexiscan_reports.view_model import Job, JobGroup
from flexiscan_reports.view_topics import by_rule, port_label, rank, topic_of, worst
from flexiscan_reports.visible import show

PLACES = ("proxy", "iis", "php.ini", "firewall", "certificate", "dns", "server", "scanner", "other")
SERIOUS = frozenset({"critical", "high", "medium"})
"""Severities that make a host not safe to leave as it is; the guide asks for these (DESIGN 5)."""

_NO_FIX = Fix(place="other", do="", steps=(), breaks="", undo="")


def jobs_of(
    failures: Sequence[Finding],
    texts: Texts,
    host: str,
    authorisation: AuthorisationShown,
    anchor: Callable[[str], str],
) -> tuple[Job, ...]:
    """One job for each fix, the worst first; among equals in the order of the findings."""
    groups: dict[str, list[Finding]] = {}
    for finding in failures:
        name = texts.fix_id(finding.rule, finding.result)
        groups.setdefault(name or f"?{finding.rule}", []).append(finding)
    jobs = [_job(name, group, texts, host, authorisation, anchor) for name, group in groups.items()]
    return tuple(sorted(jobs, key=lambda job: SEVERITIES.index(job.severity_kind)))


def grouped(jobs: Iterable[Job], texts: Texts, anchor: Callable[[str], str]) -> tuple[JobGroup, ...]:
    """Jobs by place; the place with the worst job first, otherwise in the order of PLACES."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.place_key, []).append(job)
    order = sorted(groups, key=lambda place: (SEVERITIES.index(groups[place][0].severity_kind), PLACES.index(place)))
    return tuple(
        JobGroup(anchor(f"at-{place}"), texts.word(f"place.{_key(place)}"), tuple(groups[place])) for place in order
    )


def retest_command(rules: Iterable[str], host: str, authorisation: AuthorisationShown) -> str:
    """What to type to look at these rules alone again. Quoted for a shell."""
    allowed = (
        "--scope scope.toml"
        if authorisation.scope_sha256
        else f"--authorised-by {shlex.quote(show(authorisation.authorised_by, 100))}"
    )
    return f"flexiscan scan {shlex.quote(show(host))} --only {','.join(rules)} {allowed}"


def _job(
    name: str,
    findings: Sequence[Finding],
    texts: Texts,
    host: str,
    authorisation: AuthorisationShown,
    anchor: Callable[[str], str],
) -> Job:
    rules = by_rule(sorted(findings, key=lambda finding: rank(finding.severity)))
    topics = tuple(topic_of(rule, group, texts, host, anchor) for rule, group in rules.items())
    severity = worst(findings)
    fix = _NO_FIX if name.startswith("?") else texts.fix(name)
    values = _values(findings, texts, host)
    prose = {key: ", ".join(value) for key, value in values.items()}
    place = fix.place if fix.place in PLACES else "other"
    return Job(
        anchor=anchor(f"fix-{name.lstrip('?')}"),
        do=fill(fix.do, prose) if fix.do else topics[0].title,
        place=texts.word(f"place.{_key(place)}"),
        place_short=texts.word(f"place_short.{_key(place)}"),
        place_key=place,
        severity=texts.word(f"severity.{severity}"),
        severity_kind=severity,
        topics=topics,
        steps=tuple(fill(step, prose) for step in fix.steps),
        path=_first(fill_command(fix.path, values)) if fix.path else "",
        shell=texts.word(f"shell.{fix.shell}") if fix.shell else "",
        commands=_commands(fix.commands, values),
        breaks=fill(fix.breaks, prose),
        undo=fill(fix.undo, prose),
        undo_commands=_commands(fix.undo_commands, values),
        retest=retest_command([topic.rule for topic in topics], host, authorisation),
    )


SPAN = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
MOST_SWEPT = 50
"""Ports of a sweep that a command names."""


def _values(findings: Iterable[Finding], texts: Texts, host: str) -> dict[str, tuple[str, ...]]:
    """What fixes may name: the host, the ports concerned, and the fixed values of the rules. Nothing hostile."""
    findings = list(findings)
    values: dict[str, dict[str, None]] = {"host": {show(host): None}, "ports": {}}
    for finding in findings:
        if finding.port is not None:
            values["ports"][port_label(finding)] = None
        values["ports"] |= {
            f"{first}-{last}/tcp" if first != last else f"{first}/tcp": None for first, last in swept(finding)
        }
        for key, value in texts.fixed_values(finding.rule).items():
            values.setdefault(key, {})[str(value)] = None
    named = {key: tuple(members) for key, members in values.items()}
    for transport in ("tcp", "udp"):
        numbers = sorted({f.port for f in findings if f.port is not None and f.transport == transport})
        if transport == "tcp":
            numbers += [port for f in findings for span in swept(f) for port in range(span[0], span[1] + 1)][
                :MOST_SWEPT
            ]
        named[f"{transport}_ports"] = (",".join(str(number) for number in numbers),) if numbers else ()
    return named


def swept(finding: Finding) -> tuple[tuple[int, int], ...]:
    """Ranges of TCP ports that a finding about a whole address names: "22", "8000-8010"."""
    if finding.port is not None or finding.transport != "tcp":
        return ()
    named = finding.params.get("ports", ())
    spans = [SPAN.fullmatch(span) for span in named if isinstance(span, str)] if isinstance(named, list | tuple) else []
    return tuple((int(span[1]), int(span[2] or span[1])) for span in spans if span is not None)


def _commands(lines: Iterable[str], values: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(filled for line in lines for filled in fill_command(line, values))


def _first(lines: tuple[str, ...]) -> str:
    return lines[0] if lines else ""


def _key(place: str) -> str:
    return place.replace(".", "_")
