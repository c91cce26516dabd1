"""Tells one rule in words, for `flexiscan explain`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from flexiscan.model.finding import Finding
from flexiscan.model.profile import RuleEntry
from flexiscan_reports.texts import Texts, load_texts

WIDTH = 78

# "holds" and the rest are what rules say; findings and readers know them by these verdicts.
VERDICTS = {
    "holds": "pass",
    "violated": "fail",
    "cannot-tell": "inconclusive",
    "not-applicable": "not_applicable",
}


def explain(entry: RuleEntry, results: Mapping[str, str], guide_lines: Sequence[str], locale: str) -> str:
    """The rule as plain text of 78 columns: what, why, guide, results, and how to fix it."""
    texts = load_texts(locale)
    lines = [f"{entry.id}: {texts.title(entry.id)}", texts.word(f"severity.{entry.severity}"), ""]
    lines.extend(_paragraph(texts.what(entry.id)))
    lines.extend(_paragraph(texts.why(entry.id)))
    lines.extend(_paragraph(texts.question(entry.id)))
    lines.extend(f"  - {line}" for line in guide_lines)
    lines.append("")
    for result, outcome in results.items():
        lines.extend(_result(entry, result, outcome, texts))
    for name in texts.fix_ids(entry.id, frozenset(results)):
        fix = texts.fix(name)
        lines.extend(["", f"[{fix.place}]", *_wrapped(fix.do, "  ")])
        lines.extend(line for step in fix.steps for line in _wrapped(step, "  - "))
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


def _paragraph(text: str) -> list[str]:
    return [*_wrapped(text, ""), ""] if text else []


def _wrapped(text: str, lead: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
