"""All rules that are built. A rule id of the profile that is not here shows as `not_checked`, never as a pass."""

from __future__ import annotations

from flexiscan.policy.rule import Rule

RULES: tuple[Rule, ...] = ()
