"""Whether a chain leads to a trust anchor, and if not, the cause in our own words."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from flexiscan.policy.cert.anchors import TrustAnchors
from flexiscan.policy.cert.certificate import Certificate
from flexiscan.policy.cert.path import PathSearch, SearchTooLong, search_paths
from flexiscan.policy.cert.signature import is_issued_by
from flexiscan.policy.rule import Outcome

TRUST_RESULTS: Final[dict[str, Outcome]] = {
    "trusted": "holds",
    "self-signed": "violated",
    "unknown-issuer": "violated",
    "chain-incomplete": "violated",
    "authority-expired": "violated",
    "authority-not-yet-valid": "violated",
    "not-an-authority": "violated",
    "not-for-servers": "violated",
    "weak-signature": "violated",
    "name-not-permitted": "violated",
    "unknown-critical-extension": "violated",
    "too-many-paths": "cannot-tell",
    "engines-disagree": "cannot-tell",
}


def judge_trust(chain: tuple[Certificate, ...], anchors: TrustAnchors, now: dt.datetime) -> tuple[str, dict[str, Any]]:
    """Result id and parameters for a chain as sent."""
    leaf = chain[0]
    params: dict[str, Any] = {"subject": leaf.subject, "issuer": leaf.issuer}
    try:
        search = search_paths(chain, anchors, now)
    except SearchTooLong:
        return "too-many-paths", params
    if search.sound is not None:
        return "trusted", {**params, "path": [certificate.subject for certificate in search.sound]}
    result, details = _cause_of(search, leaf, anchors)
    if _second_engine_accepts(chain, anchors, now):
        return "engines-disagree", {**params, **details, "cause": result}
    return result, {**params, **details}


def _cause_of(search: PathSearch, leaf: Certificate, anchors: TrustAnchors) -> tuple[str, dict[str, Any]]:
    if search.paths:
        flaw = next(flaw for _, flaw in search.paths if flaw is not None)
        details: dict[str, Any] = {"certificate": flaw.certificate.subject}
        if flaw.cause == "weak-signature":
            details["hash"] = flaw.certificate.signature_hash
        return flaw.cause, details
    if is_issued_by(leaf, leaf):
        return "self-signed", {}
    top = search.top
    if is_issued_by(top, top):
        return "unknown-issuer", {"authority": top.subject}
    # A server that sends no issuer at all, or whose next issuer belongs to a known authority, has left out an
    # intermediate. Otherwise the root that nobody sends is simply not one that clients have.
    if top is leaf or top.issuer_organisation in anchors.organisations:
        return "chain-incomplete", {"missing": top.issuer}
    return "unknown-issuer", {"authority": top.issuer}


def _second_engine_accepts(chain: tuple[Certificate, ...], anchors: TrustAnchors, now: dt.datetime) -> bool:
    """Whether the library's own, stricter verifier accepts what we reject: then nobody should rely on us."""
    leaf = chain[0]
    subject = _any_subject(leaf)
    store = [anchor.parsed for group in anchors.by_subject.values() for anchor in group]
    if subject is None or not store:
        return False
    moment = min(max(now, leaf.not_before), leaf.not_after)
    try:
        verifier = PolicyBuilder().store(Store(store)).time(moment).build_server_verifier(subject)
        verifier.verify(leaf.parsed, [certificate.parsed for certificate in chain[1:]])
    except (VerificationError, ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return False
    return True


def _any_subject(leaf: Certificate) -> x509.DNSName | x509.IPAddress | None:
    """A name that the certificate has: whether it is the right one is another rule's question."""
    try:
        for name in leaf.dns_names:
            return x509.DNSName(name.replace("*", "any", 1))
        for address in leaf.ip_addresses:
            return x509.IPAddress(address)
    except ValueError:
        return None
    return None
