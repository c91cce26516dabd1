"""What was concluded."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from flexiscan.model.base import Frozen
from flexiscan.model.endpoint import Family, Transport

Verdict = Literal["pass", "fail", "inconclusive", "not_applicable", "not_checked"]
Severity = Literal["critical", "high", "medium", "low", "info"]
Confidence = Literal["confirmed", "firm", "tentative"]

VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "inconclusive", "not_applicable", "not_checked")
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""From worst to mildest."""


class Finding(Frozen):
    """One rule applied to one subject. Prose is never compared: `result` is a closed id."""

    rule: str
    guide: tuple[str, ...]
    address: str | None = None
    family: Family | None = None
    transport: Transport | None = None
    port: int | None = None
    verdict: Verdict
    severity: Severity
    confidence: Confidence
    result: str
    params: dict[str, Any] = Field(default_factory=dict)
    because: tuple[str, ...] = ()
    """Ids of the observations that it rests on."""
