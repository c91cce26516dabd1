"""parity.certificate-equal: every address shows the same certificates and agrees to the same encryption.

Guide: checklist 8 and 5; Kemp overview (IPv4 and IPv6 are virtual services of their own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from flexiscan.model.facts_tls import TlsVersion
from flexiscan.policy.cert.chains import chains_of
from flexiscan.policy.parity.at_address import case_at, distinct, published
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Rule, Seen, the_host
from flexiscan.policy.tls.answers import HELLO_NEEDS
from flexiscan.policy.tls.suite_list import suites_by_version
from flexiscan.policy.tls.weakness import shown_name

RESULTS: Final[Mapping[str, Outcome]] = {
    "equal": "holds",
    "same-key": "holds",
    "certificates-differ": "violated",
    "versions-differ": "violated",
    "suites-differ": "violated",
    "single-address": "not-applicable",
    "not-comparable": "cannot-tell",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one address showed. `suites` of a version is None where the list is not complete."""

    address: str
    certificates: frozenset[str]
    keys: frozenset[bytes]
    suites: Mapping[TlsVersion, frozenset[int] | None]
    because: tuple[Seen, ...]

    @property
    def versions(self) -> frozenset[TlsVersion]:
        """Versions that were agreed to, as far as they are known."""
        return frozenset(version for version, suites in self.suites.items() if suites)


def judge_certificate_equal(case: Case) -> Judgement:
    """Do all addresses that speak TLS show one set of certificates, and agree to the same versions and suites?"""
    port = case.target.https_port
    addresses = published(case)
    if len(addresses) < 2:
        return Judgement("not-applicable", "single-address")
    found = {address.address: _at(case_at(case, address.address, port)) for address in addresses}
    speaking = [shown for shown in found.values() if isinstance(shown, _Shown)]
    unknown = [shown for shown in found.values() if isinstance(shown, Judgement) and shown.outcome == "cannot-tell"]
    because = tuple(seen for shown in speaking for seen in shown.because)
    if len(speaking) + len(unknown) < 2:
        return Judgement("not-applicable", "single-address", because)
    return _different(speaking) or _alike(speaking, unknown, because)


def _at(case: Case) -> _Shown | Judgement:
    chains = chains_of(case)
    if isinstance(chains, Judgement):
        return chains
    lists = suites_by_version(case)
    because = [chain.seen[0] for chain in chains] + [a.seen for entry in lists for a in entry.agreed.values()]
    return _Shown(
        address=case.subject.address or "",
        certificates=frozenset(chain.leaf.sha256 for chain in chains),
        keys=frozenset(chain.leaf.spki for chain in chains),
        suites={entry.version: None if entry.open_reason else frozenset(entry.agreed) for entry in lists},
        because=distinct(because),
    )


def _different(speaking: Sequence[_Shown]) -> Judgement | None:
    for first, other in combinations(speaking, 2):
        because = (first.because[0], other.because[0])
        sides = [f"{shown.address}: SHA-256 {', '.join(sorted(shown.certificates))}" for shown in (first, other)]
        if first.keys != other.keys:
            return Judgement("violated", "certificates-differ", because, "confirmed", params={"shown": sides})
        differing = [
            v for v in first.suites if _known(first, other, v) and bool(first.suites[v]) != bool(other.suites[v])
        ]
        if differing:
            sides = [f"{shown.address}: {', '.join(sorted(shown.versions))}" for shown in (first, other)]
            params = {"shown": sides, "versions": differing}
            return Judgement("violated", "versions-differ", because, params=params, rests_on_absence=True)
        unequal = [v for v in first.suites if _known(first, other, v) and first.suites[v] != other.suites[v]]
        if unequal:
            return _suites_differ(first, other, unequal[0])
    return None


def _suites_differ(first: _Shown, other: _Shown, version: TlsVersion) -> Judgement:
    ours, theirs = first.suites[version] or frozenset(), other.suites[version] or frozenset()
    extra = ((first.address, ours - theirs), (other.address, theirs - ours))
    shown = [f"{address}: {', '.join(shown_name(s, version) for s in sorted(suites))}" for address, suites in extra]
    params = {"version": version, "shown": [text for text in shown if not text.endswith(": ")]}
    because = (first.because[0], other.because[0])
    return Judgement("violated", "suites-differ", because, severity="low", params=params, rests_on_absence=True)


def _known(one: _Shown, other: _Shown, version: TlsVersion) -> bool:
    return one.suites[version] is not None and other.suites[version] is not None


def _alike(speaking: Sequence[_Shown], unknown: Sequence[Judgement], because: tuple[Seen, ...]) -> Judgement:
    """Nothing differs; is everything known that could?"""
    incomplete = sorted({v for shown in speaking for v, suites in shown.suites.items() if suites is None})
    if unknown or incomplete:
        return Judgement("cannot-tell", "not-comparable", because, params={"versions": incomplete})
    result = "equal" if len({shown.certificates for shown in speaking}) == 1 else "same-key"
    versions = sorted(speaking[0].versions)
    return Judgement("holds", result, because, params={"compared": len(speaking), "versions": versions})


RULE: Final = Rule(
    id="parity.certificate-equal",
    results=RESULTS,
    needs=tuple(Need(need.role, at="host", optional=True) for need in HELLO_NEEDS),
    subjects=the_host,
    judge=judge_certificate_equal,
)
