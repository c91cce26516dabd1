"""The Strict-Transport-Security header (RFC 6797)."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE_YEAR_S = 31_536_000
"""Least max-age that OWASP ASVS 5.0 (3.4.1), Internet.nl and the browsers' preload list ask for."""
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,18})\"?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TransportSecurity:
    """What one header value says."""

    max_age_s: int
    include_subdomains: bool
    preload: bool

    @property
    def may_be_preloaded(self) -> bool:
        """Whether the value keeps what the preload list asks of it."""
        return self.preload and self.include_subdomains and self.max_age_s >= ONE_YEAR_S


def read_transport_security(value: str) -> TransportSecurity | None:
    """The header's meaning; None where max-age is missing, unreadable or given twice, so that browsers ignore it.

    RFC 6797 section 6.1: directives in any order and case, unknown ones ignored, each at most once.
    """
    directives = [part.strip() for part in value.split(";")]
    ages = [directive for directive in directives if directive.lower().startswith("max-age")]
    match = _MAX_AGE.match(ages[0]) if len(ages) == 1 else None
    if match is None:
        return None
    names = {directive.lower() for directive in directives}
    return TransportSecurity(int(match[1]), "includesubdomains" in names, "preload" in names)
