"""All rules that are built. A rule id of the profile that is not here shows as `not_checked`, never as a pass."""

from __future__ import annotations

from flexiscan.policy.rule import Rule
from flexiscan.policy.rules import cert, dns, parity_certificate, parity_web, tls
from flexiscan.policy.rules.parity import PARITY_PORT_RULES
from flexiscan.policy.rules.ports_proven import PROVEN_PORT_RULES, as_seen_by_all
from flexiscan.policy.rules.web import WEB_RULES

RULES: tuple[Rule, ...] = (
    *PROVEN_PORT_RULES,
    *WEB_RULES,
    *tls.RULES,
    *cert.RULES,
    *dns.RULES,
    *(as_seen_by_all(rule) for rule in PARITY_PORT_RULES),
    parity_certificate.RULE,
    parity_web.RULE,
)
