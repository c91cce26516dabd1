"""What the command line, a cron job and a task engine call. Everything else is a room behind these doors."""

from __future__ import annotations

from flexiscan.api.dry_run import Estimate, estimate
from flexiscan.api.judge import judge, judge_record
from flexiscan.api.request import ScanRequest, Watch
from flexiscan.api.scan import scan
from flexiscan.api.witness import WitnessProof

__all__ = ["Estimate", "ScanRequest", "Watch", "WitnessProof", "estimate", "judge", "judge_record", "scan"]
