"""The guide's nine-line checklist as a matrix, and the questions that only the administrator can answer."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence

from flexiscan.model.endpoint import Family
from flexiscan.model.finding import VERDICTS, Finding, Verdict
from flexiscan_reports.texts import Texts
from flexiscan_reports.view_model import Cell, CheckLine, Link, Question
from flexiscan_reports.view_topics import by_rule, mark_of
from flexiscan_reports.visible import show

HOST_AREA = "host."

LINE_ITEMS: Mapping[str, frozenset[str]] = {
    "1": frozenset({"checklist-1"}),
    "2": frozenset({"checklist-2"}),
    "3": frozenset({"checklist-3", "windows-firewall"}),
    "4": frozenset({"checklist-4"}),
    "5": frozenset({"checklist-5"}),
    "6": frozenset({"checklist-6", "ip-restrictions", "iis-flexistat", "iis-tid"}),
    "7": frozenset({"checklist-7"}),
    "8": frozenset({"checklist-8", "kemp-ipv6"}),
    "9": frozenset({"checklist-9"}),
}
"""Guide items that belong to each line of the summary checklist; what belongs to none is shown as line 10."""
REST = "10"
SILENT_RESULT = "no-exposure-seen"
"""Silence that an outside test cannot tell from a block: no fault, no proof, and no reason for exit code 3."""

_ONE_FAMILY: Mapping[str, Family] = {"dns.ipv4-present": "ipv4", "dns.ipv6-present": "ipv6"}
"""Rules about the name that speak of one family only; all others without an address count for both."""


def checklist_of(
    findings: Sequence[Finding], texts: Texts, anchors: Mapping[str, str], anchor: Callable[[str], str]
) -> tuple[CheckLine, ...]:
    """The nine lines and the rest. `anchors`: where each rule is told about, for the links."""
    questions = questions_of(findings, texts, lambda rule: "")
    lines: list[CheckLine] = []
    for number in (*LINE_ITEMS, REST):
        mine = [finding for finding in findings if number in _lines(finding)]
        asked = {finding.rule for finding in mine if finding.rule.startswith(HOST_AREA)}
        seen = [finding for finding in mine if finding.rule not in asked]
        entry = texts.guide["checklist"][number]
        lines.append(
            CheckLine(
                anchor=anchor(f"checklist-{number}"),
                number="" if number == REST else number,
                title=str(entry["title"]),
                meaning=str(entry["meaning"]),
                ipv4=_cell(seen, "ipv4", texts),
                ipv6=_cell(seen, "ipv6", texts),
                links=_links(seen, texts, anchors),
                questions=tuple(question for question in questions if question.rule in asked and number != REST),
            )
        )
    return tuple(lines)


def questions_of(findings: Iterable[Finding], texts: Texts, anchor: Callable[[str], str]) -> tuple[Question, ...]:
    """What cannot be seen from outside: the question, or what the customer stated."""
    return tuple(
        Question(
            rule=finding.rule,
            anchor=anchor(finding.rule),
            title=show(texts.title(finding.rule)),
            question=texts.question(finding.rule),
            why=texts.why(finding.rule),
            do=texts.fix(texts.fix_id(finding.rule, finding.result)).do,
            attested=texts.sentence(finding) if finding.result == "attested" else "",
        )
        for finding in findings
        if finding.rule.startswith(HOST_AREA) and texts.question(finding.rule)
    )


def _lines(finding: Finding) -> frozenset[str]:
    items = frozenset(finding.guide)
    found = {number for number, wanted in LINE_ITEMS.items() if items & wanted}
    if finding.rule.startswith("ports."):
        found.add("3")
    return frozenset(found or {REST})


def _cell(findings: Iterable[Finding], family: Family, texts: Texts) -> Cell | None:
    mine = [finding for finding in findings if _is_of(finding, family)]
    tally = Tally(finding.verdict for finding in mine)
    if not tally:
        return None
    silent = all(f.result == SILENT_RESULT for f in mine if f.verdict == "inconclusive")
    details = ", ".join(texts.count(f"cell.{verdict}", tally[verdict]) for verdict in VERDICTS if tally[verdict])
    return Cell(mark_of(_status(tally, silent), texts), details)


def _status(tally: Mapping[Verdict, int], silent: bool) -> str:
    """The worst that was seen; a pass is only called so when no check of the line was left out or left open.

    `silent`: all that stayed open is silence that an outside test cannot tell from a block.
    """
    if tally.get("fail"):
        return "fail"
    if tally.get("inconclusive") and not (silent and tally.get("pass")):
        return "inconclusive"
    if tally.get("pass"):
        return "partial" if tally.get("not_checked") or tally.get("inconclusive") else "pass"
    return "not_checked" if tally.get("not_checked") else "not_applicable"


def _is_of(finding: Finding, family: Family) -> bool:
    own = finding.family or _ONE_FAMILY.get(finding.rule)
    return own is None or own == family


def _links(findings: Iterable[Finding], texts: Texts, anchors: Mapping[str, str]) -> tuple[Link, ...]:
    failed = by_rule(finding for finding in findings if finding.verdict == "fail")
    return tuple(Link(anchors[rule], show(texts.title(rule))) for rule in failed if rule in anchors)
