"""All web rules that are built."""

from __future__ import annotations

from flexiscan.policy.rule import Rule
from flexiscan.policy.rules import web_admin, web_headers, web_https

WEB_RULES: tuple[Rule, ...] = (
    web_admin.RULE,
    web_https.HTTPS_ONLY,
    web_https.REDIRECT_SOUND,
    web_headers.POWERED_BY,
    web_headers.VERSIONS,
)
