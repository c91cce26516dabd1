"""Rules that cannot be seen from outside: not checked until the customer attests them (guide: Windows security)."""

from __future__ import annotations

from collections.abc import Iterable

from flexiscan.model.finding import Finding
from flexiscan.model.profile import Profile
from flexiscan.model.target import Scope

HOST_AREA = "host."


def host_findings(profile: Profile, scope: Scope) -> Iterable[Finding]:
    """One finding for each host rule: attested by somebody on a day, or the question to ask."""
    attested = {attestation.rule: attestation for attestation in scope.attestations}
    for entry in profile.rules:
        if not entry.id.startswith(HOST_AREA):
            continue
        attestation = attested.get(entry.id)
        shared = {"rule": entry.id, "guide": entry.guide, "severity": entry.severity}
        if attestation is None:
            yield Finding(**shared, verdict="not_checked", confidence="firm", result="not-attested")
            continue
        params = {"by": attestation.by, "on": attestation.on.isoformat(), "note": attestation.note}
        yield Finding(**shared, verdict="pass", confidence="tentative", result="attested", params=params)
