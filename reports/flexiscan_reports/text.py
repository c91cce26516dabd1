"""The terminal summary."""

from __future__ import annotations

from flexiscan.model.finding import Finding
from flexiscan.model.renderer import RendererSpec, RenderOptions
from flexiscan.model.result import ResultDocument
from flexiscan_reports.visible import show

_SIGNS = {"fail": "x FAIL", "inconclusive": "? UNKNOWN", "pass": "+ PASS"}


def render(document: ResultDocument, options: RenderOptions) -> bytes:
    """The summary: failures and open questions, passes when verbose, the verdict last."""
    lines: list[str] = []
    for target in document.targets:
        lines.append(show(target.host))
        shown = ("fail", "inconclusive", "pass") if options.verbose else ("fail", "inconclusive")
        for verdict in shown:
            lines.extend(_line(finding) for finding in target.findings if finding.verdict == verdict)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in document.summary.items())
    lines.append(" ".join([counts, *options.written, f"exit {document.exit_code}"]))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _line(finding: Finding) -> str:
    place = " ".join(str(part) for part in (finding.address, finding.transport, finding.port) if part is not None)
    return f"  {_SIGNS[finding.verdict]:<10} {finding.severity:<8} {finding.rule} {place} {finding.result}"


SPEC = RendererSpec(format="text", suffix=".txt", render=render)
