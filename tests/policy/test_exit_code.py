"""The exit code of a document: every pair of conditions, and what never counts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.errors import FlexiScanError, PluginError, RecordError, ScopeRefused, UsageError
from flexiscan.model.finding import SEVERITIES, VERDICTS, Finding, Severity, Verdict
from flexiscan.policy.exit_code import (
    FAILED,
    INCOMPLETE,
    INTERNAL,
    INTERRUPTED,
    NO_EXPOSURE_SEEN,
    PASSED,
    REFUSED,
    USAGE,
    exit_code,
)


def finding(verdict: Verdict, severity: Severity = "high", result: str = "x") -> Finding:
    return Finding(rule="r", guide=(), verdict=verdict, severity=severity, confidence="firm", result=result)


def code_of(*findings: Finding, **changes: Any) -> int:
    usual = {"fail_on": "medium", "strict": False, "interrupted": False, "internal_error": False}
    return exit_code(findings, **{**usual, **changes})


CONDITIONS: dict[str, tuple[int, list[Finding], dict[str, bool]]] = {
    "nothing": (PASSED, [], {}),
    "a pass": (PASSED, [finding("pass")], {}),
    "not checked": (PASSED, [finding("not_checked")], {}),
    "not applicable": (PASSED, [finding("not_applicable")], {}),
    "a mild failure": (PASSED, [finding("fail", "low")], {}),
    "no exposure seen": (PASSED, [finding("inconclusive", result=NO_EXPOSURE_SEEN)], {}),
    "inconclusive": (INCOMPLETE, [finding("inconclusive")], {}),
    "a mild inconclusive": (INCOMPLETE, [finding("inconclusive", "info")], {}),
    "a failure": (FAILED, [finding("fail", "medium")], {}),
    "internal error": (INTERNAL, [], {"internal_error": True}),
    "interrupted": (INTERRUPTED, [], {"interrupted": True}),
}
ORDER = [INTERRUPTED, INTERNAL, FAILED, INCOMPLETE, PASSED]
"""From the strongest to the weakest; 2 and 4 end before there are findings."""


@pytest.mark.parametrize("pair", list(itertools.product(CONDITIONS, repeat=2)), ids=" and ".join)
def test_of_two_conditions_the_stronger_decides(pair: tuple[str, str]) -> None:
    one, other = (CONDITIONS[name] for name in pair)
    expected = min(one[0], other[0], key=ORDER.index)
    assert code_of(*one[1], *other[1], **{**one[2], **other[2]}) == expected
    assert code_of(*other[1], *one[1], **{**one[2], **other[2]}) == expected


@pytest.mark.parametrize(("fail_on", "severity"), list(itertools.product(SEVERITIES, repeat=2)))
def test_a_failure_counts_from_the_severity_that_was_asked_for(fail_on: Severity, severity: Severity) -> None:
    counts = SEVERITIES.index(severity) <= SEVERITIES.index(fail_on)
    assert code_of(finding("fail", severity), fail_on=fail_on) == (FAILED if counts else PASSED)


def test_strict_lets_no_exposure_seen_count() -> None:
    assert code_of(finding("inconclusive", result=NO_EXPOSURE_SEEN), strict=True) == INCOMPLETE


def test_only_an_inconclusive_finding_is_excused_by_no_exposure_seen() -> None:
    assert code_of(finding("fail", result=NO_EXPOSURE_SEEN)) == FAILED


@given(st.lists(st.builds(finding, st.sampled_from(VERDICTS), st.sampled_from(SEVERITIES))), st.randoms())
def test_the_order_of_findings_does_not_matter(findings: list[Finding], chance: Any) -> None:
    shuffled = list(findings)
    chance.shuffle(shuffled)
    assert code_of(*shuffled) == code_of(*findings)


@given(
    st.lists(st.builds(finding, st.sampled_from(VERDICTS), st.sampled_from(SEVERITIES))),
    st.builds(finding, st.sampled_from(VERDICTS), st.sampled_from(SEVERITIES)),
)
def test_one_more_finding_never_makes_it_milder(findings: list[Finding], more: Finding) -> None:
    assert ORDER.index(code_of(*findings, more)) <= ORDER.index(code_of(*findings))


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError, USAGE), (RecordError, USAGE), (ScopeRefused, REFUSED), (PluginError, INTERNAL)],
)
def test_every_error_that_ends_a_run_has_its_code(error: type[FlexiScanError], code: int) -> None:
    assert error("cause", "next step").exit_code == code
    assert str(error("cause", "next step")) == "cause"
