"""Tells one rule in words, for `flexiscan explain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flexiscan.model.finding import Finding, Verdict
from flexiscan.model.profile import RuleEntry
from flexiscan_reports.sentence import fill, fill_command
from flexiscan_reports.text_width import wrap
from flexiscan_reports.texts import Texts, load_texts

WIDTH = 78

# "holds" and the rest are what rules say; findings and readers know them by these verdicts.
VERDICTS: Mapping[str, Verdict] = {
    "holds": "pass",
    "violated": "fail",
    "cannot-tell": "inconclusive",
    "not-applicable": "not_applicable",
}


def explain(entry: RuleEntry, results: Mapping[str, str], guide_lines: Sequence[str], locale: str) -> str:
    """The rule as plain text of 78 columns: what, why, guide, results, and how to fix it. Commands are not broken."""
    texts = load_texts(locale)
    lines = [*_wrapped(f"{entry.id}: {texts.title(entry.id)}", ""), texts.word(f"severity.{entry.severity}"), ""]
    lines.extend(_paragraph(texts.what(entry.id)))
    lines.extend(_paragraph(texts.why(entry.id)))
    lines.extend(_paragraph(texts.question(entry.id)))
    for line in guide_lines:
        lines.extend(_wrapped(line, "  - "))
    lines.append("")
    for result, outcome in results.items():
        lines.extend(_result(entry, result, outcome, texts))
    for name in texts.fix_ids(entry.id, frozenset(results)):
        lines.extend(_fix(entry.id, name, texts))
    return "\n".join(lines).rstrip()


def _result(entry: RuleEntry, result: str, outcome: str, texts: Texts) -> Iterable[str]:
    finding = Finding(
        rule=entry.id,
        guide=entry.guide,
        verdict=VERDICTS[outcome],
        severity=entry.severity,
        confidence="firm",
        result=result,
    )
    return _wrapped(f"{texts.word(f'verdict.{VERDICTS[outcome]}')}  {result}: {texts.sentence(finding)}", "  ")


def _fix(rule: str, name: str, texts: Texts) -> Iterable[str]:
    fix = texts.fix(name)
    ports = texts.word("explain.ports")
    values = {"host": texts.word("explain.host"), "ports": ports, "tcp_ports": ports, **texts.fixed_values(rule)}
    yield ""
    yield from _wrapped(f"[{texts.word(f'place_short.{fix.place_key}')}] {fill(fix.do, values)}", "")
    for step in fix.steps:
        yield from _wrapped(fill(step, values), "  - ")
    if fix.path:
        yield from _wrapped(fill(fix.path, values), f"  {texts.word('page.where')}: ")
    if fix.commands:
        yield from _wrapped(texts.word(f"shell.{fix.shell}"), f"  {texts.word('page.command')}: ")
    marked = {name: (f"<{name}>",) for name in ("host", "tcp_ports", "udp_ports")}
    marked |= {name: (str(value),) for name, value in texts.fixed_values(rule).items()}
    for pattern in fix.commands:
        yield from (f"      {line}" for line in fill_command(pattern, marked))


def _paragraph(text: str) -> list[str]:
    return [*_wrapped(text, ""), ""] if text else []


def _wrapped(text: str, lead: str) -> list[str]:
    return wrap(text, WIDTH, lead, " " * len(lead))
