"""The errors that cross rooms.

    FlexiScanError
     +-- UsageError        wrong options or configuration; nothing was sent          exit 2
     +-- ScopeRefused      authorisation missing, expired, or host not in the scope  exit 4
     +-- PluginError       a probe or report is missing or broken; nothing was sent  exit 5
     +-- RecordError       a run record cannot be written or read                    exit 2

Everything that a target does is data and never an exception.
"""

from __future__ import annotations


class FlexiScanError(Exception):
    """Names the cause and the place; `next_step` says what to do about it."""

    exit_code = 5

    def __init__(self, cause: str, next_step: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step


class UsageError(FlexiScanError):
    """Wrong options or configuration; nothing was sent."""

    exit_code = 2


class ScopeRefused(FlexiScanError):
    """The authorisation is missing, has expired, or does not cover the host; nothing was sent."""

    exit_code = 4


class PluginError(FlexiScanError):
    """A probe or report is missing or broken."""

    exit_code = 5


class RecordError(FlexiScanError):
    """A run record cannot be written or read."""

    exit_code = 2
