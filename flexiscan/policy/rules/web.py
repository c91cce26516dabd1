"""All web rules that are built."""

from __future__ import annotations

from flexiscan.policy.rule import Rule
from flexiscan.policy.rules import (
    web_admin,
    web_cookies,
    web_downgrade,
    web_headers,
    web_hsts,
    web_https,
    web_security_headers,
)

WEB_RULES: tuple[Rule, ...] = (
    web_admin.RULE,
    web_https.HTTPS_ONLY,
    web_https.REDIRECT_SOUND,
    web_downgrade.RULE,
    web_hsts.RULE,
    web_headers.POWERED_BY,
    web_headers.VERSIONS,
    web_cookies.RULE,
    web_security_headers.RULE,
)
