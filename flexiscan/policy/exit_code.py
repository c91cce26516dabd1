"""The exit code of a document (DESIGN 5): which of several conditions counts."""

from __future__ import annotations

from collections.abc import Iterable

from flexiscan.model.finding import SEVERITIES, Finding, Severity

PASSED = 0
FAILED = 1
USAGE = 2
INCOMPLETE = 3
REFUSED = 4
INTERNAL = 5
INTERRUPTED = 130

NO_EXPOSURE_SEEN = "no-exposure-seen"
"""Silence with no sign either way: counts as incomplete only when asked to be strict."""


def exit_code(
    findings: Iterable[Finding], *, fail_on: Severity, strict: bool, interrupted: bool, internal_error: bool
) -> int:
    """130 when interrupted; else 5 before 1 before 3 before 0. `not_checked` and `not_applicable` never count."""
    if interrupted:
        return INTERRUPTED
    if internal_error:
        return INTERNAL
    counted = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    incomplete = False
    for finding in findings:
        if finding.verdict == "fail" and finding.severity in counted:
            return FAILED
        if finding.verdict == "inconclusive" and (strict or finding.result != NO_EXPOSURE_SEEN):
            incomplete = True
    return INCOMPLETE if incomplete else PASSED
